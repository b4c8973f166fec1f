"""Articles that somebody proposes: from the editor, from what a person answered, from a question without an answer."""

from collections.abc import Sequence

from starlette.responses import RedirectResponse, Response

from app.access import load_actor, staff
from app.article_forms import ArticleForm, fill_fields, read_sent
from app.bodies import parse_id, read_id
from app.forms import InvalidInput, check
from app.gaps import find_gap, group_questions
from app.personal import find_personal
from app.problems import FieldError, Problem
from app.rendering import JsonResponse, prefers_html, render_page
from app.state import DeskRequest
from db.articles import ArticleError
from db.audit import note_view
from db.gaps import list_unanswered
from db.knowledge_desk import list_shelf
from db.pool import Connection, acquire
from db.proposals import NewProposal, Source, decide_proposal, load_source, propose_article

TITLE = 120  # characters
MOST_ARTICLES = 1000  # to choose from


async def propose(request: DeskRequest) -> Response:
    """POST /knowledge/proposals: the fields of an article, kept until somebody publishes or declines them.

    With nothing but a `message`, a person's answer or an unanswered question, the form made of it is shown, and
    nothing is kept: what it gives away of the customer is to be taken out first.
    """
    try:
        sent = await read_sent(request)
    except ArticleError as error:
        raise Problem(422, errors=[FieldError(error.field, error.problem)]) from None
    values = sent.values
    if values.get("message") and "body" not in values:
        return await show_form(request, values, ())
    try:
        form = check(ArticleForm, values)
    except InvalidInput as error:
        if not (sent.is_form and prefers_html(request)):
            raise Problem(422, errors=error.errors) from None
        return await show_form(request, values, error.errors)
    async with acquire(request.state["pool"]) as conn:
        made = await propose_article(conn, load_actor(request), describe(form))
    if not sent.is_form:
        return JsonResponse({"id": made, "state": "proposed"}, 201)
    return RedirectResponse("/knowledge?tab=proposals", 303)


def describe(form: ArticleForm) -> NewProposal:
    """A change of an article where one is named that exists, else a new one."""
    fields = form.model_dump(include={"category", "visibility", "plan", "language", "supersedes"})
    is_edit = form.version > 0
    adds = form.slug if form.message is not None else None
    return NewProposal(
        title=form.title, body=form.body, slug=form.slug if is_edit else adds,
        based_on=form.version if is_edit else None, questions=tuple(form.questions),
        fields=fields if is_edit or adds else fields | {"slug": form.slug}, source_message=form.message,
    )  # fmt: skip


async def show_form(request: DeskRequest, values: dict[str, object], mistakes: Sequence[FieldError]) -> Response:
    """The form made of a message, or as it was sent, with what stands out in it."""
    source: Source | None = None
    async with acquire(request.state["pool"]) as conn:
        if values.get("message"):
            source = await load_source(conn, parse_id(str(values["message"])))
            await note_view(conn, load_actor(request), f"conversation:{source.conversation_id}")
            values = values if "body" in values else await draw_up(conn, source)
        slugs = [line.slug for line in await list_shelf(conn, "live", "", after="", limit=MOST_ARTICLES, newest=0)]
    fields = fill_fields(values)
    text = "\n".join(fields[name] for name in ("title", "questions", "body"))
    hints = find_personal(text, source.names, source.addresses) if source else find_personal(text)
    if not prefers_html(request):
        return JsonResponse({"fields": fields, "look_at": hints})
    context = {
        "fields": fields, "hints": hints, "slugs": slugs, "source": source,
        "errors": {error.field: error.message for error in mistakes},
    }  # fmt: skip
    return render_page(request, "proposal.html", context, status=422 if mistakes else 200)


async def draw_up(conn: Connection, source: Source) -> dict[str, object]:
    """The fields of an article about what was said. A question brings those that ask the same, and what a person
    answered."""
    made = {"message": source.message_id, "language": (source.language or "en")[:2]}
    if source.author != "customer":
        return made | {"title": shorten(source.subject or source.text), "body": source.text}
    gap = find_gap(group_questions(await list_unanswered(conn)), source.message_id)
    if gap is None:
        return made | {"title": shorten(source.text), "body": "", "questions": shorten(source.text)}
    return made | {"title": shorten(source.text), "body": gap.reply, "questions": "\n".join(gap.wordings)}


def shorten(text: str) -> str:
    """The first line of a text, cut where a word ends."""
    line = " ".join(text.split())
    return line if len(line) <= TITLE else line[:TITLE].rpartition(" ")[0] or line[:TITLE]


async def decline(request: DeskRequest) -> Response:
    """POST /knowledge/proposals/{id}/decline."""
    proposal_id = read_id(request)
    async with acquire(request.state["pool"]) as conn:
        outcome = await decide_proposal(conn, load_actor(request), proposal_id, "declined")
    if outcome == "missing":
        raise Problem(404)
    if outcome == "decided":
        raise Problem(409, "It was published already.")
    if not prefers_html(request):
        return JsonResponse({"id": proposal_id, "outcome": outcome})
    return RedirectResponse("/knowledge?tab=proposals", 303)


ROUTES = [
    staff("/knowledge/proposals", propose, ("POST",)),
    staff("/knowledge/proposals/{id}/decline", decline, ("POST",), role="manager"),
]
