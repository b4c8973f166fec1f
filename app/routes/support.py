"""The web form and the ticket page: what customers write, and what they read."""

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import uuid5

from starlette.responses import RedirectResponse, Response

from app.access import load_actor, make_ip_key, public, refuse_cross_site, ticket
from app.bodies import Fields, read_fields
from app.forms import MAX_MESSAGE, FollowUp, Submission
from app.intake import check_fields, check_intake, invalid, make_ticket, new_submission_id
from app.problems import FieldError, Problem, answer
from app.rendering import JsonResponse, prefers_html, render_page
from app.routes.thread import ANSWERS, REFUSALS
from app.routes.ticket_stream import stream_ticket
from app.state import DeskRequest
from app.ticket_page import Reply, holds_link, load_view, own_path, show_json, show_page, ticket_path
from channels.splitting import split_for
from db.handover import add_person_message
from db.pool import UNAVAILABLE, acquire
from db.tickets import (
    Intake,
    NewWebMessage,
    Plan,
    add_web_message,
    find_ticket,
    is_form_open,
    list_plans,
    submit_form,
)

CATEGORIES = {
    "technical": "Something does not work",
    "account": "My account",
    "billing": "Payment and invoices",
    "security": "Security",
    "legal": "Legal and privacy",
    "feedback": "An idea or a wish",
    "general": "Something else",
}
TRY_AGAIN = "We cannot store your message at this moment. It is still here: please send it again in a few seconds."


async def show_form(request: DeskRequest) -> Response:
    """GET /: the web form, or that it is closed."""
    if not await is_open(request):
        return render_page(request, "closed.html", {})
    return await render_form(request, {}, Problem(200))


async def is_open(request: DeskRequest) -> bool:
    """Also while the database cannot be had: what is typed then is kept until it can."""
    try:
        async with acquire(request.state["pool"]) as conn:
            return await is_form_open(conn)
    except UNAVAILABLE:
        return True


async def render_form(request: DeskRequest, values: Mapping[str, Any], problem: Problem) -> Response:
    """The form with what was typed, and beside each field what is wrong with it."""
    context = {
        "values": {name: value for name, value in values.items() if isinstance(value, str)},
        "errors": {error.field: error.message for error in problem.errors},
        "notice": problem.detail,
        "categories": CATEGORIES,
        "plans": await find_plans(request),
        "submission_id": new_submission_id(),
        "max_message": MAX_MESSAGE,
    }
    return render_page(request, "form.html", context, status=problem.status, headers=problem.headers)


async def find_plans(request: DeskRequest) -> list[Plan]:
    """Those to choose from; none while the database cannot be had, so that the form still opens."""
    try:
        async with acquire(request.state["pool"]) as conn:
            return await list_plans(conn)
    except UNAVAILABLE:
        return []


async def submit_ticket(request: DeskRequest) -> Response:
    """POST /support/submit: 202 with the ticket, or for a form a redirect to its page, once it is stored."""
    refuse_cross_site(request)
    fields = await read_fields(request)
    try:
        intake = await store_ticket(request, fields)
    except Problem as problem:
        return await refuse(request, fields, problem)
    except UNAVAILABLE:
        if not wants_page(request, fields):
            raise
        return await refuse(request, fields, Problem(503, TRY_AGAIN, headers={"Retry-After": "2"}))
    settings, reference = request.state["settings"], intake.reference or ""
    path = ticket_path(settings, reference)
    if fields.is_form:
        return RedirectResponse(path, 303)
    body = {
        "ticket": reference,
        "status_url": settings.public_base_url + path,
        "status": "received",
        "sla": {"first_response_due_at": intake.first_response_due_at, "plan": intake.plan},
    }
    return JsonResponse(body, 202, {"Location": path})


def wants_page(request: DeskRequest, fields: Fields) -> bool:
    return fields.is_form and prefers_html(request)


async def refuse(request: DeskRequest, fields: Fields, problem: Problem) -> Response:
    """A mistake: people get their form back with all they typed, programs the problem."""
    if wants_page(request, fields):
        return await render_form(request, fields.values, problem)
    return answer(request, problem)


async def store_ticket(request: DeskRequest, fields: Fields) -> Intake:
    """Check a submission and store it. Raises Problem."""
    form, key = check_fields(Submission, request, fields)
    if fields.is_form and fields.values.get("website"):
        raise invalid([FieldError("website", "Please leave this field empty: it is only there to catch robots.")])
    settings = request.state["settings"]
    new = make_ticket(settings, form, key=key, ip_key=make_ip_key(request))
    async with acquire(request.state["pool"]) as conn:
        intake = await submit_form(conn, new)
    check_intake(intake, key_field="submission_id" if fields.is_form else "Idempotency-Key")
    if intake.outcome == "accepted":
        request.state["waker"].poke()
    return intake


async def show_ticket(request: DeskRequest) -> Response:
    """GET /support/ticket/{reference}: JSON, or the page; the team's page of a ticket is its conversation's."""
    if prefers_html(request) and not holds_link(request):
        return await lead_on(request)
    view = await load_view(request)
    if prefers_html(request):
        return show_page(request, view, Reply(), new_submission_id())
    return JsonResponse(show_json(request.state["settings"], view), headers={"Vary": "Accept"})


async def lead_on(request: DeskRequest) -> Response:
    """To the conversation, which records that it was looked at; nothing is shown here."""
    async with acquire(request.state["pool"]) as conn:
        found = await find_ticket(conn, request.path_params["reference"])
    if found is None:
        raise Problem(404)
    return RedirectResponse(f"/conversations/{found.conversation_id}", 303)


async def add_message(request: DeskRequest) -> Response:
    """POST /support/ticket/{reference}/messages: 202, or for a form a redirect back to the page."""
    fields = await read_fields(request)
    store = store_message if holds_link(request) else store_answer
    try:
        await store(request, fields)
    except Problem as problem:
        if problem.status == 404 or not wants_page(request, fields):
            raise
        text = fields.values.get("message")
        reply = Reply(text if isinstance(text, str) else "", problem.errors, problem.detail)
        response = show_page(request, await load_view(request), reply, new_submission_id(), status=problem.status)
        response.headers.update(problem.headers)
        return response
    if fields.is_form:
        return RedirectResponse(own_path(request), 303)
    return JsonResponse({"ticket": request.path_params["reference"], "status": "received"}, 202)


async def store_message(request: DeskRequest, fields: Fields) -> None:
    """Check what a customer adds and store it. Raises Problem."""
    form, key = check_fields(FollowUp, request, fields)
    settings, reference = request.state["settings"], request.path_params["reference"]
    submission_key = hashlib.sha256(f"{reference}:{key}".encode()).hexdigest()[:40]
    new = NewWebMessage(
        reference=reference,
        message=form.message,
        submission_key=submission_key,
        external_id=f"{submission_key}-{hashlib.sha256(form.message.encode()).hexdigest()[:20]}",
        ip_key=make_ip_key(request),
        quiet_seconds=settings.debounce_seconds_web,
    )
    async with acquire(request.state["pool"]) as conn:
        intake = await add_web_message(conn, new)
    check_intake(intake, key_field="submission_id" if fields.is_form else "Idempotency-Key")
    if intake.outcome == "accepted":
        request.state["waker"].poke(settings.debounce_seconds_web)
        request.state["hub"].wake(reference)


async def store_answer(request: DeskRequest, fields: Fields) -> None:
    """Check what somebody of the team answers, by a program, and store it. Raises Problem."""
    refuse_cross_site(request)
    form, key = check_fields(FollowUp, request, fields)
    reference = request.path_params["reference"]
    async with acquire(request.state["pool"]) as conn:
        found = await find_ticket(conn, reference)
        if found is None:
            raise Problem(404)
        parts = split_for(found.channel, form.message)
        outcome = await add_person_message(
            conn, reference, *parts, idempotency=uuid5(ANSWERS, f"{reference}:{key}"), who=load_actor(request)
        )
    if outcome == "suppressed":
        raise Problem(409, REFUSALS[outcome])
    request.state["hub"].wake(reference)
    request.state["waker"].poke()


ROUTES = [
    public("/", show_form),
    public("/support/submit", submit_ticket, ("POST",)),
    ticket("/support/ticket/{reference}", show_ticket),
    ticket("/support/ticket/{reference}/events", stream_ticket),
    ticket("/support/ticket/{reference}/messages", add_message, ("POST",)),
]
