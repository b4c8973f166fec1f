"""The list of the team: who waits, and what was said anywhere."""

import time
from collections.abc import Hashable, Mapping
from datetime import datetime
from uuid import UUID

from starlette.responses import Response

from app.access import load_actor, staff
from app.inbox import BOXES, RECENT, Filters, Reading, choose, count
from app.live import stream_changes
from app.rendering import JsonResponse, prefers_html, render_page, render_part
from app.state import DeskRequest
from app.thread_words import describe_line
from app.wakeup import ALL
from db.inbox import MOST_LOOKED_AT, Last, Line, Status, list_recent, search_messages
from db.pool import acquire

PAGE = 50  # conversations
BEFORE_ALL = UUID(int=0)
"""Comes before every conversation that changed in the same moment."""
STATUS: dict[str, Status | None] = {"waiting": "waiting", "resolved": "resolved", "all": None}


async def show_inbox(request: DeskRequest) -> Response:
    """GET /inbox: the list as a page, or {stamp, counts, lines, is_cut} as JSON; is_cut: not all were looked at."""
    filters, me = Filters.read(request.query_params), load_actor(request).name
    reader, is_waiting = request.state["inbox"], not filters.words and filters.box in BOXES
    reading = await (reader.read() if is_waiting else reader.read_lately())
    lines, is_cut = await find_lines(request, filters, reading, me)
    counts = count(reading.lines, filters, me)
    if not prefers_html(request):
        body = {"stamp": reading.stamp, "counts": counts, "lines": lines, "is_cut": is_cut}
        return JsonResponse(body, headers={"Vary": "Accept"})

    def rows() -> str:
        described = [(line, describe_line(line)) for line in lines]
        return render_part("inbox_lines.html", {"filters": filters, "lines": described})

    context = {
        "filters": filters,
        "boxes": {name: box.label for name, box in BOXES.items()} | RECENT,
        "counts": counts,
        "lines": reading.make(make_key(filters, me, counts), rows) if is_waiting else rows(),
        "older": filters.path(before=write_last(lines[-1])) if has_older(filters, lines) else None,
        "is_cut": is_cut,
        "looked_at": len(reading.lines) if filters.box in BOXES else MOST_LOOKED_AT,
        "choices": list_choices(reading, filters),
        "stamp": reading.stamp,
    }
    return render_page(request, "inbox.html", context)


def make_key(filters: Filters, me: str, counts: Mapping[str, int]) -> Hashable:
    """What decides about the rows beside the reading: times are said by the minute, and who is put aside wakes."""
    return filters, me if filters.box == "mine" else "", int(time.time() // 60), *counts.values()


async def find_lines(request: DeskRequest, filters: Filters, reading: Reading, me: str) -> tuple[list[Line], bool]:
    """Those who wait, of the reading; others by when they changed, or by what was said. And whether it was cut."""
    if not filters.words and filters.box in BOXES:
        return choose(reading.lines, filters, me), reading.is_cut
    async with acquire(request.state["pool"]) as conn:
        if filters.words:
            found = await search_messages(conn, filters.words, limit=PAGE)
            return [line for line in found if filters.admits(line)], False
        before = read_last(request.query_params.get("before", ""))
        return await list_recent(
            conn,
            STATUS[filters.box],
            channel=filters.channel,
            category=filters.category,
            language=filters.language,
            before=before,
            limit=PAGE,
        )


def has_older(filters: Filters, lines: list[Line]) -> bool:
    """Whether older ones may follow."""
    return not filters.words and filters.box in RECENT and len(lines) == PAGE


def write_last(line: Line) -> str:
    """After which line the older ones begin, for an address."""
    return f"{line.updated_at.isoformat()},{line.conversation_id}"


def read_last(text: str) -> Last | None:
    """What write_last made, or a moment with its zone alone; None for anything else."""
    moment, _, last = text.partition(",")
    try:
        found = datetime.fromisoformat(moment), UUID(last) if last else BEFORE_ALL
    except ValueError:
        return None
    return found if found[0].tzinfo else None


def list_choices(reading: Reading, filters: Filters) -> dict[str, list[str]]:
    """What the list can be narrowed down to: what those who wait have, and what is chosen."""
    found: dict[str, list[str]] = {}
    for name in ("channel", "category", "language"):
        values = {getattr(line, name) for line in reading.lines} | {getattr(filters, name)}
        found[name] = sorted(value for value in values if value)
    return found


async def stream_inbox(request: DeskRequest) -> Response:
    """GET /inbox/events: a change of anyone who waits."""
    reader = request.state["inbox"]

    async def read() -> str | None:
        return (await reader.read()).stamp

    return await stream_changes(request, ALL, read)


ROUTES = [staff("/inbox", show_inbox), staff("/inbox/events", stream_inbox)]
