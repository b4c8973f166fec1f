"""What a person may change about themself: name, password, codes, and where they are logged in."""

from dataclasses import asdict
from typing import Any

from starlette.responses import RedirectResponse, Response

from app.access import load_actor, own, read_session
from app.bodies import Fields, read_fields
from app.forms import InvalidInput, check
from app.problems import FieldError, Problem
from app.rendering import JsonResponse, prefers_html, render_page
from app.sign_in import is_password
from app.state import DeskRequest
from app.team_forms import NewName, PasswordProof, check_new_password
from app.totp import SEED, derive_secret, find_step, make_link, new_seed, show_secret
from db.errors import NotFound
from db.people import change_password, find_credentials, find_person, rename_person, set_totp
from db.pool import acquire
from db.sessions import Session, end_session, end_sessions, list_sessions

WRONG = "This is not your password."
WRONG_CODE = "This is not the code that the app shows now. Is your phone's clock right?"
SAID = {
    "name": "Your name is changed.",
    "password": "Your password is changed, and you are logged out everywhere else.",
    "totp-on": "From now on you are asked for a code when you log in.",
    "totp-off": "You are no longer asked for a code.",
    "session": "That session is over.",
}


async def show_account(request: DeskRequest) -> Response:
    """GET /account: JSON, or the page."""
    return await show(request, notice=SAID.get(request.query_params.get("said", ""), ""))


async def change_name(request: DeskRequest) -> Response:
    """POST /account/name."""
    fields = await read_fields(request)
    try:
        name = check(NewName, fields.values).name
    except InvalidInput as error:
        return await refuse(request, fields, error.errors)
    async with acquire(request.state["pool"]) as conn:
        await rename_person(conn, load_person_id(request), name)
    return done(request, "name")


async def set_password(request: DeskRequest) -> Response:
    """POST /account/password: takes the current one too; every other session of theirs is over."""
    fields = await read_fields(request)
    who, company = load_actor(request), request.state["settings"].company_name
    try:
        password = check_new_password(fields.values, email=who.name, company=company)
        await check_current(request, fields)
    except InvalidInput as error:
        return await refuse(request, fields, error.errors)
    kept = await request.state["passwords"].hash(password)
    async with acquire(request.state["pool"]) as conn:
        await change_password(conn, who, kept, keep=read_session(request))
    return done(request, "password")


async def check_current(request: DeskRequest, fields: Fields) -> None:
    """Raises InvalidInput unless the form has the person's password; tries are counted as those of logging in."""
    proof, who = check(PasswordProof, fields.values), load_actor(request)
    async with acquire(request.state["pool"]) as conn:
        credentials = await find_credentials(conn, who.name)
    kept = credentials.password_hash if credentials else None
    if not await is_password(request, who.name, proof.current, kept):
        raise InvalidInput([FieldError("current", WRONG)])


async def has_codes(request: DeskRequest) -> bool:
    """Whether the person is asked for codes now."""
    async with acquire(request.state["pool"]) as conn:
        person = await find_person(conn, load_person_id(request))
    return person is not None and person.has_totp


async def switch_codes_on(request: DeskRequest) -> Response:
    """POST /account/totp: without a code a new secret to show to the app, with one that secret is taken into use.

    Where another secret is in use, that takes the password, as switching off does.
    """
    fields, who = await read_fields(request), load_actor(request)
    seed, code = fields.values.get("seed"), fields.values.get("code")
    if not isinstance(seed, str) or not SEED.fullmatch(seed) or not isinstance(code, str):
        return await show(request, seed=new_seed())
    step = find_step(derive_secret(request.state["settings"], seed), code)
    if step is None:
        return await refuse(request, fields, [FieldError("code", WRONG_CODE)], seed)
    try:
        if await has_codes(request):
            await check_current(request, fields)
    except InvalidInput as error:
        return await refuse(request, fields, error.errors, seed)
    async with acquire(request.state["pool"]) as conn:
        await set_totp(conn, who, load_person_id(request), seed, step)
    return done(request, "totp-on")


async def switch_codes_off(request: DeskRequest) -> Response:
    """POST /account/totp/off: takes the password."""
    fields = await read_fields(request)
    try:
        await check_current(request, fields)
    except InvalidInput as error:
        return await refuse(request, fields, error.errors)
    async with acquire(request.state["pool"]) as conn:
        await set_totp(conn, load_actor(request), load_person_id(request), None, None)
    return done(request, "totp-off")


async def end(request: DeskRequest) -> Response:
    """POST /account/sessions/end: the one named in `session`, or `all`, this one included."""
    fields, who = await read_fields(request), load_actor(request)
    wish = fields.values.get("session")
    async with acquire(request.state["pool"]) as conn:
        if wish == "all":
            await end_sessions(conn, who, who.id)
            return RedirectResponse("/login", 303) if prefers_html(request) else JsonResponse({"status": "changed"})
        if not await end_session(conn, who, read_hash(wish), action="session_ended"):
            raise Problem(404)
    return done(request, "session")


def read_hash(wish: object) -> bytes:
    """Raises the 422 Problem for what names no session."""
    try:
        return bytes.fromhex(str(wish))
    except ValueError:
        raise Problem(422, "Name a session, or all.") from None


def load_person_id(request: DeskRequest) -> Any:
    return load_actor(request).id


def done(request: DeskRequest, what: str) -> Response:
    if prefers_html(request):
        return RedirectResponse(f"/account?said={what}", 303)
    return JsonResponse({"status": "changed"})


async def refuse(request: DeskRequest, fields: Fields, errors: list[FieldError], seed: str = "") -> Response:
    """The page again with what is wrong. Raises the 422 Problem for programs."""
    if not fields.is_form:
        raise Problem(422, errors=errors)
    return await show(request, errors=errors, seed=seed)


async def show(
    request: DeskRequest, *, errors: list[FieldError] | None = None, seed: str = "", notice: str = ""
) -> Response:
    """Everything about the person; with a seed also the secret that it makes, for the app to read."""
    async with acquire(request.state["pool"]) as conn:
        person = await find_person(conn, load_person_id(request))
        sessions = await list_sessions(conn, load_person_id(request))
    if person is None:
        raise NotFound("person")
    shown = asdict(person) | {"sessions": [describe_session(request, one) for one in sessions]}
    shown |= {"new_codes": offer_codes(request, seed)} if seed else {}
    if not prefers_html(request):
        return JsonResponse(shown)
    context = {"person": shown, "notice": notice, "errors": {error.field: error.message for error in errors or ()}}
    return render_page(request, "account.html", context, status=422 if errors else 200)


def offer_codes(request: DeskRequest, seed: str) -> dict[str, str]:
    settings = request.state["settings"]
    secret = derive_secret(settings, seed)
    link = make_link(secret, email=load_actor(request).name, company=settings.company_name)
    return {"seed": seed, "secret": show_secret(secret), "link": link}


def describe_session(request: DeskRequest, session: Session) -> dict[str, Any]:
    """A session by the hash of its secret, which opens nothing."""
    is_current = session.id_hash == read_session(request)
    return asdict(session) | {"id_hash": session.id_hash.hex(), "is_current": is_current}


ROUTES = [
    own("/account", show_account),
    own("/account/name", change_name, ("POST",)),
    own("/account/password", set_password, ("POST",)),
    own("/account/totp", switch_codes_on, ("POST",)),
    own("/account/totp/off", switch_codes_off, ("POST",)),
    own("/account/sessions/end", end, ("POST",)),
]
