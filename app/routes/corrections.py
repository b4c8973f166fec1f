"""What the team says a message should have been taken for: the agent learns from it."""

from starlette.responses import RedirectResponse, Response

from app.access import refuse_cross_site, staff
from app.bodies import read_fields
from app.forms import Correction, InvalidInput, check
from app.problems import Problem
from app.rendering import JsonResponse
from app.state import DeskRequest
from app.ticket_page import own_path
from db import examples
from db.pool import acquire

NOTHING_SAID = "No message of the customer has been taken up yet: there is nothing to correct."


async def correct(request: DeskRequest) -> Response:
    """POST /support/ticket/{reference}/correction: queue, mood and reason of the customer's last message."""
    refuse_cross_site(request)
    fields = await read_fields(request)
    reference = request.path_params["reference"]
    try:
        form = check(Correction, fields.values)
    except InvalidInput as error:
        raise Problem(422, errors=error.errors) from None
    reasons = () if form.reason == "none" else (form.reason,)
    async with acquire(request.state["pool"]) as conn:
        correction = examples.Correction(form.category, form.sentiment, reasons)
        outcome = await examples.correct_ticket(conn, reference, correction)
    if outcome == "missing":
        raise Problem(404)
    if outcome == "silent":
        raise Problem(409, NOTHING_SAID)
    request.state["hub"].wake(reference)
    if fields.is_form:
        return RedirectResponse(own_path(request), 303)
    return JsonResponse({"ticket": reference, "status": "learnt"})


ROUTES = [staff("/support/ticket/{reference}/correction", correct, ("POST",))]
