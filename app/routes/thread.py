"""What the team does on the page of a conversation: answers, takes, gives back, puts aside, notes, sorts."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Literal
from uuid import UUID, uuid5

from starlette.responses import RedirectResponse, Response

from app.access import load_actor, staff
from app.bodies import Fields, read_any_fields, read_id
from app.forms import (
    Assignment,
    Correction,
    Form,
    InvalidInput,
    Note,
    PersonAnswer,
    Rejection,
    Seen,
    Snooze,
    Sorting,
    Undo,
    check,
)
from app.intake import check_fields, invalid
from app.live import stream_changes
from app.problems import FieldError, Problem
from app.rendering import JsonResponse, prefers_html
from app.state import DeskRequest
from app.thread_page import Typed, load_view, show_page
from channels.splitting import split_for
from db import asked_drafts, drafts, examples, handover
from db.people import Actor
from db.pool import Connection, acquire
from db.threads import Thread, find_thread_stamp, load_thread, note_presence

ANSWERS = UUID("5b3f6c1e-3a53-4f0e-9d55-6a1f0c6f7d11")
"""Namespace of the keys under which the team's answers are sent once."""
HOLD = timedelta(seconds=10)
"""How long an answer written on the page may be taken back."""
MOST_COMPARED = 200
"""Words compared in their order, between what both texts begin and end with: it takes time with their square. Of what
is beyond them only the words themselves count."""
REFUSALS = {
    "suppressed": "They asked us to stop: nothing can be sent to them here until they write START. Nothing was stored.",
    "conflict": "Something was said here in the meantime. Your text is still here: look, then send it.",
    "decided": "Somebody has decided about this draft, or something was said since. Your text is still here.",
    "outdated": "An article it stands on has changed since it was written. Put it right before you send it, or do not "
    "send it. Nothing was sent.",
    "waiting": "The customer's last message has no answer yet. Answer it first.",
    "late": "It is too late to take it back: it is on its way, or with them already.",
    "unknown": "There is nobody of that address on the team.",
    "idle": "Nobody waits here, so there is nothing to put aside.",
    "unread": "No message of the customer has been taken up yet: there is nothing to answer.",
    "silent": "No message of the customer has been taken up yet: there is nothing to correct.",
}
"""What a refused action is told, by its outcome."""

Act = Callable[[Connection, str, Actor], Awaitable[str]]
"""Does something to the conversation of a ticket, by its reference; returns the outcome."""


async def answer(request: DeskRequest) -> Response:
    """POST /conversations/{id}/answer: `message`; with `seen` 409 when more was said than that many messages.

    With `draft`, the one it was made from, `seen` is needed: a draft answers what was said when it was written. Of a
    page's form it may be taken back for ten seconds; a program's goes at once.
    """
    fields = await read_any_fields(request)
    try:
        form, key = check_fields(PersonAnswer, request, fields)
    except Problem as problem:
        return await refuse(request, fields, problem)
    if form.draft and form.seen is None:
        raise Problem(422, errors=[FieldError("seen", "Say how many messages you had before you.")])
    async with acquire(request.state["pool"]) as conn:
        channel = (await load_thread(conn, read_id(request))).channel
        draft = await drafts.find_draft(conn, read_id(request), form.draft) if form.draft else None
    if form.draft and draft is None:
        raise Problem(404)
    hold = HOLD if fields.is_form else timedelta(0)
    parts = split_for(channel, form.message)

    async def send(conn: Connection, reference: str, who: Actor) -> str:
        token = uuid5(ANSWERS, f"{reference}:{key}")
        if draft is None:
            return await handover.add_person_message(
                conn, reference, *parts, idempotency=token, who=who, seen=form.seen, hold=hold
            )
        distance = measure_distance(draft.body, form.message)
        return await drafts.approve_draft(
            conn,
            read_id(request),
            draft.id,
            *parts,
            distance=distance,
            idempotency=token,
            who=who,
            seen=form.seen,
            hold=hold,
        )

    response = await act(request, fields, send)
    request.state["waker"].poke(hold.total_seconds())
    return response


def measure_distance(draft: str, sent: str) -> float:
    """How much of a draft was changed before it was sent: 0 nothing, 1 everything."""
    before, after = draft.split(), sent.split()
    if before == after:
        return 0.0
    start = count_same(before, after)
    end = count_same(before[start:][::-1], after[start:][::-1])
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    compared = SequenceMatcher(None, old[:MOST_COMPARED], new[:MOST_COMPARED], autojunk=False).get_matching_blocks()
    beyond = Counter(old[MOST_COMPARED:]) & Counter(new[MOST_COMPARED:])
    same = start + end + sum(block.size for block in compared) + beyond.total()
    return max(0.001, 1 - 2 * same / (len(before) + len(after)))


def count_same(words: list[str], others: list[str]) -> int:
    """How many words both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(words, others, strict=False)))


async def ask(request: DeskRequest) -> Response:
    """POST /conversations/{id}/ask: the agent writes a draft, which the page shows once it is there."""
    fields = await read_any_fields(request)
    async with acquire(request.state["pool"]) as conn:
        thread = await load_thread(conn, read_id(request))
        outcome = await asked_drafts.ask_for_draft(conn, thread.id, load_actor(request))
    request.state["waker"].poke()
    return await tell(request, fields, thread, outcome)


async def reject(request: DeskRequest) -> Response:
    """POST /conversations/{id}/reject: `draft` is not sent; whoever refused the agent's answer answers instead."""
    fields = await read_any_fields(request)
    draft_id = read_form(Rejection, fields).draft
    return await act(request, fields, lambda conn, _, who: drafts.reject_draft(conn, read_id(request), draft_id, who))


async def undo(request: DeskRequest) -> Response:
    """POST /conversations/{id}/undo: `reply` is not sent; its text is there to be written anew."""
    fields = await read_any_fields(request)
    reply_id = read_form(Undo, fields).reply
    response = await act(request, fields, lambda conn, ref, who: handover.take_back(conn, ref, reply_id, who))
    if response.status_code == 303:
        return RedirectResponse(f"{own_path(request)}?again={reply_id}", 303)
    return response


async def take(request: DeskRequest) -> Response:
    """POST /conversations/{id}/take-over: the agent says nothing more here, and the ticket is yours."""
    return await act(request, await read_any_fields(request), handover.take_over)


async def give(request: DeskRequest) -> Response:
    """POST /conversations/{id}/hand-back: 409 as long as the customer is owed an answer."""
    return await act(request, await read_any_fields(request), handover.hand_back)


async def resolve(request: DeskRequest) -> Response:
    """POST /conversations/{id}/resolve: nothing more is owed here; what they write next is the agent's.

    With `seen` 409 when more was said than that many messages.
    """
    fields = await read_any_fields(request)
    seen = read_form(Seen, fields).seen
    return await act(request, fields, lambda conn, ref, who: handover.settle_elsewhere(conn, ref, who, seen=seen))


async def assign(request: DeskRequest) -> Response:
    """POST /conversations/{id}/assign: `assignee` by e-mail, empty for nobody."""
    fields = await read_any_fields(request)
    assignee = read_form(Assignment, fields).assignee
    return await act(request, fields, lambda conn, ref, who: handover.assign(conn, ref, assignee, who))


async def snooze(request: DeskRequest) -> Response:
    """POST /conversations/{id}/snooze: out of the list for `hours`, 0 for back into it; `seen` as for resolve."""
    fields = await read_any_fields(request)
    form = read_form(Snooze, fields)
    until = datetime.now(UTC) + timedelta(hours=form.hours) if form.hours else None
    return await act(request, fields, lambda conn, ref, who: handover.snooze(conn, ref, until, who, seen=form.seen))


async def sort(request: DeskRequest) -> Response:
    """POST /conversations/{id}/sort: `category`, `priority` 1 to 10, `tags` with commas between them."""
    fields = await read_any_fields(request)
    form = read_form(Sorting, fields)
    return await act(request, fields, lambda conn, ref, who: handover.sort_ticket(
        conn, ref, category=form.category, priority=form.priority, tags=form.tags, who=who))  # fmt: skip


async def note(request: DeskRequest) -> Response:
    """POST /conversations/{id}/note: `message`, for the team alone."""
    fields, conversation_id = await read_any_fields(request), read_id(request)
    try:
        text = read_form(Note, fields).message
    except Problem as problem:
        return await refuse(request, fields, problem, box="note")

    async def keep(conn: Connection, _: str, who: Actor) -> str:
        await handover.add_note(conn, conversation_id, text, who)
        return "accepted"

    return await act(request, fields, keep)


async def correct(request: DeskRequest) -> Response:
    """POST /conversations/{id}/correction: queue, mood and reason of the customer's last message; the agent learns."""
    fields = await read_any_fields(request)
    form = read_form(Correction, fields)
    reasons = () if form.reason == "none" else (form.reason,)
    said = examples.Correction(form.category, form.sentiment, reasons)
    return await act(request, fields, lambda conn, ref, who: examples.correct_ticket(conn, ref, said, who))


async def stream(request: DeskRequest) -> Response:
    """GET /conversations/{id}/events; whoever reads it has the conversation open."""
    conversation_id, me = read_id(request), load_actor(request).name
    async with acquire(request.state["pool"]) as conn:
        topic = (await load_thread(conn, conversation_id)).thread_key

    async def read() -> str | None:
        async with acquire(request.state["pool"]) as conn:
            await note_presence(conn, conversation_id, me)
            return await find_thread_stamp(conn, conversation_id, viewer=me)

    return await stream_changes(request, topic, read)


def read_form(form: type[Form], fields: Fields) -> Form:
    """Raises the 422 Problem."""
    try:
        return check(form, fields.values)
    except InvalidInput as error:
        raise invalid(error.errors) from None


async def act(request: DeskRequest, fields: Fields, do: Act) -> Response:
    """Do it; back to the page, or {conversation, outcome} for a program. What was refused is told on the page."""
    conversation_id, who = read_id(request), load_actor(request)
    async with acquire(request.state["pool"]) as conn:
        thread = await load_thread(conn, conversation_id)
        prefix = request.state["settings"].ticket_prefix
        reference = await handover.find_reference(conn, conversation_id, prefix=prefix)
        outcome = await do(conn, reference or "", who)
    return await tell(request, fields, thread, outcome)


async def tell(request: DeskRequest, fields: Fields, thread: Thread, outcome: str) -> Response:
    """The page again, or {conversation, outcome}; what was refused is told."""
    if outcome == "missing":
        raise Problem(404)
    if outcome in REFUSALS:
        return await refuse(request, fields, Problem(409, REFUSALS[outcome]))
    request.state["hub"].wake(thread.thread_key)
    if fields.is_form:
        return RedirectResponse(own_path(request), 303)
    return JsonResponse({"conversation": thread.id, "outcome": outcome})


async def refuse(
    request: DeskRequest, fields: Fields, problem: Problem, *, box: Literal["text", "note"] = "text"
) -> Response:
    """People get the page back with what they typed in a box of it, programs the problem."""
    if not (fields.is_form and prefers_html(request)):
        raise problem
    text = fields.values.get("message")
    kept = {box: text} if isinstance(text, str) else {}
    typed = Typed(**kept, notice=problem.detail or problem.title, errors=tuple(problem.errors))
    return show_page(request, await load_view(request), typed, status=problem.status)


def own_path(request: DeskRequest) -> str:
    return f"/conversations/{read_id(request)}"


ROUTES = [
    staff("/conversations/{id}/answer", answer, ("POST",)),
    staff("/conversations/{id}/ask", ask, ("POST",)),
    staff("/conversations/{id}/reject", reject, ("POST",)),
    staff("/conversations/{id}/undo", undo, ("POST",)),
    staff("/conversations/{id}/take-over", take, ("POST",)),
    staff("/conversations/{id}/hand-back", give, ("POST",)),
    staff("/conversations/{id}/resolve", resolve, ("POST",)),
    staff("/conversations/{id}/assign", assign, ("POST",)),
    staff("/conversations/{id}/snooze", snooze, ("POST",)),
    staff("/conversations/{id}/sort", sort, ("POST",)),
    staff("/conversations/{id}/note", note, ("POST",)),
    staff("/conversations/{id}/correction", correct, ("POST",)),
    staff("/conversations/{id}/events", stream),
]
