"""How content a customer was: the public page behind the link of the question. Only a click on a button counts."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field
from starlette.responses import RedirectResponse, Response

from app.access import public, refuse_cross_site
from app.bodies import read_fields
from app.feedback_link import make_feedback_path, read_feedback_token
from app.forms import Count, InvalidInput, check, check_range, count_ends
from app.problems import Problem
from app.rendering import JsonResponse, prefers_html, render_page
from app.state import DeskRequest
from app.team_forms import TeamForm
from db.csat import MARKS, Question, find_question, keep_score
from db.pool import acquire

MAX_COMMENT = 2_000  # characters
GONE = "This link does not work any more."
HEADERS = {"Referrer-Policy": "same-origin", "X-Robots-Tag": "noindex, nofollow"}  # its address is its key


class Feedback(TeamForm):
    """A mark, 1 to 5, and perhaps words."""

    score: Annotated[Count, AfterValidator(lambda score: check_range(score, 1, 5))]
    comment: Annotated[str, BeforeValidator(count_ends), Field(max_length=MAX_COMMENT)] = ""


async def show_feedback(request: DeskRequest) -> Response:
    """GET /feedback/{token}: the buttons. Looking answers nothing: programs open links, too."""
    return show(request, await load_question(request))


async def answer(request: DeskRequest) -> Response:
    """POST /feedback/{token}: `score`, and perhaps a `comment`. The last one counts."""
    refuse_cross_site(request)
    question = await load_question(request)
    fields = await read_fields(request)
    try:
        form = check(Feedback, fields.values)
    except InvalidInput as error:
        if not prefers_html(request):
            raise Problem(422, errors=error.errors) from None
        return show(request, question, [one.message for one in error.errors])
    async with acquire(request.state["pool"]) as conn:
        outcome = await keep_score(conn, question.id, form.score, form.comment.strip().replace("\x00", ""))
    if outcome != "accepted":
        raise Problem(410, GONE)
    if fields.is_form:
        return RedirectResponse(make_feedback_path(request.state["settings"], question.id), 303, headers=HEADERS)
    return JsonResponse({"score": form.score})


async def load_question(request: DeskRequest) -> Question:
    """Raises the 404 Problem for a link we did not make."""
    question_id: UUID | None = read_feedback_token(request.state["settings"], request.path_params["token"])
    if question_id is None:
        raise Problem(404, GONE)
    async with acquire(request.state["pool"]) as conn:
        question = await find_question(conn, question_id)
    if question is None:
        raise Problem(404, GONE)
    return question


def show(request: DeskRequest, question: Question, errors: list[str] | None = None) -> Response:
    context: dict[str, Any] = {
        "question": question,
        "marks": MARKS,
        "path": request.url.path,
        "errors": errors or [],
        "max_comment": MAX_COMMENT,
    }
    return render_page(request, "feedback.html", context, status=422 if errors else 200, headers=HEADERS)


ROUTES = [public("/feedback/{token}", show_feedback), public("/feedback/{token}", answer, ("POST",))]
