"""What whoever deploys newer code may rely on."""

from pathlib import Path

import pytest

from db.errors import SchemaMismatch
from db.migrate import check_schema, migrate, read_routines
from db.pool import Connection


async def test_a_function_that_differs_from_the_code_is_put_right_by_migrating(conn: Connection) -> None:
    await conn.execute("update schema_migrations set checksum = 'of older code' where version = 0")
    with pytest.raises(SchemaMismatch, match="run python -m app migrate"):
        await check_schema(conn)
    assert await migrate(conn) == ["routines"]
    await check_schema(conn)
    assert await migrate(conn) == []


async def test_an_applied_migration_may_not_be_edited(conn: Connection) -> None:
    await conn.execute("update schema_migrations set checksum = 'of another file' where version = 1")
    with pytest.raises(SchemaMismatch, match="add a new migration"):
        await migrate(conn)


def test_every_function_and_view_is_written_to_be_replaced() -> None:
    text = read_routines().sql
    for line in text.splitlines():
        assert not line.startswith("create function"), line
    assert list(Path("db/routines").glob("*.sql"))


async def test_every_table_column_view_and_function_says_what_it_is(conn: Connection) -> None:
    bare = await conn.fetch(
        """
        with ours as (select oid from pg_namespace where nspname = 'public'),
        extension as (select objid from pg_depend where deptype = 'e')
        select c.relname::text as name from pg_class c
         where c.relnamespace in (table ours) and c.relkind in ('r', 'v') and obj_description(c.oid, 'pg_class') is null
        union all
        select c.relname || '.' || a.attname
          from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         where c.relnamespace in (table ours) and c.relkind = 'r' and col_description(c.oid, a.attnum) is null
        union all
        select p.proname || '()' from pg_proc p
         where p.pronamespace in (table ours) and p.oid not in (table extension)
           and obj_description(p.oid, 'pg_proc') is null
        """
    )
    assert [row["name"] for row in bare] == []
