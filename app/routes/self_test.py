"""A message through the whole desk and back, to see that it works. It leaves nothing behind."""

import asyncio
import secrets
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from app.access import staff
from app.bodies import read_fields
from app.forms import InvalidInput, SelfTest, Submission, check
from app.intake import check_intake, invalid, make_ticket
from app.rendering import JsonResponse
from app.state import DeskRequest
from db.pool import Pool, acquire
from db.self_tests import TestReply, find_test_reply, list_stale_tests, remove_test, remove_test_quotas
from db.tickets import submit_form

POLL_INTERVAL = 0.25  # seconds; a hint usually comes first
STALE_AFTER = timedelta(minutes=10)


async def run_self_test(request: DeskRequest) -> Response:
    """POST /test/queue: `ok` when a reply came within `timeout_seconds`."""
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    try:
        wish = check(SelfTest, (await read_fields(request)).values if has_body else {})
    except InvalidInput as error:
        raise invalid(error.errors) from None
    return JsonResponse(await try_queue(request, wish))


async def try_queue(request: DeskRequest, wish: SelfTest) -> dict[str, Any]:
    """Send a message as a customer nobody knows, wait for the reply, and remove every trace."""
    pool, mark, started = request.state["pool"], secrets.token_hex(12), time.perf_counter()
    person = Submission(
        name="Queue test", email=f"queue-test-{mark}@example.com", subject="Queue test", message=wish.message
    )
    new = make_ticket(request.state["settings"], person, key=mark, ip_key=mark, is_test=True)
    reference: str | None = None
    try:
        async with acquire(pool) as conn:
            intake = await submit_form(conn, replace(new, address_key=mark))
        check_intake(intake, key_field="message")
        reference = intake.reference or ""
        request.state["waker"].poke()
        reply = await wait_for_reply(request, reference, wish.timeout_seconds)
    finally:
        await asyncio.shield(clean_up(pool, reference, mark))
    elapsed_ms = (time.perf_counter() - started) * 1000
    return {
        "ok": reply is not None,
        "queue_ms": reply and round(reply.queue_ms, 1),
        "total_ms": round((reply and reply.total_ms) or elapsed_ms, 1),
        "reply": reply and reply.text,
        "detail": None if reply else f"No reply within {wish.timeout_seconds:g} seconds: is a worker running?",
    }


async def wait_for_reply(request: DeskRequest, reference: str, timeout_seconds: float) -> TestReply | None:
    hub, ends = request.state["hub"], time.monotonic() + timeout_seconds
    async with hub.subscribe(reference) as hint:
        while time.monotonic() < ends and not hub.closing.is_set():
            async with acquire(request.state["pool"]) as conn:
                if reply := await find_test_reply(conn, reference):
                    return reply
            try:
                await asyncio.wait_for(hint.wait(), min(POLL_INTERVAL, max(ends - time.monotonic(), 0.01)))
            except TimeoutError:
                continue
            hint.clear()
    return None


async def clean_up(pool: Pool, reference: str | None, mark: str) -> None:
    """Remove this test, and those that a killed process left behind."""
    async with acquire(pool) as conn:
        stale = await list_stale_tests(conn, older_than=STALE_AFTER)
        for name in [*stale, *([reference] if reference else [])]:
            await remove_test(conn, name)
        await remove_test_quotas(conn, mark)


ROUTES = [staff("/test/queue", run_self_test, ("POST",))]
