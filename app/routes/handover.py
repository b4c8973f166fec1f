"""A person of the team takes a conversation from the agent, gives it back, or settles it elsewhere."""

from collections.abc import Awaitable, Callable

from starlette.responses import RedirectResponse, Response

from app.access import refuse_cross_site, staff
from app.intake import new_submission_id
from app.problems import Problem
from app.rendering import JsonResponse, prefers_html
from app.state import DeskRequest
from app.ticket_page import Reply, load_view, own_path, show_page
from db.pool import Connection, acquire
from db.tickets import hand_back, settle_elsewhere, take_over

OWED = "The customer's last message has no answer yet. Answer it first."


async def take(request: DeskRequest) -> Response:
    """POST /support/ticket/{reference}/take-over: the agent says nothing more in this conversation."""
    return await change_handler(request, take_over)


async def give(request: DeskRequest) -> Response:
    """POST /support/ticket/{reference}/hand-back: 409 as long as the customer is owed an answer.

    A browser gets the ticket's page with that said on it: the button it pressed was drawn before the customer wrote.
    """
    return await change_handler(request, hand_back)


async def settle(request: DeskRequest) -> Response:
    """POST /support/ticket/{reference}/settle: nothing more is owed here; what they write next is the agent's."""
    return await change_handler(request, settle_elsewhere)


async def change_handler(request: DeskRequest, change: Callable[[Connection, str], Awaitable[str]]) -> Response:
    refuse_cross_site(request)
    reference = request.path_params["reference"]
    async with acquire(request.state["pool"]) as conn:
        outcome = await change(conn, reference)
    if outcome == "missing":
        raise Problem(404)
    if outcome == "waiting" and prefers_html(request):
        return show_page(request, await load_view(request), Reply(notice=OWED), new_submission_id(), status=409)
    if outcome == "waiting":
        raise Problem(409, OWED)
    request.state["hub"].wake(reference)
    if prefers_html(request):
        return RedirectResponse(own_path(request), 303)
    return JsonResponse({"ticket": reference, "handler": "human" if change is take_over else "agent"})


ROUTES = [
    staff("/support/ticket/{reference}/take-over", take, ("POST",)),
    staff("/support/ticket/{reference}/hand-back", give, ("POST",)),
    staff("/support/ticket/{reference}/settle", settle, ("POST",)),
]
