"""Where other programs are told what happens here: for admins."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator
from starlette.responses import RedirectResponse, Response

from app.access import load_actor, staff
from app.bodies import read_fields, read_id
from app.forms import InvalidInput, SentForm, check
from app.problems import FieldError, Problem
from app.rendering import JsonResponse, prefers_html, render_page
from app.state import DeskRequest
from channels.base import Unfetchable
from channels.outgoing import read_target
from db import webhooks
from db.pool import Connection, acquire
from db.webhooks import HAPPENINGS, Happening

SECRET_PREFIX = "whsec_"  # noqa: S105 (how secrets begin, so that scanners of code know them)
WORDS: Mapping[Happening, str] = {
    "person_needed": "a customer needs a person",
    "resolved": "a conversation was resolved",
    "answered_by_person": "a person's answer was sent",
}
OFF = "It is switched off: switch it on first."


def read_events(value: object) -> list[str]:
    """Each once, in our order."""
    given = value if isinstance(value, list) else []
    if not given or any(one not in HAPPENINGS for one in given):
        raise ValueError("Please choose at least one thing it is to be told.")
    return [one for one in HAPPENINGS if one in given]


class NewWebhook(SentForm):
    """A webhook to be."""

    url: str
    events: Annotated[list[Happening], BeforeValidator(read_events)]


async def show_webhooks(request: DeskRequest) -> Response:
    """GET /webhooks: JSON, or the page."""
    return await show(request)


async def add(request: DeskRequest) -> Response:
    """POST /webhooks: the secret, which is shown this once."""
    fields = await read_fields(request)
    try:
        form = check(NewWebhook, gather_events(fields.values))
        url = check_url(request, form.url.strip())
    except InvalidInput as error:
        return await refuse(request, gather_events(fields.values), error.errors)
    secret = SECRET_PREFIX + secrets.token_urlsafe(32)
    async with acquire(request.state["pool"]) as conn:
        added = await webhooks.add_webhook(conn, load_actor(request), url=url, secret=secret, events=form.events)
    made = {"id": added, "url": url, "events": form.events, "secret": secret}
    return await show(request, status=201, added=made) if prefers_html(request) else JsonResponse(made, 201)


async def switch_on(request: DeskRequest) -> Response:
    """POST /webhooks/{id}/on."""
    return await change(request, lambda conn, one: webhooks.switch_webhook(conn, load_actor(request), one, is_on=True))


async def switch_off(request: DeskRequest) -> Response:
    """POST /webhooks/{id}/off: what waits for it is dropped."""
    return await change(request, lambda conn, one: webhooks.switch_webhook(conn, load_actor(request), one, is_on=False))


async def send_test(request: DeskRequest) -> Response:
    """POST /webhooks/{id}/test: a worker tells it a word of kind test."""
    base_url = request.state["settings"].public_base_url
    return await change(
        request, lambda conn, one: webhooks.queue_test(conn, load_actor(request), one, base_url=base_url)
    )


async def remove(request: DeskRequest) -> Response:
    """POST /webhooks/{id}/remove."""
    return await change(request, lambda conn, one: webhooks.remove_webhook(conn, load_actor(request), one))


async def change(request: DeskRequest, act: Callable[[Connection, UUID], Awaitable[str | bool]]) -> Response:
    """Do it, and back to the page. Raises Problem: 404 for none of that id, 409 for a test of one that is off."""
    webhook_id = read_id(request)
    async with acquire(request.state["pool"]) as conn:
        outcome = await act(conn, webhook_id)
    if outcome in (False, "missing"):
        raise Problem(404)
    if outcome == "off" and not prefers_html(request):
        raise Problem(409, OFF)
    if outcome == "off":
        return await show(request, status=409, mistakes=[OFF])
    if outcome == "accepted":
        request.state["waker"].poke()
    return RedirectResponse("/webhooks", 303) if prefers_html(request) else JsonResponse({"status": "changed"})


def gather_events(values: Mapping[str, Any]) -> dict[str, Any]:
    """A page sends each thing as a box of its own."""
    return {"events": [one for one in HAPPENINGS if values.get(one)], **values}


def check_url(request: DeskRequest, url: str) -> str:
    """An address that may be told something. Raises InvalidInput."""
    try:
        read_target(url, request.state["settings"].webhook_test_origin)
    except Unfetchable:
        message = (
            "Please give an address on the open Internet that begins with https:// and names no other port, user or "
            "fragment."
        )
        raise InvalidInput([FieldError("url", message)]) from None
    return url


async def refuse(request: DeskRequest, values: Mapping[str, Any], errors: list[FieldError]) -> Response:
    """The page again with what was typed and what is wrong with it. Raises the 422 Problem for programs."""
    if not prefers_html(request):
        raise Problem(422, errors=errors)
    typed = {"url": str(values.get("url", "")), "events": values["events"]}
    return await show(
        request, status=422, mistakes=[error.message for error in errors], typed=typed,
        is_wrong_url=any(error.field == "url" for error in errors),
    )  # fmt: skip


async def show(request: DeskRequest, *, status: int = 200, **said: Any) -> Response:
    """All of them. said: mistakes with what was typed, or what is shown once: added."""
    async with acquire(request.state["pool"]) as conn:
        listed = await webhooks.list_webhooks(conn)
    if not prefers_html(request):
        return JsonResponse({"webhooks": listed}, status)
    context = {
        "mistakes": [],
        "added": None,
        "webhooks": listed,
        "words": WORDS,
        "typed": {"url": "", "events": HAPPENINGS[:1]},
        "is_wrong_url": False,
    } | said
    return render_page(request, "webhooks.html", context, status=status)


ROUTES = [
    staff("/webhooks", show_webhooks, role="admin"),
    staff("/webhooks", add, ("POST",), role="admin"),
    staff("/webhooks/{id}/on", switch_on, ("POST",), role="admin"),
    staff("/webhooks/{id}/off", switch_off, ("POST",), role="admin"),
    staff("/webhooks/{id}/test", send_test, ("POST",), role="admin"),
    staff("/webhooks/{id}/remove", remove, ("POST",), role="admin"),
]
