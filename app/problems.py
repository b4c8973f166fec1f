"""What goes wrong and how it is told: problem+json for programs, a page for people, internals for nobody."""

import logging
import math
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from app.edge import add_headers
from app.rendering import JsonResponse, prefers_html, render_page
from db.errors import NotFound
from db.pool import UNAVAILABLE

log = logging.getLogger(__name__)

UNAVAILABLE_RETRY = 2  # seconds

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


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field of the input and what is wrong with it, in words for the person who typed it."""

    field: str
    message: str


@dataclass
class Problem(Exception):
    """An answer that is not what was asked for. `detail` is shown to strangers."""

    status: int
    detail: str = ""
    errors: list[FieldError] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return HTTPStatus(self.status).phrase


def too_many(retry_after_seconds: float) -> Problem:
    """429, with the time after which it is worth another try."""
    wait = max(1, math.ceil(retry_after_seconds))
    detail = f"Too many messages. Please try again in {say_duration(wait)}."
    return Problem(429, detail, headers={"Retry-After": str(wait)})


def say_duration(seconds: int) -> str:
    if seconds < 90:
        return f"{seconds} seconds"
    return f"{round(seconds / 60)} minutes"


def answer(request: Request[Any], problem: Problem) -> Response:
    """The problem as the client can read it."""
    detail = problem.detail or DETAILS.get(problem.status, problem.title)
    if prefers_html(request):
        context = {"status": problem.status, "title": problem.title, "detail": detail}
        return render_page(request, "problem.html", context, status=problem.status, headers=problem.headers)
    body: dict[str, Any] = {"type": "about:blank", "title": problem.title, "status": problem.status, "detail": detail}
    if problem.errors:
        body["errors"] = problem.errors
    return JsonResponse(body, problem.status, problem.headers, media_type="application/problem+json")


async def answer_http(request: Request, error: HTTPException) -> Response:
    return answer(request, Problem(error.status_code, headers=dict(error.headers or {})))


async def answer_not_found(request: Request, _: NotFound) -> Response:
    return answer(request, Problem(404))


async def answer_unavailable(request: Request, error: Exception) -> Response:
    """The database cannot be had. Nothing is lost: whoever sent this is told to send it again."""
    ids = {"request_id": request.scope.get("request_id"), "error_kind": type(error).__name__}
    log.warning("the database cannot be had", extra=ids)
    return answer(request, Problem(503, headers={"Retry-After": str(UNAVAILABLE_RETRY)}))


async def answer_disconnect(_: Request, __: ClientDisconnect) -> Response:
    return Response(status_code=400)  # nobody is left to read it


async def answer_crash(request: Request, error: Exception) -> Response:
    """An error nobody foresaw: logged with an id, and only the id is shown."""
    request_id = request.scope.get("request_id", "unknown")
    log.error("request failed", extra={"request_id": request_id}, exc_info=error)
    detail = f"Something went wrong on our side. If you tell us about it, name {request_id}."
    response = answer(request, Problem(500, detail))
    add_headers(response.headers, request.scope)  # this answer is given outside of every middleware
    return response


async def answer_problem(request: Request, error: Problem) -> Response:
    return answer(request, error)


ERROR_TABLE: dict[Any, Any] = {
    Problem: answer_problem,
    HTTPException: answer_http,
    NotFound: answer_not_found,
    ClientDisconnect: answer_disconnect,
    Exception: answer_crash,
} | dict.fromkeys(UNAVAILABLE, answer_unavailable)
"""Error class to answer; the most derived class wins."""
