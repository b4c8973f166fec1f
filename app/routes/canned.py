"""Answers the team gives often."""

from starlette.responses import RedirectResponse, Response

from app.access import load_actor, staff
from app.bodies import Fields, read_fields
from app.forms import Canned, CannedName, InvalidInput, check
from app.problems import FieldError, Problem
from app.rendering import JsonResponse, prefers_html, render_page
from app.state import DeskRequest
from db.canned import drop_canned, keep_canned, list_canned
from db.pool import acquire

REFUSALS = {
    "taken": "There is a canned reply of this name already. Change that one, or choose another name.",
    "gone": "Somebody has removed it, or given it another name. Your text is still here: keep it as a new one.",
}
"""What is told when one was not kept, by the outcome."""


async def show_canned(request: DeskRequest) -> Response:
    """GET /canned: all of them, with a form for each."""
    return await show(request, {}, Problem(200))


async def show(request: DeskRequest, typed: dict[str, str], problem: Problem) -> Response:
    """The page, with what could not be taken."""
    async with acquire(request.state["pool"]) as conn:
        canned = await list_canned(conn)
    if not prefers_html(request):
        return JsonResponse({"canned": canned}, headers={"Vary": "Accept"})
    context = {"canned": canned, "typed": typed, "errors": problem.errors, "here": "/canned"}
    return render_page(request, "canned.html", context, status=problem.status)


async def keep(request: DeskRequest) -> Response:
    """POST /canned: `name` and `message` of a new one, or with `was` of the one that has that name now."""
    fields = await read_fields(request)
    typed = {name: str(value) for name, value in fields.values.items()}
    try:
        form = check(Canned, fields.values)
    except InvalidInput as error:
        return await refuse(request, fields, typed, Problem(422, errors=error.errors))
    async with acquire(request.state["pool"]) as conn:
        outcome = await keep_canned(conn, form.name, form.message, load_actor(request), was=form.was)
    if outcome == "gone":
        del typed["was"]
    if outcome in REFUSALS:
        words = REFUSALS[outcome]
        return await refuse(request, fields, typed, Problem(409, words, [FieldError("name", words)]))
    return RedirectResponse("/canned", 303) if fields.is_form else JsonResponse({"name": form.name})


async def refuse(request: DeskRequest, fields: Fields, typed: dict[str, str], problem: Problem) -> Response:
    """The page with what was typed; for programs the problem."""
    if not (fields.is_form and prefers_html(request)):
        raise problem
    return await show(request, typed, problem)


async def drop(request: DeskRequest) -> Response:
    """POST /canned/remove: the one of this `name`."""
    fields = await read_fields(request)
    try:
        name = check(CannedName, fields.values).name
    except InvalidInput as error:
        raise Problem(422, errors=error.errors) from None
    async with acquire(request.state["pool"]) as conn:
        if not await drop_canned(conn, name, load_actor(request)):
            raise Problem(404)
    return RedirectResponse("/canned", 303) if fields.is_form else JsonResponse({"name": name})


ROUTES = [
    staff("/canned", show_canned),
    staff("/canned", keep, ("POST",)),
    staff("/canned/remove", drop, ("POST",)),
]
