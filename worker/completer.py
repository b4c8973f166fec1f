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
    waiting: dict[ClaimedLane, asyncio.Future[bool]] = field(default_factory=dict)
    flushing: asyncio.Task[None] | None = None

    async def finish(self, lane: ClaimedLane) -> None:
        """Return once the lane is finished and committed. Raises LeaseLost, database errors."""
        kept = self.waiting[lane] = asyncio.get_running_loop().create_future()
        if self.flushing is None or self.flushing.done():
            self.flushing = asyncio.create_task(self.flush())
        if not await kept:
            raise LeaseLost(lane.lane)

    async def flush(self) -> None:
        """One statement after the other until nobody waits."""
        while self.waiting:
            batch, self.waiting = self.waiting, {}
            try:
                async with acquire(self.pool) as conn:
                    kept = await self.finish_lanes(conn, list(batch))
            except Exception as error:  # noqa: BLE001 (each of those who wait gets it, and knows what to do)
                for done in batch.values():
                    settle(done, error)
            else:
                for lane, done in batch.items():
                    settle(done, lane in kept)


def settle(done: asyncio.Future[bool], answer: bool | Exception) -> None:
    if done.cancelled():
        return
    if isinstance(answer, Exception):
        done.set_exception(answer)
    else:
        done.set_result(answer)
