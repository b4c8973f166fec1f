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
