"""How answers are written: JSON for programs, pages from app/pages for people."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import jinja2
import orjson
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app.asking import SAFE_METHODS, is_of_machine
from app.markdown import render_markdown

PAGES = Path(__file__).parent / "pages"
STATIC = Path(__file__).parent / "static"


class JsonResponse(Response):
    """JSON with times in RFC 3339, UTC; takes dataclasses, datetimes and UUIDs as they are."""

    def __init__(
        self, content: object, status: int = 200, headers: Mapping[str, str] | None = None,
        media_type: str = "application/json",
    ) -> None:  # fmt: skip
        body = orjson.dumps(content, default=write_id, option=orjson.OPT_UTC_Z)
        super().__init__(body, status, headers, media_type)


def write_id(value: object) -> str:
    if isinstance(value, UUID):  # the driver's own kind, which orjson does not know
        return str(value)
    raise TypeError(type(value).__name__)


def prefers_html(request: Request[Any]) -> bool:
    """Whether the client asks for a page: it names text/html, and JSON not at all or with less weight.

    A machine that changes something gets none: refused, it would read on the page what its key need not open.
    """
    if request.method not in SAFE_METHODS and is_of_machine(request):
        return False
    weights = {"text/html": 0.0, "application/json": 0.0}
    for part in request.headers.get("accept", "").lower().split(","):
        kind, *parameters = [piece.strip() for piece in part.split(";")]
        if kind in weights:
            weights[kind] = next((read_weight(piece) for piece in parameters if piece.startswith("q=")), 1.0)
    return weights["text/html"] > weights["application/json"]


def read_weight(parameter: str) -> float:
    try:
        return float(parameter.removeprefix("q="))
    except ValueError:
        return 0.0


@cache
def static_url(name: str) -> str:
    """Address of a file in app/static that changes with its content, so that browsers may keep it for ever."""
    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]}"


def say_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%-d %B %Y, %H:%M UTC")


def machine_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def say_channel(channel: str) -> str:
    return "WhatsApp" if channel == "whatsapp" else channel.capitalize()


def say_share(share: float | None) -> str:
    return "no data" if share is None else f"{share:.0%}"


def say_span(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "no data"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def say_dollars(amount: float | None) -> str:
    return "no data" if amount is None else f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def say_mood(score: float | None) -> str:
    return "no data" if score is None else f"{score:+.2f}"


@cache
def load_templates() -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGES), autoescape=True, auto_reload=False,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    for filter_ in (say_time, machine_time, say_channel, say_share, say_span, say_dollars, say_mood, render_markdown):
        templates.filters[filter_.__name__] = filter_
    templates.globals["static_url"] = static_url
    return templates


def render_part(name: str, context: Mapping[str, Any]) -> Markup:
    """A part of a page from app/pages that knows nothing but its context."""
    return Markup(load_templates().get_template(name).render(context))  # noqa: S704  (the template escapes)


def render_page(
    request: Request[Any], name: str, context: Mapping[str, Any], *, status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    """A page from app/pages. Every template knows the company's name, and who of the team asks (None: nobody)."""
    known = {"company": request.state.settings.company_name, "actor": getattr(request.state, "actor", None)}
    html = load_templates().get_template(name).render(known | dict(context))
    return HTMLResponse(html, status, headers)
