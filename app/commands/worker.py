"""A worker process: answers what waits until it is told to stop."""

import argparse
import asyncio
import logging
from contextlib import suppress

from app.database import find_database
from app.settings import Settings
from app.stop import stop_on_signals
from app.wiring import make_worker, open_agent, open_channels, running_worker
from db.migrate import check_schema
from db.pool import UNAVAILABLE, Pool, acquire, open_pool

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
POOL_SIZE = 6  # connections; a seventh listens


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Answer what waits on the queue. SIGTERM finishes or gives back what is in hand within 20 s."


async def wait_for_schema(pool: Pool, stopping: asyncio.Event) -> None:
    """Until the database is there, or a stop is asked for. Raises SchemaMismatch: waiting would not mend that."""
    while not stopping.is_set():
        try:
            async with acquire(pool) as conn:
                await check_schema(conn)
            return
        except UNAVAILABLE as error:
            log.warning("waiting for the database", extra={"error": type(error).__name__})
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)


async def run(_: argparse.Namespace, settings: Settings) -> int:
    """Work until SIGTERM or SIGINT."""
    stopping = stop_on_signals()
    async with (
        find_database(settings) as database,
        open_pool(database.query_url, size=POOL_SIZE) as pool,
        open_channels(settings) as channels,
    ):
        await wait_for_schema(pool, stopping)
        worker = make_worker(settings, database, pool, await open_agent(settings, pool), channels)
        log.info("worker started", extra={"worker": worker.settings.name})
        async with running_worker(worker) as working:
            told = asyncio.create_task(stopping.wait())
            await asyncio.wait([told, working], return_when=asyncio.FIRST_COMPLETED)
        log.info("worker stopped", extra={"worker": worker.settings.name})
    return 0
