"""Upkeep that runs by the clock, once per fleet: whichever worker looks first puts it on the queue."""

import asyncio
import logging

from db import queue
from db.pool import UNAVAILABLE, Pool, acquire

log = logging.getLogger(__name__)

LOOK_SECONDS = 30.0


async def run_schedule(pool: Pool) -> None:
    """Queue what is due, for ever."""
    while True:
        try:
            async with acquire(pool) as conn:
                await queue.add_scheduled(conn)
        except UNAVAILABLE as error:
            log.warning("schedule not read", extra={"error": type(error).__name__})
        await asyncio.sleep(LOOK_SECONDS)
