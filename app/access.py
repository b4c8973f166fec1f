"""Who may do what: people with sessions, machines with keys, ADMIN_TOKEN, ticket links; names that hide addresses."""

import base64
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.asking import KEY_PREFIX, SAFE_METHODS, is_by_itself, read_bearer
from app.problems import Link, Problem
from app.rendering import prefers_html, render_page
from app.settings import Settings, SettingsError
from app.way_back import find_page, is_own
from db.people import Actor, Role
from db.pool import acquire
from db.sessions import TOKEN_HOLDER, find_key, find_session

Endpoint = Callable[[Any], Awaitable[Response]]
Audience = Literal["public", "staff", "ticket", "metrics", "signed"]

SESSION_OVER = "Your session is over. Log in and do it again."
SESSION_SECONDS = 24 * 3600  # of the cookie; unused for eight hours, the session is over
REFERENCE = re.compile(r"[A-Z][A-Z0-9]{0,7}-[0-9]{8}-[0-9A-Z]{4}")
TOKEN_LENGTH = 24  # characters of base64url: 144 bits
SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
"""256 bits in base64url."""


def sign(settings: Settings, text: str) -> bytes:
    """HMAC-SHA256 of `text` under APP_SECRET. Each use puts its own word before a colon."""
    if settings.app_secret is None:
        raise SettingsError("APP_SECRET: must be set, to any long random text")
    return hmac.digest(settings.app_secret.get_secret_value().encode(), text.encode(), "sha256")


def make_token(settings: Settings, reference: str) -> str:
    """What opens one ticket to whoever holds the link."""
    return base64.urlsafe_b64encode(sign(settings, f"ticket:{reference}")).decode()[:TOKEN_LENGTH]


def sign_delivery(settings: Settings, token: UUID) -> str:
    """Proves that a callback about the message with this token goes to an address of ours."""
    return sign(settings, f"delivery:{token}").hex()[:32]


def is_delivery_signature(settings: Settings, token: UUID, given: str) -> bool:
    """Whether `given` is what sign_delivery made of this token."""
    return is_same(given, sign_delivery(settings, token))


def make_status_url(settings: Settings, channel: str, token: UUID) -> str:
    """Where a vendor tells what became of the message with this token."""
    query = urlencode({"o": token, "s": sign_delivery(settings, token)})
    return f"{settings.public_base_url}/webhooks/{channel}/status?{query}"


def make_quota_key(settings: Settings, kind: str, value: str) -> str:
    """A name for an address that does not give the address away."""
    return sign(settings, f"{kind}:{value}").hex()[:32]


def make_ip_key(request: Request[Any]) -> str:
    """Quota key of the client's network address; of its /64 for IPv6, of which everybody has plenty."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
        if address.version == 6:
            host = str(ipaddress.ip_network((address, 64), strict=False))
    except ValueError:
        pass  # a socket without an address, or a proxy's word for it
    return make_quota_key(request.state.settings, "ip", host)


def is_same(given: str, wanted: str) -> bool:
    """Equality in constant time, whatever was given."""
    return hmac.compare_digest(hashlib.sha256(given.encode()).digest(), hashlib.sha256(wanted.encode()).digest())


# Callers


def hash_secret(secret: str) -> bytes:
    """SHA-256 of 256 random bits: nobody guesses what it was made of."""
    return hashlib.sha256(secret.encode()).digest()


def hash_admin_token(settings: Settings) -> bytes | None:
    """Keyed, for people choose it: what binds a session to the ADMIN_TOKEN it was opened with."""
    token = settings.admin_token
    return sign(settings, f"admin:{token.get_secret_value()}") if token else None


def cookie_name(settings: Settings) -> str:
    return "__Host-deskhand" if settings.is_https else "deskhand"


def read_session(request: Request[Any]) -> bytes | None:
    """Hash of the session that the browser names, which may be over; None without one."""
    secret = request.cookies.get(cookie_name(request.state.settings), "")
    return hash_secret(secret) if SECRET.fullmatch(secret) else None


def give_cookie(response: Response, settings: Settings, secret: str) -> None:
    response.set_cookie(
        cookie_name(settings), secret, max_age=SESSION_SECONDS,
        path="/", secure=settings.is_https, httponly=True, samesite="lax",
    )  # fmt: skip


def take_cookie(response: Response, settings: Settings) -> None:
    response.delete_cookie(cookie_name(settings), path="/", secure=settings.is_https, httponly=True, samesite="lax")


def is_token(given: str | None, wanted: SecretStr | None) -> bool:
    """Whether a token opens what `wanted` guards; where nothing is wanted, nothing is open."""
    return given is not None and wanted is not None and is_same(given, wanted.get_secret_value())


async def find_actor(request: Request[Any]) -> Actor | None:
    """Who asks: by ADMIN_TOKEN or a key in the Authorization header, or by session; None: nobody we know.

    A session does nothing but look when another site sent the request. Raises the 403 Problem for a key without the
    scope; while the database cannot be had, one of UNAVAILABLE.
    """
    bearer = read_bearer(request)
    if is_token(bearer, request.state.settings.admin_token):
        return TOKEN_HOLDER
    if bearer is not None:
        return await find_machine(request, bearer)
    if request.method not in SAFE_METHODS and is_cross_site(request):
        return None
    return await find_visitor(request)


async def find_visitor(request: Request[Any]) -> Actor | None:
    """Whose session the browser has; None: nobody's."""
    id_hash = read_session(request)
    if id_hash is None:
        return None
    async with acquire(request.state.pool) as conn:
        token_hash = hash_admin_token(request.state.settings)
        return await find_session(conn, id_hash, token_hash, is_use=not is_by_itself(request))


async def find_machine(request: Request[Any], secret: str) -> Actor | None:
    """The actor of an API key. Raises the 403 Problem when the key may not do this kind of thing."""
    if not secret.startswith(KEY_PREFIX) or not SECRET.fullmatch(secret.removeprefix(KEY_PREFIX)):
        return None
    async with acquire(request.state.pool) as conn:
        key = await find_key(conn, hash_secret(secret))
    if key is None:
        return None
    needed = "read" if request.method in SAFE_METHODS else "write"
    if needed not in key.scopes and "manage" not in key.scopes:
        raise Problem(403, f"This key lacks the scope {needed}.")
    return Actor("key", key.id, key.name, "manager" if "manage" in key.scopes else "agent")


def load_actor(request: Request[Any]) -> Actor:
    """Who asks, on a route of the team."""
    actor: Actor = request.state.actor
    return actor


def is_cross_site(request: Request[Any]) -> bool:
    """Whether a browser says that another site sent this request. Programs say nothing and carry no session."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    if origin is None:
        return False
    try:
        return not is_own(request, urlsplit(origin).netloc)
    except ValueError:
        return True


def refuse_cross_site(request: Request[Any]) -> None:
    """Raises the 403 Problem for a form that another site sent."""
    if is_cross_site(request):
        raise Problem(403)


# Routes and their guards


class GuardedRoute(Route):
    """A route that says who may use it. create_app takes no other kind."""

    def __init__(self, path: str, endpoint: Endpoint, audience: Audience, methods: Collection[str]) -> None:
        super().__init__(path, endpoint, methods=methods)
        self.audience = audience


def public(path: str, endpoint: Endpoint, methods: Collection[str] = ("GET",)) -> GuardedRoute:
    """Open to anyone."""
    return GuardedRoute(path, endpoint, "public", methods)


def signed(path: str, endpoint: Endpoint, methods: Collection[str] = ("POST",)) -> GuardedRoute:
    """For a vendor; the endpoint checks its signature before anything else."""
    return GuardedRoute(path, endpoint, "signed", methods)


def staff(path: str, endpoint: Endpoint, methods: Collection[str] = ("GET",), *, role: Role = "agent") -> GuardedRoute:
    """For the team. Others get 401: a problem, or in a browser the page to log in.

    403 is for those whose role does not reach, and for what another site's page sends.
    """

    async def guard(request: Request[Any]) -> Response:
        actor = await find_actor(request)
        if actor is None:
            return refuse_stranger(request)
        request.state.actor = actor
        if not actor.may(role):
            raise Problem(403, f"This takes the role of {role}.")
        if request.method not in SAFE_METHODS:
            refuse_cross_site(request)
        return await endpoint(request)

    return GuardedRoute(path, guard, "staff", methods)


def own(path: str, endpoint: Endpoint, methods: Collection[str] = ("GET",)) -> GuardedRoute:
    """For a person, about themself. Machines and holders of ADMIN_TOKEN get 403."""

    async def check_person(request: Request[Any]) -> Response:
        if load_actor(request).kind != "person":
            raise Problem(403, "Only a person has an account. Log in with your e-mail.")
        return await endpoint(request)

    return staff(path, check_person, methods)


def metrics(path: str, endpoint: Endpoint) -> GuardedRoute:
    """For a scraper with METRICS_TOKEN, and for the team."""
    for_team = staff(path, endpoint).endpoint

    async def guard(request: Request[Any]) -> Response:
        if is_token(read_bearer(request), request.state.settings.metrics_token):
            return await endpoint(request)
        answer: Response = await for_team(request)
        return answer

    return GuardedRoute(path, guard, "metrics", ("GET",))


def ticket(path: str, endpoint: Endpoint, methods: Collection[str] = ("GET",)) -> GuardedRoute:
    """For the holder of a ticket's link, and for the team. Others learn nothing, not even whether it exists."""

    async def guard(request: Request[Any]) -> Response:
        reference = request.path_params["reference"]
        holds = is_same(request.query_params.get("token", ""), make_token(request.state.settings, reference))
        if not holds:
            request.state.actor = await find_actor(request)
        if (holds or request.state.actor) and REFERENCE.fullmatch(reference):
            return await endpoint(request)
        raise Problem(404)

    return GuardedRoute(path, guard, "ticket", methods)


def refuse_stranger(request: Request[Any]) -> Response:
    """401; in a browser with the form to log in, or for a form that was sent with a link to it and back."""
    headers = {"WWW-Authenticate": 'Bearer realm="staff"'}
    if request.method == "GET" and prefers_html(request):
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return render_page(request, "login.html", {"target": target, "message": ""}, status=401, headers=headers)
    if prefers_html(request) and not is_cross_site(request):
        link = Link(f"/login?{urlencode({'next': find_page(request)})}", "Log in")
        raise Problem(401, SESSION_OVER, headers=headers, heading="Log in again", link=link)
    raise Problem(401, headers=headers)
