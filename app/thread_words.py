"""Conversations in words for the team: what is owed, by when, and how messages fared."""

from dataclasses import dataclass
from datetime import UTC, datetime

from app.rendering import say_time
from db.asked_drafts import DraftRequest
from db.csat import Mark
from db.inbox import Line
from db.threads import Entry, Thread

ANGRY = -0.6
UPSET = -0.2
URGENT = 8
"""Priority from which on it is said in the list."""
UNDER_WAY = ("pending", "sending", "unknown")
DELIVERY_WORDS = {
    "queued": "not read by the assistant yet",
    "pending": "waiting to be sent",
    "sending": "being sent",
    "unknown": "nobody knows yet whether it was sent",
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "failed": "could not be delivered",
    "cancelled": "was not sent",
}


@dataclass(frozen=True, slots=True)
class Sign:
    """A word beside a conversation; the kind is how it looks."""

    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class LineWords:
    """What the list says of a conversation beside its own words."""

    when: str
    signs: list[Sign]


def describe_line(line: Line) -> LineWords:
    """When it is due or was changed, and why it is there."""
    return LineWords(say_when(line), list(list_signs(line)))


def say_when(line: Line) -> str:
    if line.waits_for is None:
        return f"{say_ago(line.updated_at)} ago"
    if line.due_at is None:
        return f"waits for {say_ago(line.updated_at)}, no time is set"
    return f"due {say_distance(line.due_at)}"


def list_signs(line: Line) -> list[Sign]:
    """Why it is there, what is wrong with it, whose it is."""
    signs = [
        Sign("nobody sees to it", "alarm") if line.is_unseen else None,
        Sign("due soon", "alarm") if line.is_warned and not line.is_overdue else None,
        Sign(say_code(line.reason)) if line.reason else None,
        Sign(f"priority {line.priority}", "alarm") if line.priority is not None and line.priority >= URGENT else None,
        Sign("angry", "alarm") if line.sentiment is not None and line.sentiment <= ANGRY else None,
        Sign("upset") if line.sentiment is not None and ANGRY < line.sentiment <= UPSET else None,
        Sign(say_code(line.category)) if line.category and line.category != line.reason else None,
        Sign(WAITS_FOR[line.waits_for]) if line.waits_for in WAITS_FOR else None,
        Sign({"waiting": "answered"}.get(line.status, line.status)) if line.status else None,
        Sign(SUGGESTED[line.draft], "draft") if line.draft else None,
        Sign(line.assignee, "owner") if line.assignee else None,
        Sign(f"put aside until {say_time(asleep)}") if (asleep := line.snoozed_until) and is_later(asleep) else None,
        *(Sign(tag, "tag") for tag in line.tags),
    ]
    return [sign for sign in signs if sign is not None]


SUGGESTED = {
    "agent": "an answer is suggested",
    "asked": "a draft is written",
    "correction": "a correction is suggested",
}
WAITS_FOR = {
    "queue": "waits for the assistant",
    "turn": "the assistant is at it",
    "delivery": "an answer is on its way",
}


def is_later(moment: datetime | None) -> bool:
    return moment is not None and moment > datetime.now(UTC)


def say_ago(moment: datetime) -> str:
    return say_length((datetime.now(UTC) - moment).total_seconds())


def say_distance(moment: datetime) -> str:
    """in 12 min, or 3 h ago."""
    seconds = (moment - datetime.now(UTC)).total_seconds()
    return f"in {say_length(seconds)}" if seconds >= 0 else f"{say_length(-seconds)} ago"


def say_length(seconds: float) -> str:
    """A length of time as people say it, one unit."""
    minutes = max(0.0, seconds) / 60
    if minutes < 90:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days"


def say_code(code: str) -> str:
    """A word of the database as people write it: billing_dispute is billing dispute."""
    return code.replace("_", " ")


def say_delivery(entry: Entry) -> str:
    """How far a message got on its way, in words; empty for what customers wrote and was read."""
    words = DELIVERY_WORDS.get(entry.delivery or "", "")
    return f"{words}, perhaps twice" if entry.possible_duplicate else words


def describe_thread(thread: Thread, entries: list[Entry], *, has_draft: bool) -> str:
    """Where the conversation stands."""
    own = [entry for entry in entries if entry.conversation_id == thread.id and entry.author != "note"]
    if thread.status == "resolved":
        return "Resolved."
    if thread.waiting_since is None and thread.suppressed_why is not None:
        return "The customer wants no more messages here, and waits for nothing."
    if thread.waiting_since is None and not any(entry.delivery == "queued" for entry in own):
        return "Answered: the customer waits for nothing."
    if any(entry.delivery in UNDER_WAY for entry in own[-1:]):
        return "An answer is on its way to the customer."
    if has_draft:
        return f"The customer waits until somebody decides about the suggested answer{say_due(thread.person_due_at)}."
    if thread.handler == "human":
        owner = thread.assignee or thread.team or "a person, and nobody owns it"
        return f"The customer waits for {owner}{say_due(thread.person_due_at)}."
    return f"The customer waits for the assistant{say_due(thread.first_response_due_at)}."


def say_due(due: datetime | None) -> str:
    if due is None:
        return ", and no time is set"
    return f", by {say_time(due)}" + (": that time is over" if due < datetime.now(UTC) else "")


def say_person_due(thread: Thread) -> str:
    """When a person's word is due, and why so soon where not the hours of the team say so."""
    if thread.person_due_at is None:
        return ""
    closes = ", when the chat closes to free text" if thread.person_due_at == thread.free_until else ""
    return say_time(thread.person_due_at) + closes


def say_mark(mark: Mark) -> str:
    """How content they were, with whom, and why."""
    whom = {"agent": "the assistant", "person": "the team"}[mark.about]
    return f"{mark.score} of 5 for {whom}" + (f": {mark.comment}" if mark.comment else "")


TEMPLATE = "the approved template, which takes one short text on one line"
NO_TEMPLATE = "later WhatsApp takes nothing but an approved template, and TWILIO_TEMPLATE_SID is not set"


def say_reach(thread: Thread, *, has_template: bool) -> str:
    """Whether what is typed here reaches them; nothing where it always does."""
    if thread.suppressed_why is not None:
        return f"not here ({thread.suppressed_why}). They lift that by writing START"
    if thread.free_until is None:
        return ""
    until = say_time(thread.free_until)
    if not is_later(thread.free_until):
        return f"since {until} only by {TEMPLATE}" if has_template else f"not here since {until}: {NO_TEMPLATE}"
    left = f"{until}, {say_distance(thread.free_until)}"
    return f"freely until {left}, then only by {TEMPLATE}" if has_template else f"only until {left}: {NO_TEMPLATE}"


def say_asked(asked: DraftRequest | None, *, is_there: bool) -> str:
    """What became of the draft that was asked for last; "" where there is nothing to say."""
    why = (asked and asked.why) or ""
    words = {
        "open": "The assistant is writing a draft.",
        "written": "The draft is in the box. If you had begun to write there, reload to see it." if is_there else "",
        "nothing": f"The assistant has no draft to offer. {why}",
        "failed": f"No draft could be written. {why} Ask again, or answer in your own words.",
        "dropped": "The draft was not kept: something was said or resolved meanwhile. Ask again if you still want one.",
    }
    return " ".join(words[asked.state].split()) if asked else ""
