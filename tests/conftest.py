"""A real Postgres for every test that asks for one: a database per test, copied from a migrated template."""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from app.embedded import open_embedded
from db.migrate import MIGRATIONS, migrate
from db.pool import Connection, Pool, open_connection, open_pool

SERVER_FOLDER = Path(tempfile.gettempdir()) / f"deskhand-tests-{os.getuid()}"
"""Shared by all test processes of this user: the first starts the server, the last one stops it."""


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The address of the embedded server, kept running by a loop of its own in a thread of its own."""
    SERVER_FOLDER.mkdir(exist_ok=True)
    with asyncio.Runner() as runner:
        server = open_embedded(SERVER_FOLDER)
        running = runner.run(server.__aenter__())
        yield running.dsn
        runner.run(server.__aexit__(None, None, None))


def database_of(server_url: str, name: str) -> str:
    return server_url.rsplit("/", 1)[0] + "/" + name


async def make_template(server_url: str) -> str:
    """A migrated database, made once for these migrations by whichever test process comes first."""
    text = "".join(path.read_text() for path in sorted(MIGRATIONS.glob("*.sql")))
    name = f"template_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    admin = await open_connection(server_url)
    try:
        await admin.execute("select pg_advisory_lock(20)")
        if not await admin.fetchval("select true from pg_database where datname = $1", name):
            await admin.execute(f"create database {name}_new")
            conn = await open_connection(database_of(server_url, f"{name}_new"))
            await migrate(conn)
            await conn.close()
            await admin.execute(f"alter database {name}_new rename to {name}")
    finally:
        await admin.close()
    return name


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    return asyncio.run(make_template(server_url))


@pytest.fixture
async def database_url(server_url: str, template: str) -> AsyncIterator[str]:
    """The address of a migrated database of this test's own."""
    name = f"test_{uuid4().hex}"
    admin = await open_connection(server_url)
    await admin.execute(f"create database {name} template {template} strategy file_copy")
    await admin.close()
    yield database_of(server_url, name)
    admin = await open_connection(server_url)
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with open_pool(database_url, size=8) as opened:
        yield opened


@pytest.fixture
async def conn(pool: Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as connection:
        yield connection
