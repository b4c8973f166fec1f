"""Rows that come at the same time are stored by one statement and one commit."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import cast

from app.problems import Problem
from app.wakeup import Waker
from db.pool import UNAVAILABLE, Connection, Pool, acquire
from db.queue import NewWork, add_many

log = logging.getLogger(__name__)

AT_ONCE = 4  # batches, the second and later ones only while those before them are stuck
HELP_AFTER = 0.05  # seconds after which a batch counts as stuck; two at once from the start were no faster
BATCH = 200  # rows; a longer statement would only make the first of them wait
MOST_WAITING = 5_000  # rows in memory; whoever comes then is told to come again
PATIENCE = 2.0  # seconds until whoever waits for a commit is told that the database cannot be had

Store = Callable[[Connection, Sequence[NewWork]], Awaitable[list[int | None]]]
Waiting = tuple[NewWork, "asyncio.Future[int | None]"]


class Gatherer:
    """Stores work for many requests at once: a batch is whatever came while the ones before it were being committed.

    Nothing waits for company, so a lone request is stored at once. A batch that hangs, say on a row somebody has
    locked, holds up the next ones for no longer than `help_after` seconds.
    """

    def __init__(
        self,
        pool: Pool,
        waker: Waker,
        *,
        store: Store = add_many,
        at_once: int = AT_ONCE,
        help_after: float = HELP_AFTER,
    ) -> None:
        self.pool = pool
        self.waker = waker
        self.store = store
        self.at_once = at_once
        self.help_after = help_after
        self.waiting: deque[Waiting] = deque()
        self.running: set[asyncio.Task[None]] = set()
        self.moving: set[asyncio.Task[None]] = set()
        """Those of them that are not stuck: they will take what waits."""

    async def add(self, work: NewWork) -> int | None:
        """Return once the work is committed: its id, or None when the same work was stored before.

        Raises one of UNAVAILABLE within PATIENCE, or the 503 Problem when too much waits. Then the row may still be
        stored; whoever sent it sends it again, and a second one changes nothing.
        """
        if len(self.waiting) >= MOST_WAITING:
            raise Problem(503, headers={"Retry-After": "1"})
        stored: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self.waiting.append((work, stored))
        self.start()
        async with asyncio.timeout(PATIENCE):
            return await stored

    def start(self) -> None:
        """See to it that somebody takes what waits."""
        if self.waiting and not self.moving and len(self.running) < self.at_once:
            task = asyncio.create_task(self.run())
            self.running.add(task)
            self.moving.add(task)

    async def run(self) -> None:
        """Commit batches until nothing waits."""
        task = cast("asyncio.Task[None]", asyncio.current_task())
        try:
            while self.waiting:
                self.moving.add(task)
                timer = asyncio.get_running_loop().call_later(self.help_after, self.count_as_stuck, task)
                try:
                    await self.commit([self.waiting.popleft() for _ in range(min(BATCH, len(self.waiting)))])
                finally:
                    timer.cancel()
        finally:  # now, not in a callback: the next request may come before that
            self.moving.discard(task)
            self.running.discard(task)

    def count_as_stuck(self, task: asyncio.Task[None]) -> None:
        self.moving.discard(task)
        self.start()

    async def commit(self, batch: list[Waiting]) -> None:
        """One statement, one commit. Where one row spoils a batch, each is stored alone."""
        try:
            async with acquire(self.pool) as conn:
                ids = await self.store(conn, [work for work, _ in batch])
        except UNAVAILABLE as error:
            fail(batch, error)
        except Exception as error:  # noqa: BLE001 (whatever is wrong with one row, its neighbours are stored)
            if len(batch) == 1:
                fail(batch, error)
                return
            log.warning("a batch was refused, its rows go one by one", extra={"error_kind": type(error).__name__})
            for one in batch:
                await self.commit([one])
        else:
            for (_, stored), new_id in zip(batch, ids, strict=True):
                if not stored.done():
                    stored.set_result(new_id)
            for quiet in {work.quiet for (work, _), new_id in zip(batch, ids, strict=True) if new_id is not None}:
                self.waker.poke(quiet.total_seconds())

    async def close(self) -> None:
        """End what is in hand; whoever waited for it has gone."""
        running = list(self.running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)


def fail(batch: list[Waiting], error: Exception) -> None:
    for _, stored in batch:
        if not stored.done():
            stored.set_exception(error)


@asynccontextmanager
async def open_gatherer(pool: Pool, waker: Waker) -> AsyncIterator[Gatherer]:
    """A gatherer for the length of a process."""
    gatherer = Gatherer(pool, waker)
    try:
        yield gatherer
    finally:
        await gatherer.close()
