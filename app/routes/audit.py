"""What people, their machines and the agent did, for admins."""

from urllib.parse import urlencode

from starlette.responses import Response

from app.access import staff
from app.problems import FieldError, Problem
from app.rendering import JsonResponse, prefers_html, render_page
from app.state import DeskRequest
from db.audit import list_audit
from db.pool import acquire

PAGE_SIZE = 50
MAX_TEXT = 300
NOT_A_ROW = "Please send the id of a row."


async def show_audit(request: DeskRequest) -> Response:
    """GET /audit?actor=&about=&before=: newest first; JSON, or the page."""
    actor, about, before = read_text(request, "actor"), read_text(request, "about"), read_before(request)
    async with acquire(request.state["pool"]) as conn:
        rows = await list_audit(conn, actor=actor, about=about, before=before, limit=PAGE_SIZE + 1)
    following = rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None
    if not prefers_html(request):
        return JsonResponse({"rows": rows[:PAGE_SIZE], "next": following})
    asked = {"actor": actor, "about": about, "before": following}
    older = urlencode({name: value for name, value in asked.items() if value is not None}) if following else ""
    context = {"rows": rows[:PAGE_SIZE], "actor_wish": actor or "", "about_wish": about or "", "older": older}
    return render_page(request, "audit.html", context)


def read_text(request: DeskRequest, name: str) -> str | None:
    """A filter; None when it is not used."""
    return request.query_params.get(name, "").replace("\0", "").strip()[:MAX_TEXT] or None


def read_before(request: DeskRequest) -> int | None:
    text = request.query_params.get("before", "")
    if text and not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Problem(422, NOT_A_ROW, [FieldError("before", NOT_A_ROW)])
    return int(text) if text else None


ROUTES = [staff("/audit", show_audit, role="admin")]
