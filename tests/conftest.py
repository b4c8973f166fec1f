"""A real Postgres for every test that asks for one: a database per test, copied from a migrated template."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from app.embedded import open_embedded
from db.migrate import migrate
from db.pool import Connection, Pool, open_connection, open_pool


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The address of an embedded server of this test process's own, so that none stops under another one's feet."""
    folder = Path(tempfile.mkdtemp(prefix="deskhand-tests-"))
    folder.chmod(0o755)  # run as root, Postgres is somebody else, who must get in
    with asyncio.Runner() as runner:
        server = open_embedded(folder)
        yield runner.run(server.__aenter__()).dsn
        runner.run(server.__aexit__(None, None, None))
    shutil.rmtree(folder, ignore_errors=True)


def database_of(server_url: str, name: str) -> str:
    return server_url.rsplit("/", 1)[0] + "/" + name


async def make_template(server_url: str) -> str:
    admin = await open_connection(server_url)
    await admin.execute("create database template_migrated")
    await admin.close()
    conn = await open_connection(database_of(server_url, "template_migrated"))
    await migrate(conn)
    await conn.close()
    return "template_migrated"


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    """The name of a migrated database that every test's own is copied from."""
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
