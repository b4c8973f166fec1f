"""A ticket as its customer sees it: as JSON, as a page, and in words."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from app.access import is_same, load_actor, make_token
from app.customer_words import FALLBACK, say, say_marks
from app.feedback_link import make_feedback_path
from app.problems import FieldError, Problem
from app.rendering import render_page, say_channel, say_time
from app.settings import Settings
from app.shown import list_sources, show_citation
from app.state import DeskRequest
from db.audit import note_view
from db.csat import Question, find_ticket_question
from db.pool import acquire
from db.tickets import Ticket, TicketMessage, find_ticket, find_ticket_stamp, list_ticket_messages


@dataclass(frozen=True, slots=True)
class TicketView:
    """All that is shown of a ticket. `stamp` was taken first, so a later change is never missed."""

    ticket: Ticket
    messages: list[TicketMessage]
    stamp: str
    question: Question | None = None
    """Whether they were content; None: they were not asked."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the customer is typing, when it could not be taken."""

    text: str = ""
    errors: list[FieldError] = field(default_factory=list)
    notice: str = ""


async def load_view(request: DeskRequest) -> TicketView:
    """The ticket named in the path, noting who of the team looks. Raises the same 404 Problem as a wrong token."""
    reference = request.path_params["reference"]
    async with acquire(request.state["pool"]) as conn:
        stamp = await find_ticket_stamp(conn, reference)
        ticket = await find_ticket(conn, reference)
        if ticket is None or stamp is None:
            raise Problem(404)
        if not holds_link(request):
            await note_view(conn, load_actor(request), f"conversation:{ticket.conversation_id}")
        question = await find_ticket_question(conn, reference)
        return TicketView(ticket, await list_ticket_messages(conn, reference), stamp, question)


def ticket_path(settings: Settings, reference: str) -> str:
    """Where the ticket's customer finds it; the path with its key."""
    return f"/support/ticket/{reference}?{urlencode({'token': make_token(settings, reference)})}"


def holds_link(request: DeskRequest) -> bool:
    """Whether the visitor is the customer, who comes with the token; without one only staff get past the guard."""
    token = make_token(request.state["settings"], request.path_params["reference"])
    return is_same(request.query_params.get("token", ""), token)


def own_path(request: DeskRequest, below: str = "") -> str:
    """The ticket's path as its customer opened it."""
    query = urlencode({"token": request.query_params.get("token", "")})
    return f"/support/ticket/{request.path_params['reference']}{below}?{query}"


def show_json(settings: Settings, view: TicketView) -> dict[str, Any]:
    """The ticket as GET /support/ticket/{reference} promises it."""
    ticket = view.ticket
    return {
        "ticket": ticket.reference,
        "status": ticket.status,
        "category": ticket.category,
        "priority": ticket.priority,
        "created_at": ticket.created_at,
        "first_response_due_at": ticket.first_response_due_at,
        "person_due_at": ticket.person_due_at,
        "messages": [
            {
                "id": message.id,
                "direction": message.direction,
                "author": message.author,
                "text": message.text,
                "citations": [show_citation(cited, settings.public_base_url) for cited in message.citations],
                "sent_at": message.sent_at,
                "delivery": message.delivery,
                "possible_duplicate": message.possible_duplicate,
            }
            for message in view.messages
        ],
    }


def show_page(request: DeskRequest, view: TicketView, reply: Reply, new_id: str, *, status: int = 200) -> Response:
    """The ticket's page; with `reply` when what was typed could not be taken."""
    ticket = view.ticket
    context = {
        "ticket": ticket,
        "messages": view.messages,
        "stamp": view.stamp,
        "standing": describe(ticket, view.messages),
        "heading": ticket.subject or f"{say_channel(ticket.channel)} conversation",
        "list_sources": list_sources,
        "reply": reply,
        "question": view.question if view.question and view.question.is_open else None,
        "marks": say_marks(FALLBACK),  # as the page
        "feedback_question": say("question", FALLBACK),
        "feedback_path": make_feedback_path(request.state["settings"], view.question.id) if view.question else "",
        "submission_id": new_id,
        "own_path": own_path(request),
        "events_path": own_path(request, "/events"),
        "messages_path": own_path(request, "/messages"),
    }
    return render_page(request, "ticket.html", context, status=status)


def describe(ticket: Ticket, messages: list[TicketMessage]) -> str:
    """Where the ticket stands, in words for its customer."""
    has_answer = any(message.direction == "outbound" for message in messages)
    match ticket.status:
        case "escalated":
            return f"A colleague takes over. {promise(ticket.person_due_at, 'You will hear from a person')}"
        case "resolved":
            return "This is resolved. If it is not, write below and we go on."
        case "answered" if not ticket.is_waiting:
            return "We have answered. Write below if anything is left."
        case _ if has_answer:
            return "We have your message and are working on it."
        case _:
            return f"We have your message. {promise(ticket.first_response_due_at, 'You will have a first answer')}"


def promise(due: datetime | None, what: str) -> str:
    if due is None:
        return f"{what} as soon as we can."
    if due < datetime.now(UTC):
        return "It takes longer than we promised, and we are sorry for that. You have not been forgotten."
    return f"{what} by {say_time(due)} at the latest."
