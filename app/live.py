"""Live updates of a page: server-sent events that say that something changed, never what."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from starlette.responses import Response, StreamingResponse

from app.access import find_actor
from app.problems import Problem
from app.state import DeskRequest
from db.pool import UNAVAILABLE

ReadStamp = Callable[[], Awaitable[str | None]]
"""What the page would show, as a hash; None when it is gone. Raises what the database raises."""

POLL_INTERVAL = 3.0  # seconds; the truth, also when no hint arrives
PING_INTERVAL = 15.0  # seconds; shorter than the patience of any proxy
CHECK_INTERVAL = 30.0  # seconds between two looks whether whoever reads still may
LIFETIME = 600.0  # seconds; the browser then connects again by itself
MAX_STREAMS = 1_000  # per process: a waiting page costs one query per POLL_INTERVAL


async def stream_changes(
    request: DeskRequest, topic: str, read: ReadStamp, *, check_every: float = CHECK_INTERVAL
) -> Response:
    """`event: change` with the page's stamp, at once and at every change, until whoever reads no longer may.

    topic: whose hints wake it, as ReplyHub.subscribe names them. check_every: seconds. Raises Problem: 404, 503 when
    too many are open.
    """
    if request.state["hub"].count >= MAX_STREAMS:
        raise Problem(503, "Too many pages are open. Reload to see what is new.", headers={"Retry-After": "30"})
    stamp = await read()
    if stamp is None:
        raise Problem(404)
    headers = {"X-Accel-Buffering": "no"}
    if request.method == "HEAD":
        return Response(media_type="text/event-stream", headers=headers)
    changes = tell_changes(request, topic, stamp, read, check_every)
    return StreamingResponse(changes, media_type="text/event-stream", headers=headers)


async def tell_changes(
    request: DeskRequest, topic: str, stamp: str, read: ReadStamp, check_every: float
) -> AsyncIterator[str]:
    """The stamp now, then whenever it is another one; a comment when nothing was said for long."""
    hub = request.state["hub"]
    checked = time.monotonic()
    ends = checked + LIFETIME
    async with hub.subscribe(topic) as hint:
        yield f"retry: 2000\nevent: change\ndata: {stamp}\n\n"
        spoke = time.monotonic()
        while not hub.closing.is_set() and time.monotonic() < ends:
            with suppress(TimeoutError):
                await asyncio.wait_for(hint.wait(), POLL_INTERVAL)
            hint.clear()
            if time.monotonic() - checked >= check_every:
                checked = time.monotonic()
                if not await may_read(request):
                    return
            newest = await read_patiently(read) or stamp
            if newest != stamp:
                stamp, spoke = newest, time.monotonic()
                yield f"event: change\ndata: {stamp}\n\n"
            elif time.monotonic() - spoke > PING_INTERVAL:
                spoke = time.monotonic()
                yield ": still here\n\n"


async def may_read(request: DeskRequest) -> bool:
    """Whether whoever of the team reads would still be let in; customers have their link, which does not end."""
    if "actor" not in request.state or request.state["actor"] is None:
        return True
    try:
        return await find_actor(request) is not None
    except UNAVAILABLE:
        return True  # nothing is told either until it can be had


async def read_patiently(read: ReadStamp) -> str | None:
    """None while the database cannot be had: the page waits and learns of it later."""
    try:
        return await read()
    except UNAVAILABLE:
        return None
