"""The few files a browser needs, kept in memory."""

from functools import cache

from starlette.responses import Response

from app.access import public
from app.problems import Problem
from app.rendering import STATIC
from app.state import DeskRequest

KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOR_EVER = "public, max-age=31536000, immutable"


@cache
def load_files() -> dict[str, tuple[bytes, str]]:
    """Content and type by name."""
    return {path.name: (path.read_bytes(), KINDS[path.suffix]) for path in STATIC.iterdir() if path.suffix in KINDS}


async def show_file(request: DeskRequest) -> Response:
    """GET /static/{name}: pages name it with a hash of its content, so that browsers may keep it for ever."""
    found = load_files().get(request.path_params["name"])
    if found is None:
        raise Problem(404)
    content, kind = found
    cache_control = FOR_EVER if "v" in request.query_params else "no-cache"
    return Response(content, media_type=kind, headers={"Cache-Control": cache_control})


ROUTES = [public("/static/{name}", show_file)]
