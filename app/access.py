"""Who may do what: the staff token and its session, ticket links, and keys that hide what they stand for."""

import base64
import hashlib
import hmac
import ipaddress
import re
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.problems import Problem
from app.rendering import prefers_html, render_page
from app.settings import Settings, SettingsError

Endpoint = Callable[[Any], Awaitable[Response]]
Audience = Literal["public", "staff", "ticket", "metrics", "signed"]

SESSION_SECONDS = 8 * 3600
REFERENCE = re.compile(r"[A-Z][A-Z0-9]{0,7}-[0-9]{8}-[0-9A-Z]{4}")
TOKEN_LENGTH = 24  # characters of base64url: 144 bits


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


def read_bearer(request: Request[Any]) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


# Sessions


def cookie_name(settings: Settings) -> str:
    return "__Host-deskhand" if settings.is_https else "deskhand"


def sign_session(settings: Settings, expires: int) -> str:
    """Bound to the staff token too, so that a new token ends every session."""
    token = settings.admin_token.get_secret_value() if settings.admin_token else ""
    return sign(settings, f"session:{expires}:{hashlib.sha256(token.encode()).hexdigest()}").hex()


def start_session(response: Response, settings: Settings) -> None:
    """Give the browser a session of eight hours."""
    expires = int(time.time()) + SESSION_SECONDS
    response.set_cookie(
        cookie_name(settings), f"{expires}.{sign_session(settings, expires)}", max_age=SESSION_SECONDS,
        path="/", secure=settings.is_https, httponly=True, samesite="lax",
    )  # fmt: skip


def end_session(response: Response, settings: Settings) -> None:
    response.delete_cookie(cookie_name(settings), path="/", secure=settings.is_https, httponly=True, samesite="lax")


def has_session(request: Request[Any]) -> bool:
    settings: Settings = request.state.settings
    expires, _, signature = request.cookies.get(cookie_name(settings), "").partition(".")
    if not expires.isascii() or not expires.isdigit() or len(expires) > 12 or settings.admin_token is None:
        return False
    return is_same(signature, sign_session(settings, int(expires))) and int(expires) > time.time()


def is_token(given: str | None, wanted: SecretStr | None) -> bool:
    """Whether a token opens what `wanted` guards; where nothing is wanted, nothing is open."""
    return given is not None and wanted is not None and is_same(given, wanted.get_secret_value())


def is_staff(request: Request[Any]) -> bool:
    """By token, or by session; a session changes nothing when another site sent the request."""
    if is_token(read_bearer(request), request.state.settings.admin_token):
        return True
    return has_session(request) and (request.method in ("GET", "HEAD") or not is_cross_site(request))


def is_cross_site(request: Request[Any]) -> bool:
    """Whether a browser says that another site sent this request. Programs say nothing and carry no session."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    if origin is None:
        return False
    own = {request.headers.get("host", ""), urlsplit(request.state.settings.public_base_url).netloc}
    try:
        return urlsplit(origin).netloc not in own
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


def staff(path: str, endpoint: Endpoint, methods: Collection[str] = ("GET",)) -> GuardedRoute:
    """For the team. Others get 401: a problem, or in a browser the page to log in."""

    async def guard(request: Request[Any]) -> Response:
        if is_staff(request):
            return await endpoint(request)
        return refuse_stranger(request)

    return GuardedRoute(path, guard, "staff", methods)


def metrics(path: str, endpoint: Endpoint) -> GuardedRoute:
    """For a scraper with METRICS_TOKEN, and for the team."""

    async def guard(request: Request[Any]) -> Response:
        if is_staff(request) or is_token(read_bearer(request), request.state.settings.metrics_token):
            return await endpoint(request)
        return refuse_stranger(request)

    return GuardedRoute(path, guard, "metrics", ("GET",))


def ticket(path: str, endpoint: Endpoint, methods: Collection[str] = ("GET",)) -> GuardedRoute:
    """For the holder of a ticket's link, and for the team. Others learn nothing, not even whether it exists."""

    async def guard(request: Request[Any]) -> Response:
        reference = request.path_params["reference"]
        holds = is_same(request.query_params.get("token", ""), make_token(request.state.settings, reference))
        if (holds or is_staff(request)) and REFERENCE.fullmatch(reference):
            return await endpoint(request)
        raise Problem(404)

    return GuardedRoute(path, guard, "ticket", methods)


def refuse_stranger(request: Request[Any]) -> Response:
    """401; in a browser with the form to log in."""
    headers = {"WWW-Authenticate": 'Bearer realm="staff"'}
    if request.method == "GET" and prefers_html(request):
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return render_page(request, "login.html", {"target": target, "message": ""}, status=401, headers=headers)
    raise Problem(401, headers=headers)
