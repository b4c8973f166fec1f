"""Open inboxes: how long after a commit the last of them knows of it, and has the list anew."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from bench.ground import percentile
from bench.inbox_browser import Browser, open_browser
from bench.report import Report
from db.listen import notify_each
from db.pool import Connection
from db.queue import REPLY_CHANNEL

OPEN = 200
GOAL_SECONDS = 1.0
PATIENCE = 30  # seconds

ESCALATE = """
with chosen as (
  select id from conversations where status = 'resolved' and not is_test order by updated_at desc limit 1
), talk as (
  update conversations c set handler = 'human', epoch = epoch + 1, status = 'open', waiting_since = clock_timestamp(),
         updated_at = clock_timestamp() from chosen where c.id = chosen.id returning c.id, c.thread_key
), ticket as (
  update tickets k set status = 'escalated', team = 'support', escalation_reason = 'asked_for_a_person',
         resolved_at = null, person_due_at = clock_timestamp() + interval '4 hours', updated_at = clock_timestamp()
    from talk where k.conversation_id = talk.id
)
select thread_key from talk
"""


@dataclass(slots=True)
class Page:
    """An open inbox: a stream, and how it fetches the list when it hears of a change."""

    stream: Browser
    port: int
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    shown: asyncio.Event = field(default_factory=asyncio.Event)
    heard_at: float = 0
    shown_at: float = 0

    async def live(self) -> None:
        """As the script of the page does: every stamp but the one it shows makes it fetch. Ends with the stream."""
        async for _ in self.stream.listen("/inbox/events"):
            self.heard_at = time.perf_counter()
            self.heard.set()
            async with open_browser(self.port, self.stream.cookie) as fetcher:  # the last one timed out long ago
                await fetcher.get("/inbox")
            self.shown_at = time.perf_counter()
            self.shown.set()


@dataclass(frozen=True, slots=True)
class Spread:
    """Seconds from the commit, of each page."""

    heard: list[float]
    shown: list[float]


async def measure_streams(report: Report, conn: Connection, port: int, cookie: str, *, rounds: int) -> None:
    """Changes with the hint that a worker gives, and changes that only the clock finds."""
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(open_browser(port, cookie)) for _ in range(OPEN)]
        pages = [Page(stream, port) for stream in streams]
        async with asyncio.TaskGroup() as group:
            lives = [group.create_task(page.live()) for page in pages]
            await until_all(pages)
            for name, has_hint in (("hinted", True), ("by the clock alone", False)):
                spreads = [await change(conn, pages, has_hint=has_hint) for _ in range(rounds)]
                add_rows(report, f"{OPEN} open inboxes, {name}", spreads, with_goal=has_hint)
            for life in lives:
                life.cancel()


async def change(conn: Connection, pages: Sequence[Page], *, has_hint: bool) -> Spread:
    """One conversation is escalated, and everybody hears of it. Raises TimeoutError where somebody does not."""
    for page in pages:
        page.heard.clear()
        page.shown.clear()
    await asyncio.sleep(1)  # everybody at rest
    thread_key = await conn.fetchval(ESCALATE)
    began = time.perf_counter()
    if has_hint:
        await notify_each(conn, REPLY_CHANNEL, [thread_key])
    await until_all(pages)
    return Spread([page.heard_at - began for page in pages], [page.shown_at - began for page in pages])


async def until_all(pages: Sequence[Page]) -> None:
    async with asyncio.timeout(PATIENCE):
        for page in pages:
            await page.shown.wait()


def add_rows(report: Report, case: str, spreads: Sequence[Spread], *, with_goal: bool) -> None:
    """Over all rounds: the last page of the slowest counts."""
    goal = GOAL_SECONDS if with_goal else None
    heard = [seconds for spread in spreads for seconds in spread.heard]
    shown = [seconds for spread in spreads for seconds in spread.shown]
    report.add(case, "the event is there, p50", percentile(heard, 0.5), "s")
    report.add(case, "the event is there, the last", max(heard), "s", at_most=goal)
    report.add(case, "the list is fetched anew, p50", percentile(shown, 0.5), "s")
    report.add(case, "the list is fetched anew, the last", max(shown), "s", at_most=goal)
