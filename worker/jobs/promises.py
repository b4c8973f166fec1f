"""Promises to customers, looked at once a minute."""

import logging
from dataclasses import dataclass

from db import sla
from db.pool import acquire
from db.queue import ClaimedLane
from worker.jobs.upkeep import Upkeep

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Promises(Upkeep):
    """Records the promises that were broken and warns of those that soon will be."""

    async def run(self, lane: ClaimedLane) -> None:
        async with acquire(self.pool) as conn:
            broken = await sla.record_breaches(conn)
            warned = await sla.warn_soon(conn)
        if broken or warned:
            log.warning("promises to customers", extra={"broken": broken, "warned_of": warned})
        await self.completer.finish(lane)
