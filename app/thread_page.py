"""The team's page of one conversation."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import get_args
from uuid import UUID

from starlette.responses import Response

from app.access import load_actor
from app.asking import is_by_itself
from app.bodies import read_id
from app.forms import Category, Mood, Reason
from app.intake import new_submission_id
from app.problems import FieldError
from app.rendering import render_page, say_channel, say_time
from app.same_person import SamePerson, load_same_person
from app.shown import list_sources, show_file
from app.state import DeskRequest
from app.thread_words import (
    describe_thread,
    is_later,
    say_asked,
    say_code,
    say_delivery,
    say_mark,
    say_person_due,
    say_reach,
)
from app.why import Reasons, explain_turn
from db.asked_drafts import DraftRequest, find_request
from db.attachments import ShownFile, list_thread_files
from db.audit import note_view
from db.canned import CannedReply, list_canned
from db.conversations import group_steps, list_steps, list_turns
from db.csat import Mark, list_marks
from db.drafts import Draft, list_pending
from db.examples import Correction, find_correction
from db.handover import load_taken_back
from db.people import Person, list_people
from db.pool import acquire
from db.threads import Entry, Thread, find_thread_stamp, list_entries, list_present, load_thread

SNOOZES = {"1": "an hour", "4": "four hours", "24": "a day", "72": "three days", "168": "a week"}
"""Hours to put a conversation aside for."""
PRIORITIES = range(1, 11)
SHOWN, MOST_SHOWN = 100, 6_400
"""Messages on the page at first, and at most."""
COUNT = re.compile(r"[1-9][0-9]{0,4}")


@dataclass(frozen=True, slots=True)
class ThreadView:
    """All that is shown of a conversation. `stamp` was taken first, so a later change is never missed."""

    thread: Thread
    stamp: str
    entries: list[Entry]
    has_earlier: bool
    """Whether more was said than is shown."""
    files: list[ShownFile]
    reasons: Mapping[UUID, Reasons]
    """Of the agent's messages, by turn."""
    correction: Correction | None
    present: list[str]
    team: Mapping[str, Person]
    """Everybody, by e-mail; a ticket can be given to those who are active."""
    canned: list[CannedReply]
    drafts: list[Draft]
    """What waits for somebody's decision."""
    asked: DraftRequest | None
    """The draft that somebody asked for last."""
    marks: list[Mark]
    """How content the customer was, newest first."""
    same: SamePerson
    again: str
    """An answer that was taken back, to be written anew."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody was typing when it could not be taken."""

    text: str | None = None
    """For the customer; None: the form had no box for it, and what was there stays."""
    note: str = ""
    """For the team."""
    other: str = ""
    """Who else the customer is said to be."""
    reason: str = ""
    """Why they are."""
    notice: str = ""
    errors: tuple[FieldError, ...] = ()


async def load_view(request: DeskRequest) -> ThreadView:
    """Raises NotFound."""
    conversation_id, me = read_id(request), load_actor(request).name
    async with acquire(request.state["pool"]) as conn:
        stamp = await find_thread_stamp(conn, conversation_id, viewer=me)
        thread = await load_thread(conn, conversation_id)
        about = f"conversation:{conversation_id}"
        await note_view(conn, load_actor(request), about, is_look=not is_by_itself(request))
        entries, has_earlier = await list_entries(conn, thread, most=read_shown(request))
        told = {entry.turn_id for entry in entries if entry.turn_id and entry.author == "agent"}
        turns = await list_turns(conn, conversation_id, only=told, limit=MOST_SHOWN)
        steps = group_steps(await list_steps(conn, [turn.id for turn in turns]))
        return ThreadView(
            thread=thread,
            stamp=stamp or "",
            entries=entries,
            has_earlier=has_earlier,
            files=await list_thread_files(conn, {entry.conversation_id for entry in entries}),
            reasons={turn.id: explain_turn(turn, steps.get(turn.id, [])) for turn in turns},
            correction=await find_correction(conn, thread.reference) if thread.reference else None,
            present=[who for who in await list_present(conn, conversation_id) if who != me],
            team={person.email: person for person in await list_people(conn)},
            canned=await list_canned(conn),
            drafts=await list_pending(conn, conversation_id),
            asked=await find_request(conn, conversation_id),
            marks=await list_marks(conn, conversation_id),
            same=await load_same_person(conn, thread, entries),
            again=await load_taken_back(conn, conversation_id, read_reply(request)),
        )


def read_shown(request: DeskRequest) -> int:
    """How many messages the address asks for."""
    asked = request.query_params.get("shown", "")
    return min(int(asked), MOST_SHOWN) if COUNT.fullmatch(asked) else SHOWN


def read_reply(request: DeskRequest) -> UUID | None:
    """The reply that the address says was taken back."""
    try:
        return UUID(request.query_params.get("again", ""))
    except ValueError:
        return None


def show_page(request: DeskRequest, view: ThreadView, typed: Typed | None = None, *, status: int = 200) -> Response:
    """The page; with `typed` when that could not be taken."""
    thread, me = view.thread, load_actor(request)
    own, shown = f"/conversations/{thread.id}", read_shown(request)
    draft = view.drafts[0] if view.drafts else None
    context = {
        "thread": thread,
        "heading": thread.subject or f"{say_channel(thread.channel)} conversation",
        "standing": describe_thread(thread, view.entries, has_draft=any(one.source == "agent" for one in view.drafts)),
        "facts": list_facts(thread, has_template=request.state["settings"].twilio_template_sid is not None)
        | ({"Content": [say_mark(mark) for mark in view.marks]} if view.marks else {}),
        "entries": view.entries,
        "earlier": f"{own}?shown={shown * 4}" if view.has_earlier and shown < MOST_SHOWN else None,
        "is_cut": view.has_earlier,
        "list_files": lambda entry: [show_file(file) for file in view.files if file.message_id == entry.id],
        "list_sources": lambda entry: list_sources(entry.citations),
        "say_delivery": say_delivery,
        "reasons": view.reasons,
        "may_take_back": lambda entry: entry.delivery == "pending" and is_later(entry.held_until),
        "present": [name_person(view, who) for who in view.present],
        "name_person": lambda who: name_person(view, who),
        "team": [person for person in view.team.values() if person.is_active],
        "canned": [(one, fill_in(request, one, thread)) for one in view.canned],
        "choices": list_choices(thread, view.correction),
        "same": view.same,
        "categories": get_args(Category),
        "priorities": PRIORITIES,
        "snoozes": SNOOZES,
        "is_asleep": is_later(thread.snoozed_until),
        "draft": draft,
        "asked": say_asked(view.asked, is_there=draft is not None and draft.source == "asked"),
        "is_writing": view.asked is not None and view.asked.state == "open",
        "may_ask": may_ask(view),
        "typed": replace(typed or Typed(), text=view.again or (draft.body if draft else ""))
        if typed is None or typed.text is None
        else typed,
        "own": own,
        "here": own if shown == SHOWN else f"{own}?shown={shown}",
        "me": me,
        "stamp": view.stamp,
        "submission_id": new_submission_id(),
        "now": datetime.now(UTC),
    }
    return render_page(request, "thread.html", context, status=status)


def may_ask(view: ThreadView) -> bool:
    """Whether the assistant could write a draft now, and there is none yet."""
    has_read = any(one.conversation_id == view.thread.id and one.author == "customer" and one.delivery != "queued"
                   for one in view.entries)  # fmt: skip
    is_there = any(one.source != "correction" for one in view.drafts)
    is_open = view.asked is not None and view.asked.state == "open"
    return has_read and not (is_there or is_open or view.thread.suppressed_why is not None)


def name_person(view: ThreadView, who: str | None) -> str:
    """As they call themselves; whoever is no person of the team (a key, the token) as the log has it."""
    if who is None:
        return "The team"
    return view.team[who].name if who in view.team else who


def list_facts(thread: Thread, *, has_template: bool) -> dict[str, list[str]]:
    """What the team must know before they answer, by its name. Several texts may run in several directions."""
    urgency = f"{thread.priority} of 10" + (f": {say_code(thread.priority_why)}" if thread.priority_why else "")
    facts = {
        "Channel": say_channel(thread.channel),
        "Ticket": thread.reference or "none yet",
        "Plan": thread.plan or "not known",
        "Category": say_code(thread.category or ""),
        "Priority": urgency if thread.priority is not None else "",
        "Has it": ", ".join(filter(None, (thread.team, thread.assignee))),
        "Reason": say_code(thread.escalation_reason or ""),
        "Due": say_person_due(thread) if thread.waiting_since else "",
        "Solved by": say_time(thread.resolution_due_at) if thread.resolution_due_at else "",
        "Language": thread.language or "",
        "Reachable": say_reach(thread, has_template=has_template),
        "Note": (thread.handoff_note or "") if thread.handler == "agent" or thread.status == "resolved" else "",
    }
    customer = {"Customer": [thread.customer or "no name given", *thread.addresses]}
    return customer | {name: [text] for name, text in facts.items() if text}


def fill_in(request: DeskRequest, canned: CannedReply, thread: Thread) -> str:
    """A canned reply with its placeholders replaced; one that nothing is known for stays for a person to see."""
    first_name = (thread.customer or "").split(" ")[0]
    known = {"name": first_name, "reference": thread.reference, "company": request.state["settings"].company_name}
    text = canned.body
    for name, value in known.items():
        text = text.replace(f"{{{name}}}", value) if value else text
    return text


@dataclass(frozen=True, slots=True)
class Choice:
    """A list to choose from: its label, the values, and the one that the assistant chose."""

    label: str
    values: tuple[str, ...]
    chosen: str


def list_choices(thread: Thread, said: Correction | None) -> dict[str, Choice]:
    """What somebody may correct, by the field's name: as it was corrected before, else as the assistant judged."""
    reasons = get_args(Reason)
    named = [*said.reasons, "none"][0] if said is not None else thread.escalation_reason
    mood = said.sentiment if said is not None else name_mood(thread.sentiment)
    return {
        "category": Choice("Queue", get_args(Category), thread.category or "general"),
        "reason": Choice("Needs a person because of", reasons, next((one for one in reasons if one == named), "none")),
        "sentiment": Choice("Mood", get_args(Mood), mood),
    }


def name_mood(score: float | None) -> str:
    if score is None or -0.2 < score < 0.3:
        return "neutral"
    return "positive" if score > 0 else "angry" if score <= -0.6 else "negative"
