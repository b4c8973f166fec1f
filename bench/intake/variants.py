"""What the webhook stores with: nothing, Deskhand's own way, or a peer's enqueue (requirements-bench.txt)."""

import importlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import asyncpg
import orjson

from db.channels import ChannelRules
from db.queue import NewWork

Add = Callable[[NewWork], Awaitable[Any]]

POOL_SIZE = 10  # connections, as many as the web process has
TWO_BATCHES = "two batches in flight"
VARIANTS = ("no database", "deskhand", TWO_BATCHES, "procrastinate", "pgqueuer")
COUNTED = {
    "deskhand": "select count(*) from message_queue",
    TWO_BATCHES: "select count(*) from message_queue",
    "procrastinate": "select count(*) from procrastinate_jobs",
    "pgqueuer": "select count(*) from pgqueuer",
}
EMPTIED = {
    "deskhand": "truncate message_queue, lanes",
    TWO_BATCHES: "truncate message_queue, lanes",
    "procrastinate": "truncate procrastinate_jobs cascade",
    "pgqueuer": "truncate pgqueuer, pgqueuer_log",
}


class Stand:
    """Takes the gatherer's place."""

    def __init__(self, add: Add) -> None:
        self.add = add


class FixedRules:
    """Takes the place of the rules where there is no database."""

    async def find(self, _: str) -> ChannelRules:
        return ChannelRules(is_on=True, quiet_cap=timedelta(seconds=8))


@asynccontextmanager
async def nothing(_: str) -> AsyncIterator[Add]:
    """Stores nothing: the limit of the route itself."""

    async def add(_: NewWork) -> int:
        return 1

    yield add


@asynccontextmanager
async def procrastinate(url: str) -> AsyncIterator[Add]:
    """One deferred job per message, with its lock per lane and its lock against doubles."""
    package: Any = importlib.import_module("procrastinate")
    app = package.App(connector=package.PsycopgConnector(conninfo=url, min_size=POOL_SIZE, max_size=POOL_SIZE))

    async def add(work: NewWork) -> Any:
        payload = work.payload | {"sent_at": work.payload["sent_at"].isoformat()}
        job = app.configure_task("inbound", lock=work.lane, queueing_lock=work.dedupe_key)
        return await job.defer_async(**payload)

    async with app.open_async():
        yield add


@asynccontextmanager
async def pgqueuer(url: str) -> AsyncIterator[Add]:
    """One enqueued job per message, with its key against doubles; lanes it has none."""
    package: Any = importlib.import_module("pgqueuer")
    drivers: Any = importlib.import_module("pgqueuer.db")
    async with asyncpg.create_pool(url, min_size=POOL_SIZE, max_size=POOL_SIZE) as pool:
        queries = package.Queries(drivers.AsyncpgPoolDriver(pool))

        async def add(work: NewWork) -> Any:
            return await queries.enqueue("inbound", orjson.dumps(work.payload), dedupe_key=work.dedupe_key)

        yield add


OTHERS = {"no database": nothing, "procrastinate": procrastinate, "pgqueuer": pgqueuer}


async def install_procrastinate(url: str) -> None:
    """Its tables, beside ours."""
    package: Any = importlib.import_module("procrastinate")
    app = package.App(connector=package.PsycopgConnector(conninfo=url))
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


async def install_pgqueuer(url: str) -> None:
    """Its tables, beside ours."""
    package: Any = importlib.import_module("pgqueuer")
    drivers: Any = importlib.import_module("pgqueuer.db")
    conn = await asyncpg.connect(url)
    await package.Queries(drivers.AsyncpgDriver(conn)).install()
    await conn.close()


INSTALL = {"procrastinate": install_procrastinate, "pgqueuer": install_pgqueuer}


async def install_peers(url: str) -> dict[str, str]:
    """The tables of the peers that are installed; their versions by name."""
    found = {}
    for name, install in INSTALL.items():
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
        await install(url)
    return found
