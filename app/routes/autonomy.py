"""How much the agent may do alone, and the numbers a manager decides that by."""

from typing import get_args

from starlette.responses import RedirectResponse, Response

from app.access import load_actor, staff
from app.bodies import read_fields
from app.forms import Autonomy, Category, InvalidInput, check
from app.problems import Problem
from app.rendering import JsonResponse, prefers_html, render_page
from app.state import DeskRequest
from db.drafts import Evidence, decide_autonomy, list_evidence, list_modes
from db.pool import acquire

MODES = {
    "auto": "answers alone",
    "draft": "writes, a person approves",
    "off": "leaves it to people",
}


async def show_autonomy(request: DeskRequest) -> Response:
    """GET /autonomy: what the agent may do by channel and category, and how it fared."""
    async with acquire(request.state["pool"]) as conn:
        evidence, modes = await list_evidence(conn), await list_modes(conn)
    if not prefers_html(request):
        decided = [
            {"channel": channel, "category": category, "mode": mode} for (channel, category), mode in modes.items()
        ]
        return JsonResponse({"evidence": evidence, "modes": decided}, headers={"Vary": "Accept"})
    by_place = {(one.channel, one.category): one for one in evidence}
    channels = sorted({channel for channel, _ in modes})
    rows: list[tuple[str, str, str, Evidence | None]] = [
        (channel, category, modes.get((channel, category), modes[channel, ""]), by_place.get((channel, category)))
        for channel in channels
        for category in get_args(Category)
    ]
    proposals = [one for one in evidence if one.proposal == "auto"]
    context = {"rows": rows, "modes": MODES, "proposals": proposals, "here": "/autonomy"}
    return render_page(request, "autonomy.html", context)


async def decide(request: DeskRequest) -> Response:
    """POST /autonomy: `mode` (auto, draft, off) of a `category` of a `channel`, from now on."""
    fields = await read_fields(request)
    try:
        form = check(Autonomy, fields.values)
    except InvalidInput as error:
        raise Problem(422, errors=error.errors) from None
    async with acquire(request.state["pool"]) as conn:
        if (form.channel, "") not in await list_modes(conn):
            raise Problem(404)
        found = [
            one for one in await list_evidence(conn) if (one.channel, one.category) == (form.channel, form.category)
        ]
        why = found[0].why if found else "no numbers yet"
        await decide_autonomy(conn, form.channel, form.category, form.mode, why=why, who=load_actor(request))
    if fields.is_form:
        return RedirectResponse("/autonomy", 303)
    return JsonResponse(form.model_dump())


ROUTES = [
    staff("/autonomy", show_autonomy, role="manager"),
    staff("/autonomy", decide, ("POST",), role="manager"),
]
