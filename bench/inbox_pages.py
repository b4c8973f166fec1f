"""Pages of the inbox, asked for as browsers ask, each beside the statements that it stands on."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from urllib.parse import urlencode
from uuid import UUID

from app.routes.inbox import PAGE, STATUS, read_last
from app.thread_page import SHOWN
from bench.ground import percentile
from bench.inbox_browser import HTML, JSON, Browser, open_browser
from bench.inbox_filling import Chosen
from bench.inbox_words import Searched
from bench.report import Report
from db.attachments import list_thread_files
from db.conversations import list_steps, list_turns
from db.inbox import MOST_LOOKED_AT, list_lines, list_recent, search_messages
from db.pool import Connection
from db.threads import find_thread_stamp, list_entries, load_thread

GOAL_P95_MS = 60
AT_ONCE = 8
VIEWER = "kim@example.com"

Statements = Callable[[Connection], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One address, and the statements of db that answer it."""

    path: str
    read: Statements


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of page; its addresses are asked for in turn."""

    name: str
    asked: Sequence[Asked]
    accept: str = HTML


def list_cases(chosen: Chosen, searched: Searched) -> list[Case]:
    """Every box, filters, searches, and conversations of three sizes."""
    return [*list_waiting_cases(), *list_recent_cases(chosen), *list_searches(chosen, searched), *list_talks(chosen)]


def list_waiting_cases() -> list[Case]:
    boxes = {
        "for the team": {},
        "mine": {"box": "mine"},
        "nobody's": {"box": "unassigned"},
        "with the assistant": {"box": "assistant"},
        "put aside": {"box": "snoozed"},
        "for the team, filtered": {"channel": "whatsapp", "category": "billing", "language": "en"},
    }
    pages = [Case(f"list: {name}", [Asked(make_path(query), list_lines)]) for name, query in boxes.items()]
    return [*pages, Case("list: for the team, JSON", [Asked("/inbox", list_lines)], JSON)]


def list_recent_cases(chosen: Chosen) -> list[Case]:
    boxes = {
        "answered": {"box": "waiting"},
        "resolved": {"box": "resolved"},
        "all": {"box": "all"},
        "resolved, older ones": {"box": "resolved", "before": chosen.moment.isoformat()},
        "all, filtered": {"box": "all", "channel": "whatsapp", "category": "security", "language": "es"},
        "all, a language nobody writes": {"box": "all", "language": "fi"},
        "all, a category nobody has": {"box": "all", "category": "legal"},
    }
    return [Case(f"list: {name}", [Asked(make_path(query), read_recent(**query))]) for name, query in boxes.items()]


def list_searches(chosen: Chosen, searched: Searched) -> list[Case]:
    words = {
        "the commonest word": searched.common,
        "a word of every 100th": searched.hundredth,
        "a word of every 1,000th": searched.thousandth,
        "two words": f"{searched.common} {searched.hundredth}",
        "a common phrase": f'"{searched.phrase}"',
        "all but a word": f"-{searched.hundredth}",
        "a number said once": chosen.number,
        "what nobody said": "nobodysaidthis",
        "a reference": chosen.reference,
        "an address": "customer1@example.com",
    }
    return [
        Case(f"search: {name}", [Asked(make_path({"words": said}), partial(search_messages, words=said, limit=PAGE))])
        for name, said in words.items()
    ]


def list_talks(chosen: Chosen) -> list[Case]:
    def ask(ids: Sequence[UUID]) -> list[Asked]:
        return [Asked(f"/conversations/{id_}", partial(read_thread, conversation_id=id_)) for id_ in ids]

    return [
        Case("conversation: of 400 messages", ask(chosen.long)),
        Case("conversation: usual", ask(chosen.usual)),
        Case("conversation: of who has most of them", ask(chosen.many)),
        Case("conversation: usual, JSON", ask(chosen.usual), JSON),
    ]


def make_path(query: dict[str, str]) -> str:
    return f"/inbox?{urlencode(query)}" if query else "/inbox"


def read_recent(*, box: str, before: str = "", **filters: str) -> Statements:
    async def read(conn: Connection) -> object:
        return await list_recent(
            conn, STATUS[box], before=read_last(before), limit=PAGE, most=MOST_LOOKED_AT, **filters
        )

    return read


async def read_thread(conn: Connection, conversation_id: UUID) -> None:
    """What the page of a conversation reads that grows with it."""
    await find_thread_stamp(conn, conversation_id, viewer=VIEWER)
    thread = await load_thread(conn, conversation_id)
    entries, _ = await list_entries(conn, thread, most=SHOWN)
    told = {entry.turn_id for entry in entries if entry.turn_id}
    await list_steps(conn, [turn.id for turn in await list_turns(conn, conversation_id, only=told)])
    await list_thread_files(conn, {entry.conversation_id for entry in entries})


async def measure_pages(
    report: Report, conn: Connection, port: int, cookie: str, cases: Sequence[Case], *, count: int
) -> None:
    """Each case `count` times alone, in turns with its statements, and as often with AT_ONCE in flight."""
    for case in cases:  # connections of their own: those that rest while another case is measured are closed
        async with open_browser(port, cookie) as browser:
            await measure_alone(report, conn, browser, case, count)
        async with AsyncExitStack() as stack:
            browsers = [await stack.enter_async_context(open_browser(port, cookie)) for _ in range(AT_ONCE)]
            crowded = await ask_at_once(browsers, case, count)
        report.add(case.name, f"p50, {AT_ONCE} at a time", percentile(crowded, 0.5), "ms")
        report.add(case.name, f"p95, {AT_ONCE} at a time", percentile(crowded, 0.95), "ms")


async def measure_alone(report: Report, conn: Connection, browser: Browser, case: Case, count: int) -> None:
    pages: list[float] = []
    statements: list[float] = []
    for _, asked in zip(range(count), cycle(case.asked), strict=False):
        pages.append((await browser.get(asked.path, case.accept))[0])
        began = time.perf_counter()
        await asked.read(conn)
        statements.append((time.perf_counter() - began) * 1000)
    report.compare(
        case.name, "p50, against its statements alone", percentile(pages, 0.5), percentile(statements, 0.5), "ms"
    )
    report.add(case.name, "p95 of the statements alone", percentile(statements, 0.95), "ms")
    report.add(case.name, "p95", percentile(pages, 0.95), "ms", at_most=GOAL_P95_MS)


async def ask_at_once(browsers: Sequence[Browser], case: Case, count: int) -> list[float]:
    """Milliseconds of `count` requests, shared out over the browsers."""
    left = iter([asked.path for _, asked in zip(range(count), cycle(case.asked), strict=False)])

    async def ask(browser: Browser) -> list[float]:
        return [(await browser.get(path, case.accept))[0] for path in left]

    return [took for each in await asyncio.gather(*map(ask, browsers)) for took in each]
