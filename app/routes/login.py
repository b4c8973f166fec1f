"""The team's door in a browser: the staff token becomes a session."""

from datetime import timedelta

from starlette.responses import RedirectResponse, Response

from app.access import end_session, is_token, make_ip_key, public, refuse_cross_site, start_session
from app.bodies import read_fields
from app.problems import Problem
from app.rendering import render_page
from app.state import DeskRequest
from db.pool import acquire
from db.quotas import win_quota

START_PAGE = "/metrics/channels"
TRIES = 10  # per network address and window
TRY_WINDOW = timedelta(minutes=10)


async def show_login(request: DeskRequest) -> Response:
    """GET /login."""
    context = {"target": safe_target(request.query_params.get("next")), "message": ""}
    return render_page(request, "login.html", context)


async def log_in(request: DeskRequest) -> Response:
    """POST /login: a session of eight hours, or the form again."""
    refuse_cross_site(request)
    fields = await read_fields(request)
    given, target = fields.values.get("token"), safe_target(fields.values.get("next"))
    async with acquire(request.state["pool"]) as conn:
        key = f"login:{make_ip_key(request)}"
        if wait := await win_quota(conn, key, capacity=TRIES, window=TRY_WINDOW):
            seconds = str(max(1, round(wait.total_seconds())))
            raise Problem(429, "Too many tries. Please wait a few minutes.", headers={"Retry-After": seconds})
    settings = request.state["settings"]
    if not isinstance(given, str) or not is_token(given.strip(), settings.admin_token):
        message = "This is not the staff token." if settings.admin_token else "Set ADMIN_TOKEN to open the staff pages."
        return render_page(request, "login.html", {"target": target, "message": message}, status=401)
    response = RedirectResponse(target, 303)
    start_session(response, settings)
    return response


async def log_out(request: DeskRequest) -> Response:
    """POST /logout."""
    refuse_cross_site(request)
    response = RedirectResponse("/login", 303)
    end_session(response, request.state["settings"])
    return response


def safe_target(wish: object) -> str:
    """A path on this site, whatever was asked for."""
    if not isinstance(wish, str) or not wish.startswith("/") or wish[1:2] in ("/", "\\") or not wish.isprintable():
        return START_PAGE
    return wish


ROUTES = [public("/login", show_login), public("/login", log_in, ("POST",)), public("/logout", log_out, ("POST",))]
