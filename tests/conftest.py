"""A real Postgres for every test that asks for one: a database per test, copied from a migrated template.
And a Gmail and a Twilio, whose emulators start once per test process."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from app.embedded import open_embedded
from db.migrate import migrate
from db.pool import Connection, Pool, open_connection, open_pool
from tests.shipped import install_fit
from tests.stand_ins.emulator import EMULATE_PEER, Emulator, running_emulator
from tests.stand_ins.gmail import GOOGLE, Gmail, running_gmail
from tests.stand_ins.node_package import NotInstalled, install
from tests.stand_ins.twilio_emulator import TWILIO, Twilio


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
    await install_fit(conn)
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


def require_node(package: Path) -> None:
    """Without Node or the npm package of this folder the test is skipped, unless REQUIRE_NODE is set."""
    try:
        install(package)
    except NotInstalled as error:
        if "REQUIRE_NODE" in os.environ:
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def gmail_emulator() -> Iterator[Emulator]:
    """The Google of this test process."""
    require_node(EMULATE_PEER)
    with running_emulator(GOOGLE) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def twilio_emulator() -> Iterator[Emulator]:
    """The Twilio of this test process."""
    require_node(EMULATE_PEER)
    with running_emulator(TWILIO) as emulator:
        yield emulator


@pytest.fixture
async def gmail(gmail_emulator: Emulator) -> AsyncIterator[Gmail]:
    """An empty mailbox of this test's own."""
    async with running_gmail(gmail_emulator) as mailbox:
        yield mailbox


@pytest.fixture
def twilio(twilio_emulator: Emulator) -> Twilio:
    """An account without messages."""
    twilio_emulator.reset()
    return Twilio(twilio_emulator)
