"""The hours the team works in, what it promises by them, and who gets what is handed over: for managers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from starlette.responses import RedirectResponse, Response

from app.access import load_actor, staff
from app.bodies import Fields, read_fields
from app.forms import Category, InvalidInput, check
from app.hours_forms import (
    WEEKDAYS,
    CalendarForm,
    CalendarKey,
    RouteForm,
    RouteKey,
    TargetForm,
    TargetKey,
    WarningForm,
    gather_typed,
    show_calendar,
    show_route,
    show_target,
)
from app.problems import FieldError, Problem
from app.rendering import JsonResponse, prefers_html, render_page
from app.state import DeskRequest
from db import hours
from db.hours import Hours
from db.people import Actor, list_people
from db.pool import Connection, acquire

MISTAKES = {
    "unknown_zone": FieldError("timezone", "Please give a time zone such as Europe/Berlin or UTC."),
    "unknown_calendar": FieldError("calendar", "Please choose a calendar that exists."),
    "unknown_plan": FieldError("plan", "Please choose a plan that exists."),
    "unknown_person": FieldError("assignee", "Please choose somebody of the team, by e-mail, or nobody."),
    "in_use": FieldError("name", "A target or a route counts by this calendar. Give it another one first."),
    "needed": FieldError("category", "The route of general stays: it is the way out for all others."),
}
Change = Callable[[Connection, Mapping[str, Any], Actor], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Typed:
    """What could not be taken, where it was typed and why."""

    place: str = ""
    values: Mapping[str, str] | None = None
    errors: tuple[FieldError, ...] = ()


async def show_hours(request: DeskRequest) -> Response:
    """GET /hours: JSON, or the page."""
    return await show(request, Typed())


async def show(request: DeskRequest, typed: Typed) -> Response:
    async with acquire(request.state["pool"]) as conn:
        known = await hours.load_hours(conn)
        team = [person.email for person in await list_people(conn) if person.is_active]
    if not prefers_html(request):
        return JsonResponse(describe(known), headers={"Vary": "Accept"})
    context = {
        "kinds": lay_out(known, typed),
        "calendars": [calendar.name for calendar in known.calendars],
        "categories": get_args(Category),
        "plans": known.plans,
        "weekdays": WEEKDAYS,
        "team": team,
        "percent": round(100 * known.warn_below),
        "errors": typed.errors,
        "here": "/hours",
    }
    return render_page(request, "hours.html", context, status=422 if typed.errors else 200)


def describe(known: Hours) -> dict[str, Any]:
    """As the forms take it."""
    return {
        "calendars": [show_calendar(one) for one in known.calendars],
        "targets": [show_target(one) for one in known.targets],
        "routes": [show_route(one) for one in known.routes],
        "percent": round(100 * known.warn_below),
    }


def lay_out(known: Hours, typed: Typed) -> dict[str, list[dict[str, str]]]:
    """By kind the values of each form, those of a new one last; where something was typed that, `mistaken`."""
    kinds: dict[str, list[dict[str, str]]] = {
        "calendars": [show_calendar(one) for one in known.calendars],
        "targets": [show_target(one) for one in known.targets],
        "routes": [show_route(one) for one in known.routes],
    }
    for kind, forms in kinds.items():
        forms.append({})
        places = [name_place(kind, form) for form in forms]
        if typed.values is not None and typed.place.startswith(f"{kind}:"):
            place = places.index(typed.place) if typed.place in places else len(forms) - 1
            forms[place] = {**forms[place], **typed.values, "mistaken": "yes"}
    return kinds


def name_place(kind: str, values: Mapping[str, Any]) -> str:
    """Which form it is: by what names its row."""
    names = {"calendars": ("name",), "targets": ("category", "plan"), "routes": ("category",)}.get(kind, ())
    return f"{kind}:" + ":".join(str(values.get(name, "-") or "") for name in names)


async def keep(request: DeskRequest) -> Response:
    """POST /hours/{kind}: a calendar, a target, a route (each in place of the one it names) or the warning."""
    return await change(request, KEEP)


async def drop(request: DeskRequest) -> Response:
    """POST /hours/{kind}/remove."""
    return await change(request, DROP)


async def change(request: DeskRequest, changes: Mapping[str, Change]) -> Response:
    """Do it, and back to the page. Raises Problem: 404 for none of that name, 422 for programs."""
    kind = request.path_params["kind"]
    if kind not in changes:
        raise Problem(404)
    fields = await read_fields(request)
    try:
        async with acquire(request.state["pool"]) as conn:
            outcome = await changes[kind](conn, fields.values, load_actor(request))
    except InvalidInput as error:
        return await refuse(request, fields, kind, tuple(error.errors))
    if outcome == "missing":
        raise Problem(404)
    if outcome in MISTAKES:
        return await refuse(request, fields, kind, (MISTAKES[outcome],))
    return RedirectResponse("/hours", 303) if fields.is_form else JsonResponse({"outcome": outcome})


async def refuse(request: DeskRequest, fields: Fields, kind: str, errors: tuple[FieldError, ...]) -> Response:
    """The page with what was typed and what is wrong with it."""
    if not (fields.is_form and prefers_html(request)):
        raise Problem(422, errors=list(errors))
    return await show(request, Typed(name_place(kind, fields.values), gather_typed(fields.values), errors))


async def keep_calendar(conn: Connection, values: Mapping[str, Any], who: Actor) -> str:
    return await hours.keep_calendar(conn, check(CalendarForm, values).make(), who)


async def keep_target(conn: Connection, values: Mapping[str, Any], who: Actor) -> str:
    return await hours.keep_target(conn, check(TargetForm, values).make(), who)


async def keep_route(conn: Connection, values: Mapping[str, Any], who: Actor) -> str:
    return await hours.keep_route(conn, check(RouteForm, values).make(), who)


async def keep_warning(conn: Connection, values: Mapping[str, Any], who: Actor) -> str:
    await hours.keep_warning(conn, check(WarningForm, values).percent / 100, who)
    return "accepted"


async def drop_calendar(conn: Connection, values: Mapping[str, Any], who: Actor) -> str:
    return await hours.drop_calendar(conn, check(CalendarKey, values).name, who)


async def drop_target(conn: Connection, values: Mapping[str, Any], who: Actor) -> str:
    key = check(TargetKey, values)
    return await hours.drop_target(conn, key.category, key.plan, who)


async def drop_route(conn: Connection, values: Mapping[str, Any], who: Actor) -> str:
    return await hours.drop_route(conn, check(RouteKey, values).category, who)


KEEP: Mapping[str, Change] = {
    "calendars": keep_calendar,
    "targets": keep_target,
    "routes": keep_route,
    "warning": keep_warning,
}
DROP: Mapping[str, Change] = {"calendars": drop_calendar, "targets": drop_target, "routes": drop_route}

ROUTES = [
    staff("/hours", show_hours, role="manager"),
    staff("/hours/{kind}", keep, ("POST",), role="manager"),
    staff("/hours/{kind}/remove", drop, ("POST",), role="manager"),
]
