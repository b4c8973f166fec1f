"""What a request alone tells of whoever sends it: somebody, a page that was left open, or a machine."""

from typing import Any

from starlette.requests import Request

SAFE_METHODS = ("GET", "HEAD")
KEY_PREFIX = "dk_"
EVENTS = "/events"
"""What the addresses of all event streams end with: a browser opens them again and again, and can send no header."""
PARTS = ("image", "iframe")
"""What a page asks for to show itself (Sec-Fetch-Dest): it follows a look, or a refresh."""


def read_bearer(request: Request[Any]) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def is_of_machine(request: Request[Any]) -> bool:
    """Whether it comes with an API key, be it one of ours or not."""
    return (read_bearer(request) or "").startswith(KEY_PREFIX)


def is_by_itself(request: Request[Any]) -> bool:
    """Whether nobody did anything for this request: an event stream, a part of a page, or one with X-Refresh.

    Our scripts send X-Refresh when they load their own page again. What changes anything was done by somebody.
    """
    if request.method not in SAFE_METHODS:
        return False
    return (
        request.url.path.endswith(EVENTS)
        or "x-refresh" in request.headers
        or request.headers.get("sec-fetch-dest") in PARTS
    )
