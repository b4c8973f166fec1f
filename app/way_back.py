"""Where somebody is led who has to log in before they go on."""

from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.routing import Match

START_PAGE = "/inbox"


def is_own(request: Request[Any], netloc: str) -> bool:
    """Whether a host and port are this site's."""
    return netloc in (request.headers.get("host", ""), urlsplit(request.state.settings.public_base_url).netloc)


def find_page(request: Request[Any]) -> str:
    """The page of the team whose form this is: as the browser names it, else the nearest above the form's address."""
    try:
        came_from = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        came_from = urlsplit("")
    page = find_above(request, came_from.path) if is_own(request, came_from.netloc) else None
    if page is not None and page == came_from.path and came_from.query:
        return f"{page}?{came_from.query}"
    return page or find_above(request, request.url.path) or START_PAGE


def find_above(request: Request[Any], path: str) -> str | None:
    """The path, or the nearest above it, that is a page of the team; a form's own address is none."""
    while path:
        asked = {"type": "http", "method": "GET", "path": path}
        for route in request.app.routes:
            if getattr(route, "audience", None) == "staff" and route.matches(asked)[0] is Match.FULL:
                return path
        path = path.rpartition("/")[0]
    return None
