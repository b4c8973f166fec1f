"""What goes wrong and how it is told: problem+json for programs, a page for people, internals for nobody."""

import math
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.rendering import JsonResponse, prefers_html, render_page

DETAILS = {
    400: "The request could not be read.",
    401: "This is for the team. Log in, or send a key.",
    403: "This request came from another site.",
    404: "There is nothing here.",
    405: "This address does not take that method.",
    408: "The request took too long to arrive.",
    413: "The request is too large.",
    415: "Send application/json or a form.",
    503: "The service cannot answer right now. Nothing was stored; please try again in a moment.",
}
NO_TICKET = (
    "There is nothing here. The link may be incomplete: open it again from where you have it, or copy it to its end."
)
"""Of every ticket's address that opens nothing, whatever the reason."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field of the input and what is wrong with it, in words for the person who typed it."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Link:
    """Where a page leads on to."""

    address: str
    words: str


@dataclass
class Problem(Exception):
    """An answer that is not what was asked for. `detail` is shown to strangers.

    heading: what a page says first, in place of the status. link: where its button leads strangers.
    """

    status: int
    detail: str = ""
    errors: list[FieldError] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    heading: str = ""
    link: Link | None = None

    @property
    def title(self) -> str:
        return HTTPStatus(self.status).phrase


def too_many(retry_after_seconds: float, what: str = "Too many messages.") -> Problem:
    """429, with the time after which it is worth another try."""
    wait = max(1, math.ceil(retry_after_seconds))
    return Problem(429, f"{what} Please try again in {say_duration(wait)}.", headers={"Retry-After": str(wait)})


def say_duration(seconds: int) -> str:
    if seconds < 90:
        return f"{seconds} second{'' if seconds == 1 else 's'}"
    return f"{round(seconds / 60)} minutes"


def explain(request: Request[Any], problem: Problem) -> str:
    """What is said where nobody said more."""
    if problem.status == 404 and getattr(request.scope.get("route"), "audience", None) == "ticket":
        return NO_TICKET
    return DETAILS.get(problem.status, problem.title)


def answer(request: Request[Any], problem: Problem) -> Response:
    """The problem as the client can read it."""
    detail = problem.detail or explain(request, problem)
    if prefers_html(request):
        is_team = getattr(request.state, "actor", None) is not None
        context = {
            "status": problem.status, "title": problem.title, "detail": detail, "heading": problem.heading,
            "link": None if is_team else problem.link,
        }  # fmt: skip
        return render_page(request, "problem.html", context, status=problem.status, headers=problem.headers)
    body: dict[str, Any] = {"type": "about:blank", "title": problem.title, "status": problem.status, "detail": detail}
    if problem.errors:
        body["errors"] = problem.errors
    return JsonResponse(body, problem.status, problem.headers, media_type="application/problem+json")
