"""Brings a database to the schema this code was written for.

Tables change by numbered migrations, each applied once and never edited again. Functions and views are written down
once, in `routines`, and are replaced as a whole whenever one of those files differs from what the database has. So are
the labelled examples that come with the code.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from db.errors import SchemaMismatch
from db.examples import SHIPPED, install_shipped
from db.pool import Connection

MIGRATIONS = Path(__file__).parent / "migrations"
ROUTINES = Path(__file__).parent / "routines"
LOCK = 7_358_114  # any number, the same for every process of ours
LOCK_TIMEOUT = "60s"


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file; its checksum tells whether it is still the file that was applied."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def list_migrations(folder: Path = MIGRATIONS) -> list[Migration]:
    """The numbered .sql files of a folder, in order."""
    files = sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    return [Migration(int(file.name[:4]), file.stem, file.read_text()) for file in files]


def read_routines(folder: Path = ROUTINES) -> Migration:
    """All functions and views as one text. Its version is 0: it has no place among the numbered ones."""
    files = sorted(folder.glob("*.sql"))
    return Migration(0, "routines", "\n".join(file.read_text() for file in files))


def read_examples() -> Migration:
    """The shipped examples; not SQL, but kept true to their file in the same way."""
    return Migration(-1, "examples", SHIPPED.read_text(encoding="utf-8"))


async def migrate(conn: Connection, folder: Path = MIGRATIONS) -> list[str]:
    """Apply what is missing, each file in a transaction of its own, and return the names applied.

    Started by two processes at once, one applies and the other waits up to 60 s. Raises SchemaMismatch when the
    database is newer than this code, or when an applied file was changed since.
    """
    migrations = list_migrations(folder)
    applied: list[str] = []
    for migration in migrations:
        async with conn.transaction():
            await take_turns(conn)
            if not await is_applied(conn, migration, newest=migrations[-1].version):
                await apply(conn, migration)
                applied.append(migration.name)
    routines, examples = read_routines(), read_examples()
    async with conn.transaction():
        await take_turns(conn)
        if await find_checksum(conn, routines) != routines.checksum:
            await apply(conn, routines)
            applied.append(routines.name)
        if await find_checksum(conn, examples) != examples.checksum:
            await install_shipped(conn, examples.sql)
            await note_applied(conn, examples)
            applied.append(examples.name)
    return applied


async def take_turns(conn: Connection) -> None:
    """One migrating process at a time. A transaction's lock, not a session's: it also holds behind a pooler."""
    await conn.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
    await conn.execute("select pg_advisory_xact_lock($1)", LOCK)
    await conn.execute(
        """
        create table if not exists schema_migrations (
          version int primary key, name text not null, checksum text not null,
          applied_at timestamptz not null default now());
        comment on table schema_migrations is 'Which migrations this database has; version 0: functions and views.';
        comment on column schema_migrations.version is 'As the file name begins.';
        comment on column schema_migrations.name is 'As the file is called.';
        comment on column schema_migrations.checksum is 'Of the text that was applied.';
        comment on column schema_migrations.applied_at is 'When, the last time for functions and views.';
        """
    )


async def apply(conn: Connection, migration: Migration) -> None:
    await conn.execute(migration.sql)
    await note_applied(conn, migration)


async def note_applied(conn: Connection, migration: Migration) -> None:
    await conn.execute(
        """
        insert into schema_migrations (version, name, checksum) values ($1, $2, $3)
        on conflict (version) do update set checksum = excluded.checksum, applied_at = now()
        """,
        migration.version,
        migration.name,
        migration.checksum,
    )


async def find_checksum(conn: Connection, migration: Migration) -> str | None:
    """What the database has under this version; None when it has nothing."""
    checksum: str | None = await conn.fetchval(
        "select checksum from schema_migrations where version = $1", migration.version
    )
    return checksum


async def is_applied(conn: Connection, migration: Migration, *, newest: int) -> bool:
    """Whether the database has this migration; raises SchemaMismatch when the two disagree about it."""
    there = await conn.fetchval("select max(version) from schema_migrations")
    if there is not None and there > newest:
        raise SchemaMismatch(f"the database has schema {there}, this code knows {newest}: deploy the newer code")
    checksum = await find_checksum(conn, migration)
    if checksum is not None and checksum != migration.checksum:
        raise SchemaMismatch(f"{migration.name} was changed after it was applied: add a new migration instead")
    return checksum is not None


async def check_schema(conn: Connection) -> None:
    """Raises SchemaMismatch unless the database has exactly, or compatibly more than, nothing less than our schema."""
    newest = list_migrations()[-1].version
    there = await conn.fetchval("select case when to_regclass('schema_migrations') is null then 0 end")
    if there is None:
        there = await conn.fetchval("select coalesce(max(version), 0) from schema_migrations")
    if there > newest:
        raise SchemaMismatch(f"the database has schema {there}, this code knows {newest}: deploy the newer code")
    if there < newest:
        raise SchemaMismatch(f"the database has schema {there}, this code needs {newest}: run python -m app migrate")
    routines = read_routines()
    if await find_checksum(conn, routines) != routines.checksum:
        raise SchemaMismatch("the database has other functions than this code: run python -m app migrate")
