"""A ticket as its customer and the team see it: as JSON, as a page, and in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, get_args
from urllib.parse import quote, urlencode

from starlette.responses import Response

from app.access import is_same, make_token
from app.files import SHOWN
from app.forms import Category, Mood, Reason
from app.problems import FieldError, Problem
from app.rendering import render_page, say_channel, say_time
from app.settings import Settings
from app.state import DeskRequest
from db.attachments import ShownFile, list_ticket_files
from db.examples import Correction, find_correction
from db.pool import acquire
from db.tickets import Ticket, TicketMessage, find_ticket, find_ticket_stamp, list_ticket_messages


@dataclass(frozen=True, slots=True)
class TicketView:
    """All that is shown of a ticket. `stamp` was taken first, so a later change is never missed."""

    ticket: Ticket
    messages: list[TicketMessage]
    stamp: str
    files: list[ShownFile]
    """Of all messages, for staff alone."""
    correction: Correction | None = None
    """What somebody said it should have been taken for; for staff alone."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the customer is typing, when it could not be taken."""

    text: str = ""
    errors: list[FieldError] = field(default_factory=list)
    notice: str = ""


async def load_view(request: DeskRequest) -> TicketView:
    """The ticket named in the path. Raises the same 404 Problem as a wrong token."""
    reference = request.path_params["reference"]
    async with acquire(request.state["pool"]) as conn:
        stamp = await find_ticket_stamp(conn, reference)
        ticket = await find_ticket(conn, reference)
        if ticket is None or stamp is None:
            raise Problem(404)
        messages = await list_ticket_messages(conn, reference)
        if holds_link(request):
            return TicketView(ticket, messages, stamp, [])
        files, correction = await list_ticket_files(conn, reference), await find_correction(conn, reference)
        return TicketView(ticket, messages, stamp, files, correction)


def ticket_path(settings: Settings, reference: str) -> str:
    """Where the ticket's customer finds it; the path with its key."""
    return f"/support/ticket/{reference}?{urlencode({'token': make_token(settings, reference)})}"


def holds_link(request: DeskRequest) -> bool:
    """Whether the visitor is the customer, who comes with the token; without one only staff get past the guard."""
    token = make_token(request.state["settings"], request.path_params["reference"])
    return is_same(request.query_params.get("token", ""), token)


def own_path(request: DeskRequest, below: str = "") -> str:
    """The ticket's path as this visitor opened it: with a token, or as staff without."""
    token = request.query_params.get("token")
    query = "?" + urlencode({"token": token}) if token else ""
    return f"/support/ticket/{request.path_params['reference']}{below}{query}"


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


def show_citation(cited: Mapping[str, Any], base: str) -> dict[str, Any]:
    """{title, url, passage, version}: the url is the article's public page in the version that was cited."""
    url = f"{base}/help/{quote(cited['slug'])}?version={cited.get('version')}" if cited.get("slug") else None
    return {"title": cited.get("title"), "url": url, "passage": cited.get("passage"), "version": cited.get("version")}


def list_sources(message: TicketMessage) -> list[dict[str, Any]]:
    """What an answer stands on, each article once, with links within this site."""
    cited = [show_citation(citation, "") for citation in message.citations]
    return list({source["url"] or source["title"]: source for source in cited}.values())


def show_file(file: ShownFile) -> dict[str, Any]:
    """{url, is_picture, name, note}: a file in words; without a url where there is nothing to give out."""
    kind = FILE_WORDS.get(file.type.partition("/")[0], "File")
    size = "" if file.size is None else f", {max(1, file.size // 1000):,} kB"
    note = f"could not be fetched: {file.error}" if file.error else "" if file.is_kept else "no longer kept"
    return {
        "url": f"/attachments/{file.id}" if file.is_kept else None,
        "is_picture": file.is_kept and file.type in SHOWN,
        "name": f"{kind} ({file.type}{size})",
        "note": note,
    }


def show_page(request: DeskRequest, view: TicketView, reply: Reply, new_id: str, *, status: int = 200) -> Response:
    """The ticket's page; with `reply` when what was typed could not be taken."""
    ticket, is_customer = view.ticket, holds_link(request)
    context = {
        "ticket": ticket,
        "messages": view.messages,
        "stamp": view.stamp,
        "standing": (describe if is_customer else describe_for_staff)(ticket, view.messages),
        "heading": ticket.subject or ("Your message" if is_customer else f"{say_channel(ticket.channel)} conversation"),
        "facts": {} if is_customer else list_facts(ticket, request.state["settings"]),
        "list_sources": list_sources,
        "list_files": lambda message: [show_file(file) for file in view.files if file.message_id == message.id],
        "reply": reply,
        "submission_id": new_id,
        "is_customer": is_customer,
        "own_path": own_path(request),
        "events_path": own_path(request, "/events"),
        "messages_path": own_path(request, "/messages"),
        "take_over_path": own_path(request, "/take-over"),
        "hand_back_path": own_path(request, "/hand-back"),
        "settle_path": own_path(request, "/settle"),
        "correction_path": own_path(request, "/correction"),
        "choices": {} if is_customer else list_choices(ticket, view.correction),
        "say_delivery": say_delivery,
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


def describe_for_staff(ticket: Ticket, messages: list[TicketMessage]) -> str:
    """Where the ticket stands, in words for the team."""
    if ticket.status == "resolved":
        return "Resolved."
    if not ticket.is_waiting and ticket.suppressed_why is not None:
        return "The customer wants no more messages here, and waits for nothing."
    if not ticket.is_waiting:
        return "Answered: the customer waits for nothing."
    if any(message.delivery in UNDER_WAY for message in messages[-1:]):
        return "An answer is on its way to the customer."
    if ticket.handler == "human":
        owner = ticket.assignee or ticket.team or "a person, and nobody owns it"
        return f"The customer waits for {owner}{say_due(ticket.person_due_at)}."
    return f"The customer waits for the assistant{say_due(ticket.first_response_due_at)}."


def say_due(due: datetime | None) -> str:
    if due is None:
        return ", and no time is set"
    return f", by {say_time(due)}" + (": that time is over" if due < datetime.now(UTC) else "")


def list_facts(ticket: Ticket, settings: Settings) -> dict[str, list[str]]:
    """What the team must know before they answer, by its name. Several texts may run in several directions."""
    facts = {
        "Channel": say_channel(ticket.channel),
        "Plan": ticket.plan or "not known",
        "Category": say_code(ticket.category),
        "Priority": f"{ticket.priority} of 10" + (f": {say_code(ticket.priority_why)}" if ticket.priority_why else ""),
        "Team": ", ".join(filter(None, (ticket.team, ticket.assignee))),
        "Reason": say_code(ticket.escalation_reason or ""),
        "Note": ticket.handoff_note or "",
        "Reachable": say_reach(ticket, has_template=settings.twilio_template_sid is not None),
    }
    customer = {"Customer": [ticket.customer or "no name given", *ticket.addresses]}
    return customer | {name: [text] for name, text in facts.items() if text}


TEMPLATE = "the approved template, which takes one short text on one line"
NO_TEMPLATE = "later WhatsApp takes nothing but an approved template, and TWILIO_TEMPLATE_SID is not set"


def say_reach(ticket: Ticket, *, has_template: bool) -> str:
    """Whether what is typed here reaches them; nothing where it always does."""
    if ticket.suppressed_why is not None:
        return f"not here ({ticket.suppressed_why}). They lift that by writing START"
    if ticket.free_until is None:
        return ""
    until = say_time(ticket.free_until)
    if ticket.free_until < datetime.now(UTC):
        return f"since {until} only by {TEMPLATE}" if has_template else f"not here since {until}: {NO_TEMPLATE}"
    return f"freely until {until}, then only by {TEMPLATE}" if has_template else f"only until {until}: {NO_TEMPLATE}"


@dataclass(frozen=True, slots=True)
class Choice:
    """A list to choose from: its name in the form, its label, the values, and the one the assistant chose."""

    label: str
    values: tuple[str, ...]
    chosen: str


def list_choices(ticket: Ticket, said: Correction | None) -> dict[str, Choice]:
    """What somebody may correct, by the field's name: as it was corrected before, else as the assistant judged."""
    reasons = get_args(Reason)
    named = [*said.reasons, "none"][0] if said is not None else ticket.escalation_reason
    mood = said.sentiment if said is not None else name_mood(ticket.sentiment)
    return {
        "category": Choice("Queue", get_args(Category), ticket.category),
        "reason": Choice("Needs a person because of", reasons, next((one for one in reasons if one == named), "none")),
        "sentiment": Choice("Mood", get_args(Mood), mood),
    }


def name_mood(score: float | None) -> str:
    if score is None or -0.2 < score < 0.3:
        return "neutral"
    return "positive" if score > 0 else "angry" if score <= -0.6 else "negative"


def say_code(code: str) -> str:
    """A word of the database as people write it: billing_dispute is billing dispute."""
    return code.replace("_", " ")


FILE_WORDS = {"image": "Image", "audio": "Voice message", "video": "Video"}
UNDER_WAY = ("pending", "sending", "unknown")
DELIVERY_WORDS = {
    "pending": "waiting to be sent",
    "sending": "being sent",
    "unknown": "nobody knows yet whether it was sent",
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "failed": "could not be delivered",
}


def say_delivery(message: TicketMessage) -> str:
    """How far a message got on its way to the customer, in words; empty for what they wrote."""
    words = DELIVERY_WORDS.get(message.delivery or "", "")
    return f"{words}, perhaps twice" if message.possible_duplicate else words


def promise(due: datetime | None, what: str) -> str:
    if due is None:
        return f"{what} as soon as we can."
    if due < datetime.now(UTC):
        return "It takes longer than we promised, and we are sorry for that. You have not been forgotten."
    return f"{what} by {say_time(due)} at the latest."
