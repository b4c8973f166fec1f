"""Which error is told how. Whoever is logged in reads it as one of the team."""

import logging
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from app.access import find_visitor, read_session
from app.edge import add_headers
from app.problems import Problem, answer
from app.rendering import prefers_html
from db.errors import NotFound
from db.pool import UNAVAILABLE

log = logging.getLogger(__name__)

UNAVAILABLE_RETRY = 2  # seconds


async def answer_problem(request: Request, error: Problem) -> Response:
    await find_reader(request)
    return answer(request, error)


async def answer_http(request: Request, error: HTTPException) -> Response:
    return await answer_problem(request, Problem(error.status_code, headers=dict(error.headers or {})))


async def answer_not_found(request: Request, _: NotFound) -> Response:
    return await answer_problem(request, Problem(404))


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


async def find_reader(request: Request) -> None:
    """Who of the team reads the page, where no guard has asked; while the database cannot be had, nobody we know."""
    if not prefers_html(request) or getattr(request.state, "actor", None) or read_session(request) is None:
        return
    try:
        request.state.actor = await find_visitor(request)
    except UNAVAILABLE:
        return


ERROR_TABLE: dict[Any, Any] = {
    Problem: answer_problem,
    HTTPException: answer_http,
    NotFound: answer_not_found,
    ClientDisconnect: answer_disconnect,
    Exception: answer_crash,
} | dict.fromkeys(UNAVAILABLE, answer_unavailable)
"""Error class to answer; the most derived class wins."""
