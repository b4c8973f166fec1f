"""The team's door in a browser: e-mail and password, a code where one is asked for, or the staff token."""

from typing import Any

from starlette.responses import RedirectResponse, Response

from app.access import find_visitor, is_token, make_quota_key, public, read_session, refuse_cross_site, take_cookie
from app.bodies import read_fields
from app.rendering import render_page
from app.sign_in import find_pending, forgive, is_password, open_session, sign_pending, slow_down, use_code
from app.state import DeskRequest
from app.way_back import START_PAGE
from db.audit import Stranger, note_audit
from db.people import find_credentials
from db.pool import acquire
from db.sessions import TOKEN_HOLDER, TOKEN_NAME, end_session

WRONG = "The e-mail or the password is not right."
WRONG_CODE = "This code is not right, or was used before."
UNSET = "There is no staff token here. Set ADMIN_TOKEN to have one, or log in with e-mail and password."
TOO_LATE = "That took too long. Please log in again."


async def show_login(request: DeskRequest) -> Response:
    """GET /login."""
    return show_form(request, safe_target(request.query_params.get("next")))


async def log_in(request: DeskRequest) -> Response:
    """POST /login: a session, the form that asks for a code, or the form again."""
    refuse_cross_site(request)
    fields = await read_fields(request)
    given = {name: value for name, value in fields.values.items() if isinstance(value, str)}
    target = safe_target(given.get("next"))
    await slow_down(request)
    if "pending" in given:
        return await take_code(request, given["pending"], given.get("code", ""), target)
    if "token" in given:
        return await take_token(request, given["token"].strip(), target)
    return await take_password(request, given.get("email", "").strip().lower(), given.get("password", ""), target)


async def take_token(request: DeskRequest, token: str, target: str) -> Response:
    wanted = request.state["settings"].admin_token
    if is_token(token, wanted):
        await forgive(request)
        return await open_session(request, TOKEN_HOLDER, target)
    await note_failure(request, TOKEN_NAME, "token")
    message = "This is not the staff token." if wanted else UNSET
    return show_form(request, target, message=message)


async def take_password(request: DeskRequest, email: str, password: str, target: str) -> Response:
    """An unknown e-mail is told the same, as late, as a wrong password."""
    async with acquire(request.state["pool"]) as conn:
        credentials = await find_credentials(conn, email)
    kept = credentials.password_hash if credentials else None
    if not await is_password(request, email, password, kept) or credentials is None:
        hashed = make_quota_key(request.state["settings"], "account", email)
        known = (email, f"person:{credentials.id}") if credentials else (hashed, f"email:{hashed}")
        await note_failure(request, *known)
        return show_form(request, target, message=WRONG, email=email)
    await forgive(request)
    if credentials.totp_secret:
        return show_code(request, sign_pending(request.state["settings"], credentials), target)
    return await open_session(request, credentials.actor, target)


async def take_code(request: DeskRequest, pending: str, code: str, target: str) -> Response:
    credentials = await find_pending(request, pending)
    if credentials is None:
        return show_form(request, target, message=TOO_LATE)
    if await use_code(request, credentials, code):
        await forgive(request)
        return await open_session(request, credentials.actor, target)
    await note_failure(request, credentials.email, f"person:{credentials.id}", {"step": "code"})
    return show_code(request, pending, target, message=WRONG_CODE)


async def note_failure(request: DeskRequest, name: str, about: str, details: dict[str, Any] | None = None) -> None:
    async with acquire(request.state["pool"]) as conn:
        await note_audit(conn, Stranger(name), "login_failed", about, details)


def show_form(request: DeskRequest, target: str, *, message: str = "", email: str = "") -> Response:
    """The form; 401 with a message."""
    context = {"target": target, "message": message, "email": email}
    return render_page(request, "login.html", context, status=401 if message else 200)


def show_code(request: DeskRequest, pending: str, target: str, *, message: str = "") -> Response:
    """The form that asks for the code; always 401, for nobody is logged in yet."""
    context = {"target": target, "message": message, "pending": pending}
    return render_page(request, "login.html", context, status=401)


async def log_out(request: DeskRequest) -> Response:
    """POST /logout: this browser's session is over."""
    refuse_cross_site(request)
    who, id_hash = await find_visitor(request), read_session(request)
    if who is not None and id_hash is not None:
        async with acquire(request.state["pool"]) as conn:
            await end_session(conn, who, id_hash, action="logout")
    response = RedirectResponse("/login", 303)
    take_cookie(response, request.state["settings"])
    return response


def safe_target(wish: object) -> str:
    """A path on this site, whatever was asked for."""
    if not isinstance(wish, str) or not wish.startswith("/") or wish[1:2] in ("/", "\\") or not wish.isprintable():
        return START_PAGE
    return wish


ROUTES = [public("/login", show_login), public("/login", log_in, ("POST",)), public("/logout", log_out, ("POST",))]
