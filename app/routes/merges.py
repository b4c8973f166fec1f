"""Whether two customers are one person: said, decided and undone on the page of a conversation."""

from uuid import UUID

from starlette.responses import RedirectResponse, Response

from app.access import load_actor, staff
from app.bodies import Fields, parse_id, read_any_fields, read_id
from app.forms import InvalidInput, check
from app.intake import invalid
from app.problems import Problem
from app.rendering import JsonResponse, prefers_html
from app.same_person import MergeProposal
from app.state import DeskRequest
from app.thread_page import Typed, load_view, show_page
from db import merges
from db.pool import acquire
from db.threads import load_thread

REFUSALS = {
    "stranger": "Nobody wrote to us from that address, and there is no such ticket.",
    "nobody": "No message of this customer has been taken up yet: try again in a moment.",
    "same": "That is this customer already.",
    "proposed": "That was proposed already, and waits for somebody to decide.",
    "decided": "Somebody was faster: this is decided. See below what is in force.",
    "outdated": "One of the two is part of somebody else by now. Propose it anew from their conversation.",
    "chained": "This customer was merged with somebody else since. Undo that merge first.",
}
"""What a refused action is told, by its outcome."""
DECISIONS = {"accept": merges.accept_merge, "decline": merges.decline_merge, "undo": merges.undo_merge}


async def propose(request: DeskRequest) -> Response:
    """POST /conversations/{id}/merges: `other`, an address or a ticket's reference, and `reason`. Nothing moves yet."""
    fields, conversation_id = await read_any_fields(request), read_id(request)
    try:
        form = check(MergeProposal, fields.values)
    except InvalidInput as error:
        return await refuse(request, fields, invalid(error.errors))
    async with acquire(request.state["pool"]) as conn:
        told = await merges.propose_merge(conn, conversation_id, form.other, form.reason or "", load_actor(request))
    return await tell(request, fields, told["outcome"], told.get("merge"))


async def decide(request: DeskRequest) -> Response:
    """POST /conversations/{id}/merges/{merge}/{decision}: accept, decline or undo. A machine may not accept."""
    fields, conversation_id = await read_any_fields(request), read_id(request)
    merge_id, do = parse_id(request.path_params["merge"]), DECISIONS.get(request.path_params["decision"])
    if do is None:
        raise Problem(404)
    async with acquire(request.state["pool"]) as conn:
        outcome = await do(conn, conversation_id, merge_id, load_actor(request))
    return await tell(request, fields, outcome, str(merge_id))


async def tell(request: DeskRequest, fields: Fields, outcome: str, merge_id: str | None) -> Response:
    """Back to the page, or {conversation, merge, outcome} for a program. What was refused is told on the page."""
    if outcome == "missing":
        raise Problem(404)
    if outcome == "machine":
        raise Problem(403, "That two customers are one person is for a person to say.")
    if outcome in REFUSALS:
        return await refuse(request, fields, Problem(409, REFUSALS[outcome]))
    conversation_id = read_id(request)
    async with acquire(request.state["pool"]) as conn:
        request.state["hub"].wake((await load_thread(conn, conversation_id)).thread_key)
    if fields.is_form:
        return RedirectResponse(f"/conversations/{conversation_id}#same", 303)
    return JsonResponse({"conversation": conversation_id, "merge": UUID(merge_id), "outcome": outcome})


async def refuse(request: DeskRequest, fields: Fields, problem: Problem) -> Response:
    """People get the page back with what they typed, programs the problem."""
    if not (fields.is_form and prefers_html(request)):
        raise problem
    other, reason = (text if isinstance(text := fields.values.get(name), str) else "" for name in ("other", "reason"))
    told = problem.errors[0].message if problem.errors else problem.detail or problem.title
    return show_page(
        request, await load_view(request), Typed(other=other, reason=reason, notice=told), status=problem.status
    )


ROUTES = [
    staff("/conversations/{id}/merges", propose, ("POST",)),
    staff("/conversations/{id}/merges/{merge}/{decision}", decide, ("POST",)),
]
