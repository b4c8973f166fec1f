"""Who is on the team and what gets in beside them: for admins."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import RedirectResponse, Response

from app.access import hash_secret, load_actor, staff
from app.asking import KEY_PREFIX
from app.bodies import read_fields, read_id
from app.forms import InvalidInput, check
from app.problems import FieldError, Problem
from app.rendering import JsonResponse, prefers_html, render_page
from app.state import DeskRequest
from app.team_forms import Keyring, NewInvitation, NewRole, WithdrawnInvitation, gather_scopes
from db import people, sessions
from db.pool import Connection, acquire

LAST_ADMIN = "The team needs an active admin. Make somebody else an admin first."
SHOWN_OF_KEY = len(KEY_PREFIX) + 6  # characters


async def show_team(request: DeskRequest) -> Response:
    """GET /team: JSON, or the page."""
    return await show(request)


async def invite(request: DeskRequest) -> Response:
    """POST /team/invitations: the link, which is shown this once."""
    fields = await read_fields(request)
    try:
        form = check(NewInvitation, fields.values)
    except InvalidInput as error:
        return await refuse(request, error.errors)
    token = secrets.token_urlsafe(32)
    async with acquire(request.state["pool"]) as conn:
        until = await people.invite(conn, load_actor(request), form.email, form.role, hash_secret(token))
    link = f"{request.state['settings'].public_base_url}/invitations/{token}"
    made = {"email": form.email, "role": form.role, "link": link, "expires_at": until}
    return await show(request, status=201, invited=made) if prefers_html(request) else JsonResponse(made, 201)


async def withdraw(request: DeskRequest) -> Response:
    """POST /team/invitations/withdraw: a link that was not used stops working."""
    fields = await read_fields(request)
    try:
        email = check(WithdrawnInvitation, fields.values).email
    except InvalidInput as error:
        return await refuse(request, error.errors)
    return await change(request, lambda conn: people.withdraw_invitation(conn, load_actor(request), email))


async def set_role(request: DeskRequest) -> Response:
    """POST /team/people/{id}/role."""
    fields = await read_fields(request)
    try:
        role = check(NewRole, fields.values).role
    except InvalidInput as error:
        return await refuse(request, error.errors)
    person_id = read_id(request)
    return await change(request, lambda conn: people.change_role(conn, load_actor(request), person_id, role))


async def deactivate(request: DeskRequest) -> Response:
    """POST /team/people/{id}/deactivate: they are logged out and cannot log in."""
    person_id = read_id(request)
    return await change(request, lambda conn: people.deactivate_person(conn, load_actor(request), person_id))


async def switch_codes_off(request: DeskRequest) -> Response:
    """POST /team/people/{id}/totp/off: for somebody who lost their phone."""
    person_id = read_id(request)
    return await change(request, lambda conn: people.set_totp(conn, load_actor(request), person_id, None, None))


async def end_sessions(request: DeskRequest) -> Response:
    """POST /team/people/{id}/sessions/end: they are logged out everywhere."""
    person_id = read_id(request)

    async def end_theirs(conn: Connection) -> bool:
        if await people.find_person(conn, person_id) is None:
            return False
        await sessions.end_sessions(conn, load_actor(request), person_id)
        return True

    return await change(request, end_theirs)


async def end_token_sessions(request: DeskRequest) -> Response:
    """POST /team/token-sessions/end: whoever logged in with ADMIN_TOKEN is logged out."""

    async def end_all(conn: Connection) -> bool:
        await sessions.end_sessions(conn, load_actor(request), None)
        return True

    return await change(request, end_all)


async def make_key(request: DeskRequest) -> Response:
    """POST /team/keys: the key, which is shown this once."""
    fields = await read_fields(request)
    try:
        form = check(Keyring, gather_scopes(fields.values))
    except InvalidInput as error:
        return await refuse(request, error.errors)
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    kept = sessions.NewKey(form.name, form.scopes, key[:SHOWN_OF_KEY], hash_secret(key), form.days)
    async with acquire(request.state["pool"]) as conn:
        key_id = await sessions.make_key(conn, load_actor(request), kept)
    made = {"id": key_id, "name": form.name, "scopes": form.scopes, "days": form.days, "key": key}
    return await show(request, status=201, keyed=made) if prefers_html(request) else JsonResponse(made, 201)


async def revoke_key(request: DeskRequest) -> Response:
    """POST /team/keys/{id}/revoke: it stops working at once."""
    key_id = read_id(request)
    return await change(request, lambda conn: sessions.revoke_key(conn, load_actor(request), key_id))


async def change(request: DeskRequest, act: Callable[[Connection], Awaitable[str | bool]]) -> Response:
    """Do it, and back to the page. Raises Problem: 404 when there is nothing to change, 409 for the last admin."""
    async with acquire(request.state["pool"]) as conn:
        outcome = await act(conn)
    if outcome in (False, "missing"):
        raise Problem(404)
    if outcome == "last_admin":
        if prefers_html(request):
            return await show(request, status=409, mistakes=[LAST_ADMIN])
        raise Problem(409, LAST_ADMIN)
    return RedirectResponse("/team", 303) if prefers_html(request) else JsonResponse({"status": "changed"})


async def refuse(request: DeskRequest, errors: list[FieldError]) -> Response:
    """The page again with what is wrong. Raises the 422 Problem for programs."""
    if not prefers_html(request):
        raise Problem(422, errors=errors)
    return await show(request, status=422, mistakes=[error.message for error in errors])


async def show(request: DeskRequest, *, status: int = 200, **said: Any) -> Response:
    """Everybody, the open invitations and the keys. said: mistakes, or what is shown once: invited, keyed."""
    async with acquire(request.state["pool"]) as conn:
        shown: dict[str, Any] = {
            "people": await people.list_people(conn),
            "invitations": await people.list_invitations(conn),
            "keys": await sessions.list_keys(conn),
            "token_sessions": len(await sessions.list_sessions(conn, None)),
        }
    if not prefers_html(request):
        return JsonResponse(shown, status)
    context = {"mistakes": [], "invited": None, "keyed": None, "roles": people.ROLES} | shown | said
    return render_page(request, "team.html", context, status=status)


ROUTES = [
    staff("/team", show_team, role="admin"),
    staff("/team/invitations", invite, ("POST",), role="admin"),
    staff("/team/invitations/withdraw", withdraw, ("POST",), role="admin"),
    staff("/team/people/{id}/role", set_role, ("POST",), role="admin"),
    staff("/team/people/{id}/deactivate", deactivate, ("POST",), role="admin"),
    staff("/team/people/{id}/totp/off", switch_codes_off, ("POST",), role="admin"),
    staff("/team/people/{id}/sessions/end", end_sessions, ("POST",), role="admin"),
    staff("/team/token-sessions/end", end_token_sessions, ("POST",), role="admin"),
    staff("/team/keys", make_key, ("POST",), role="admin"),
    staff("/team/keys/{id}/revoke", revoke_key, ("POST",), role="admin"),
]
