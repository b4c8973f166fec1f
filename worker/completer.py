"""Small work ends in company: all lanes that are done while one statement is under way share the next."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from db import queue
from db.errors import LeaseLost
from db.pool import Connection, Pool, acquire
from db.queue import ClaimedLane

FinishLanes = Callable[[Connection, list[ClaimedLane]], Awaitable[set[ClaimedLane]]]
"""Finishes lanes in one commit and returns those that were still ours."""


@dataclass(slots=True)
class Completer:
    """For kinds whose work needs nothing in its commit but "off the queue, lane free"; share one per worker."""

    pool: Pool
    finish_lanes: FinishLanes = queue.finish_lanes
    batch: list[ClaimedLane] = field(default_factory=list)
    """What the next statement will finish."""
    flushing: asyncio.Task[set[ClaimedLane]] | None = None
    """The latest statement: under way, or waiting for the one before it."""

    async def finish(self, lane: ClaimedLane) -> None:
        """Return once the lane is finished and committed. Raises LeaseLost, database errors."""
        if not self.batch:
            self.flushing = asyncio.create_task(self.flush(self.flushing))
        self.batch.append(lane)
        assert self.flushing is not None  # noqa: S101 (for the type checker: the batch was opened with it)
        if lane not in await asyncio.shield(self.flushing):  # one lane's cancelling must not cost the others
            raise LeaseLost(lane.lane)

    async def flush(self, before: asyncio.Task[set[ClaimedLane]] | None) -> set[ClaimedLane]:
        if before is not None and not before.done():
            await asyncio.wait([before])
        async with acquire(self.pool) as conn:
            batch, self.batch = self.batch, []
            return await self.finish_lanes(conn, batch)
