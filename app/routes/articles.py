"""Public articles, in the version that was cited or the newest one. Internal ones do not exist here."""

import re

from starlette.responses import Response

from app.access import public
from app.markdown import render_markdown
from app.problems import Problem
from app.rendering import render_page
from app.state import DeskRequest
from db.knowledge import load_article
from db.pool import acquire

SLUG = re.compile(r"[a-z0-9-]{1,200}")
VERSION = re.compile(r"[1-9][0-9]{0,8}")


async def show_article(request: DeskRequest) -> Response:
    """GET /help/{slug}?version=."""
    slug, wanted = request.path_params["slug"], request.query_params.get("version")
    if not SLUG.fullmatch(slug) or (wanted is not None and not VERSION.fullmatch(wanted)):
        raise Problem(404)
    async with acquire(request.state["pool"]) as conn:
        article = await load_article(conn, slug, int(wanted) if wanted else None)
    context = {"article": article, "body": render_markdown(article.body), "is_live": article.state == "live"}
    return render_page(request, "article.html", context)


ROUTES = [public("/help/{slug}", show_article)]
