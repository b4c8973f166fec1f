"""Wake-ups between processes: new work for a worker, a new reply for a page. All of them are only hints."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from db.listen import listen, notify_each
from db.pool import UNAVAILABLE, Pool, acquire
from db.queue import REPLY_CHANNEL, WORK_CHANNEL

log = logging.getLogger(__name__)

ALL = "*"
"""What a page subscribes to that shows all tickets."""


class Hints:
    """NOTIFYs on one channel, one statement in flight at most: what comes meanwhile goes together in the next one."""

    def __init__(self, pool: Pool, channel: str) -> None:
        self.pool = pool
        self.channel = channel
        self.wanted: set[str] = set()
        self.task: asyncio.Task[None] | None = None

    def give(self, payload: str = "") -> None:
        """Send a hint. Call it after the commit it tells of; it never waits and never fails."""
        self.wanted.add(payload)
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self.send())

    async def send(self) -> None:
        while self.wanted:
            payloads, self.wanted = self.wanted, set()
            try:
                async with acquire(self.pool) as conn:
                    await notify_each(conn, self.channel, payloads)
            except UNAVAILABLE as error:
                log.warning("nobody was told", extra={"channel": self.channel, "error_kind": type(error).__name__})

    async def flush(self) -> None:
        """Until all that was given is sent."""
        while self.task is not None and not self.task.done():
            await asyncio.wait([self.task])


class Announcer(Hints):
    """Tells the pages which threads changed."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool, REPLY_CHANNEL)

    async def announce(self, thread_key: str) -> None:
        """The pages that show this thread are told soon; the caller does not wait for it."""
        self.give(thread_key)

    async def flush_at_the_end(self) -> None:
        """Beside a worker until it ends: whoever waits for the last replies is told before the pool closes."""
        try:
            await asyncio.Event().wait()
        finally:
            await self.flush()


class Waker(Hints):
    """Tells the workers that work was committed."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool, WORK_CHANNEL)
        self.later: set[asyncio.TimerHandle] = set()

    def poke(self, after_seconds: float = 0) -> None:
        """Wake a worker now, or once a quiet time is over. Call it after the commit; it never waits and never fails."""
        if after_seconds > 0:
            self.later = {timer for timer in self.later if timer.when() > asyncio.get_running_loop().time()}
            self.later.add(asyncio.get_running_loop().call_later(after_seconds, self.poke))
        else:
            self.give()

    async def close(self) -> None:
        """Drop what is pending: a hint that is lost now costs a poll interval."""
        for timer in self.later:
            timer.cancel()
        if self.task:
            self.task.cancel()
            await asyncio.wait([self.task])


class ReplyHub:
    """Wakes the pages that wait for a reply. They also look by the clock, so a lost hint costs seconds."""

    def __init__(self) -> None:
        self.waiting: dict[str, set[asyncio.Event]] = {}
        self.closing = asyncio.Event()

    @property
    def count(self) -> int:
        """Pages that wait."""
        return sum(len(events) for events in self.waiting.values())

    def wake(self, reference: str) -> None:
        """Wake the pages of one ticket and those that show all; everybody when `reference` is empty."""
        about = (reference, ALL) if reference else tuple(self.waiting)
        chosen = [self.waiting.get(topic, set()) for topic in about]
        for events in chosen:
            for event in events:
                event.set()

    def close(self) -> None:
        """End every wait, now and from now on: the process stops."""
        self.closing.set()
        self.wake("")

    @asynccontextmanager
    async def subscribe(self, reference: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set with each hint about this ticket. Whoever waits for it clears it first."""
        event = asyncio.Event()
        self.waiting.setdefault(reference, set()).add(event)
        try:
            yield event
        finally:
            self.waiting[reference].discard(event)
            if not self.waiting[reference]:
                del self.waiting[reference]


@asynccontextmanager
async def open_hub(url: str | None) -> AsyncIterator[ReplyHub]:
    """A hub that listens on a direct connection; without one it only serves those who look by the clock."""
    hub = ReplyHub()
    listener = asyncio.create_task(listen(url, REPLY_CHANNEL, hub.wake)) if url else None
    try:
        yield hub
    finally:
        hub.close()
        if listener:
            listener.cancel()
            await asyncio.wait([listener])


@asynccontextmanager
async def open_waker(pool: Pool) -> AsyncIterator[Waker]:
    """A waker for the length of a process."""
    waker = Waker(pool)
    try:
        yield waker
    finally:
        await waker.close()
