"""The one-time link by which somebody joins the team, or sets a new password."""

from starlette.responses import Response

from app.access import SECRET, hash_secret, public, refuse_cross_site
from app.bodies import read_fields
from app.forms import InvalidInput, check
from app.problems import FieldError, Link, Problem
from app.rendering import render_page
from app.sign_in import forgive, slow_down
from app.state import DeskRequest
from app.team_forms import NewName, check_new_password
from app.way_back import START_PAGE
from db.people import Invitation, accept_invitation, find_invitation
from db.pool import acquire

GONE = "This invitation was used already, or has ended. Log in, or ask for a new one."
HEADERS = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}  # its address is its key


async def show_invitation(request: DeskRequest) -> Response:
    """GET /invitations/{token}: the form that asks for a name and a password. Looking uses nothing up."""
    return show_form(request, await load_invitation(request), {}, [])


async def accept(request: DeskRequest) -> Response:
    """POST /invitations/{token}: the link is used up, and the form to log in is shown."""
    refuse_cross_site(request)
    await slow_down(request)
    fields = await read_fields(request)
    invitation = await load_invitation(request)
    settings = request.state["settings"]
    try:
        name = check(NewName, fields.values).name
        password = check_new_password(fields.values, email=invitation.email, company=settings.company_name)
    except InvalidInput as error:
        await forgive(request)  # the link is right
        return show_form(request, invitation, fields.values, error.errors)
    kept = await request.state["passwords"].hash(password)
    async with acquire(request.state["pool"]) as conn:
        who = await accept_invitation(conn, hash_token(request), name=name, password_hash=kept)
    if who is None:  # somebody used it between the two looks
        raise gone()
    await forgive(request)
    context = {"target": START_PAGE, "message": "", "email": who.name, "notice": "You can log in now."}
    return render_page(request, "login.html", context, headers=HEADERS)


async def load_invitation(request: DeskRequest) -> Invitation:
    """Raises the 404 Problem for a link that does not work, whatever the reason."""
    if not SECRET.fullmatch(request.path_params["token"]):
        raise gone()
    async with acquire(request.state["pool"]) as conn:
        invitation = await find_invitation(conn, hash_token(request))
    if invitation is None:
        raise gone()
    return invitation


def gone() -> Problem:
    """The same for a link that was used, withdrawn or never made: it tells nobody which."""
    return Problem(404, GONE, heading="This invitation cannot be used", link=Link("/login", "Log in"))


def hash_token(request: DeskRequest) -> bytes:
    return hash_secret(request.path_params["token"])


def show_form(
    request: DeskRequest, invitation: Invitation, values: dict[str, object], errors: list[FieldError]
) -> Response:
    context = {
        "invitation": invitation,
        "name": values.get("name", ""),
        "path": request.url.path,
        "errors": {error.field: error.message for error in errors},
    }
    return render_page(request, "invitation.html", context, status=422 if errors else 200, headers=HEADERS)


ROUTES = [public("/invitations/{token}", show_invitation), public("/invitations/{token}", accept, ("POST",))]
