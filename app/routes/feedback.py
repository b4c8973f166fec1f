"""How content a customer was: the public page behind the link of the question. Only a click on a button counts."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field
from starlette.responses import RedirectResponse, Response

from app.access import public, refuse_cross_site
from app.bodies import read_fields
from app.customer_words import name_direction, name_language, say, say_all, say_marks
from app.feedback_link import make_feedback_path, read_feedback_token
from app.forms import Count, InvalidInput, SentForm, check, check_range, count_ends
from app.problems import Problem
from app.rendering import JsonResponse, prefers_html, render_page
from app.state import DeskRequest
from db.csat import Question, find_question, keep_score
from db.pool import acquire

MAX_COMMENT = 2_000  # characters
WORDS = ("question", "thanks", "commented", "changeable", "why", "send", "closed", "not_kept", "skip")
GONE = "This link does not work any more."
HEADERS = {"Referrer-Policy": "same-origin", "X-Robots-Tag": "noindex, nofollow"}  # its address is its key


class Feedback(SentForm):
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
        return show(request, question, mistake=say("take_one", question.language, most=str(MAX_COMMENT)),
                    comment=fields.values.get("comment"))  # fmt: skip
    async with acquire(request.state["pool"]) as conn:
        outcome = await keep_score(conn, question.id, form.score, form.comment.strip().replace("\x00", ""))
    if outcome == "closed" and prefers_html(request):
        return show(request, question, status=410)
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


def show(
    request: DeskRequest, question: Question, *, mistake: str = "", comment: str | None = None, status: int = 200
) -> Response:
    """In the customer's language. mistake: why nothing was kept; comment: what was typed."""
    language, marks = question.language, say_marks(question.language)
    context: dict[str, Any] = {
        "question": question,
        "language": name_language(language),
        "direction": name_direction(language),
        "words": say_all(language, WORDS),
        "marks": marks,
        "answered": say("answered", language, mark=marks[question.score]) if question.score else "",
        "path": request.url.path,
        "mistake": mistake,
        "comment": (question.comment or "") if comment is None else comment,
        "max_comment": MAX_COMMENT,
    }
    return render_page(request, "feedback.html", context, status=422 if mistake else status, headers=HEADERS)


ROUTES = [public("/feedback/{token}", show_feedback), public("/feedback/{token}", answer, ("POST",))]
