"""A desk to crash, and a server of real processes."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from db.pool import Connection
from tests.crash.fleet import ForkServer
from tests.crash.matrix import Desk
from tests.crash.world import World
from tests.stand_ins.journal import Knobs
from tests.stand_ins.vendor import running_vendor


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """Processes for all tests of this worker."""
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture
async def desk(database_url: str, conn: Connection, tmp_path: Path) -> AsyncIterator[Desk]:
    """An empty desk whose vendor reports nothing, and whose lists lag."""
    async with running_vendor(knobs=Knobs(callbacks=[], index_lag_seconds=0.4)) as vendor:
        yield Desk(conn, vendor, World(database_url, vendor.url, str(tmp_path), (), {}))
