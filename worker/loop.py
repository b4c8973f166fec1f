"""Claim, run, finish or retry or bury; heartbeat; stop when told."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from db import queue
from db.errors import LeaseLost, PermanentFailure, RetryLater
from db.pool import UNAVAILABLE, Pool, acquire
from db.queue import ClaimedLane
from worker.retry import retry_delay

log = logging.getLogger(__name__)

CLAIM_AT_ONCE = 100  # lanes; fewer cost more processor time each, more would hold up their first for the last
MESSAGES_PER_TURN = 20
PATIENCE = timedelta(hours=1)
"""How long work may ask for more time without that counting as a failed try."""
DATABASE_PATIENCE = timedelta(minutes=5)
"""How long a database that is slow or away does not count against the work; then the work may be what makes it slow."""
DATABASE_PAUSE = 3  # as after so many tries: up to eight seconds
NEWER_CODE = timedelta(seconds=30)
FLOOR_MARGIN = timedelta(seconds=1)
FLOOR_RESET_SECONDS = 2.5
"""How often a claim looks at all lanes: at those that were committed late, and at those of dead workers."""


class Handler(Protocol):
    """Does one kind of work. Whatever it changes, it changes in a commit that also finishes the lane."""

    async def run(self, lane: ClaimedLane) -> None:
        """Do the work. Raises LeaseLost, RetryLater or PermanentFailure; anything else counts as a failed try."""
        ...

    async def give_up(self, lane: ClaimedLane, error: str) -> None:
        """Bury work that failed for good, and see to whoever waits for it."""
        ...


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How one worker process behaves."""

    name: str
    concurrency: int = 150
    """Lanes in hand at once."""
    lease: timedelta = timedelta(seconds=12)
    poll: timedelta = timedelta(seconds=0.5)
    max_attempts: int = 5
    grace: timedelta = timedelta(seconds=15)
    """How long work in hand may go on after a stop was asked for."""


@dataclass(slots=True)
class Worker:
    """One process's share of the work: free slots only are claimed, so one slow turn holds up nobody."""

    pool: Pool
    handlers: Mapping[str, Handler]
    settings: WorkerSettings
    side_tasks: tuple[Callable[[], Awaitable[None]], ...] = ()
    """Run beside the claim loop until it ends: the listener, the schedule."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    running: dict[ClaimedLane, asyncio.Task[None]] = field(default_factory=dict)
    floor: datetime | None = None
    floor_set_at: float = 0.0

    def stop(self) -> None:
        """Claim nothing more; finish or give back what is in hand."""
        self.stopping.set()
        self.wake.set()

    async def run(self) -> None:
        """Work until `stop` is called; returns within the grace period and the time it takes to give lanes back."""
        beside = [asyncio.create_task(self.beat())]
        beside += [asyncio.ensure_future(task()) for task in self.side_tasks]
        for task in beside:
            task.add_done_callback(lambda _: self.stop())
        try:
            while not self.stopping.is_set():
                self.wake.clear()
                slots = self.free_slots
                if not slots or await self.claim(slots) < slots:
                    await self.wait_for_work()
            await self.finish_in_hand()
            for task in beside:
                if task.done():
                    await task  # a heartbeat that died must not look like a worker that lives
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    @property
    def free_slots(self) -> int:
        return max(0, min(CLAIM_AT_ONCE, self.settings.concurrency - len(self.running)))

    async def claim(self, slots: int) -> int:
        """Claim up to `slots` lanes, start them, and return how many came."""
        try:
            async with acquire(self.pool) as conn:
                lanes = await queue.claim_lanes(
                    conn,
                    worker=self.settings.name,
                    lanes=slots,
                    messages=MESSAGES_PER_TURN,
                    lease=self.settings.lease,
                    floor=self.find_floor(),
                )
        except UNAVAILABLE as error:
            log.warning("database cannot be reached", extra={"error": type(error).__name__})
            return 0
        for lane in lanes:
            self.running[lane] = asyncio.create_task(self.run_lane(lane))
            self.running[lane].add_done_callback(partial(self.put_down, lane))
        # where a dead worker leaves more than fits, the next claim looks at all lanes again
        is_heir = self.floor is None and len(lanes) == slots and any(lane.attempts > 1 for lane in lanes)
        if lanes and not is_heir:
            self.floor = min(lane.run_at for lane in lanes) - FLOOR_MARGIN
        return len(lanes)

    def find_floor(self) -> datetime | None:
        """Where the last claim began, less a margin; every few seconds nowhere, to catch what it leaves out."""
        now = time.monotonic()
        if now - self.floor_set_at >= FLOOR_RESET_SECONDS:
            self.floor_set_at, self.floor = now, None
        return self.floor

    def put_down(self, lane: ClaimedLane, _: asyncio.Task[None]) -> None:
        self.running.pop(lane, None)
        self.wake.set()

    async def wait_for_work(self) -> None:
        """Until a NOTIFY, a free slot, a stop, or the poll interval."""
        try:
            async with asyncio.timeout(self.settings.poll.total_seconds()):
                await self.wake.wait()
        except TimeoutError:
            return

    async def run_lane(self, lane: ClaimedLane) -> None:
        """Do what a lane holds. Whatever fails ends in a retry, at a person, or in a lease that runs out."""
        try:
            await self.do_work(lane)
        except LeaseLost:
            log.warning("lease lost", extra={"lane": lane.label, "attempts": lane.attempts})
        except RetryLater as error:
            await self.put_back(
                lane,
                str(error),
                pause=error.delay,
                is_try=(lane.waited if error.waited is None else error.waited) > PATIENCE,
            )
        except UNAVAILABLE as error:  # nothing is wrong with the work
            log.warning("database cannot be reached", extra={"lane": lane.label, "error": type(error).__name__})
            pause = retry_delay(DATABASE_PAUSE)
            await self.put_back(lane, type(error).__name__, pause=pause, is_try=lane.waited > DATABASE_PATIENCE)
        except PermanentFailure as error:
            await self.put_back(lane, str(error), tries=max(lane.attempts, self.settings.max_attempts))
        except Exception as error:  # the one broad except: a turn may fail, the loop may not
            log.exception("work failed", extra={"lane": lane.label, "attempts": lane.attempts})
            await self.put_back(lane, type(error).__name__, pause=retry_delay(lane.attempts))

    async def do_work(self, lane: ClaimedLane) -> None:
        """The handler works until its tries are used up, then gives up; where that fails too the rows are buried."""
        handler = self.handlers.get(lane.jobs[0].kind)
        tries_left = self.settings.max_attempts - lane.attempts
        reason = lane.failure or "the worker died each time"
        if tries_left < -1:
            log.error("work buried", extra={"lane": lane.label, "attempts": lane.attempts})
            async with acquire(self.pool) as conn:
                await queue.bury_work(conn, lane, error=reason)
        elif handler is None:  # newer code put it there, which is on its way to this process too
            raise RetryLater(f"nobody here does {lane.jobs[0].kind}", delay=NEWER_CODE)
        elif tries_left < 0:
            log.error("work given up", extra={"lane": lane.label, "attempts": lane.attempts})
            await handler.give_up(lane, reason)
        else:
            await handler.run(lane)

    async def put_back(
        self,
        lane: ClaimedLane,
        failure: str | None,
        *,
        pause: timedelta = timedelta(0),
        tries: int | None = None,
        is_try: bool = True,
    ) -> None:
        try:
            async with acquire(self.pool) as conn:
                await queue.release_lane(conn, lane, pause=pause, failure=failure, tries=tries, is_try=is_try)
        except UNAVAILABLE:
            log.warning("lane left to its lease", extra={"lane": lane.label})

    async def beat(self) -> None:
        """Extend every lease in hand a few times per lease; work whose lease is gone is dropped."""
        while True:
            held = list(self.running)
            try:
                async with acquire(self.pool) as conn:
                    kept = await queue.extend_leases(
                        conn, worker=self.settings.name, held=held, lease=self.settings.lease
                    )
            except UNAVAILABLE as error:
                log.warning("heartbeat failed", extra={"error": type(error).__name__})
            else:
                for lane in held:
                    if (lane.lane, lane.token) not in kept and lane in self.running:
                        self.running[lane].cancel()
            await asyncio.sleep(self.settings.lease.total_seconds() / 4)

    async def finish_in_hand(self) -> None:
        """Let work in hand end within the grace period, then give the rest back for others to take up at once."""
        if self.running:
            await asyncio.wait(self.running.values(), timeout=self.settings.grace.total_seconds())
        left = dict(self.running)
        for task in left.values():
            task.cancel()
        await asyncio.gather(*left.values(), return_exceptions=True)
        for lane in left:
            await self.put_back(lane, None)
        try:
            async with acquire(self.pool) as conn:
                await queue.leave_fleet(conn, worker=self.settings.name)
        except UNAVAILABLE:
            log.warning("left without a word")
