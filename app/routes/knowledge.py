"""The team's knowledge: the list of articles, and the page on which one is written, published and retired."""

from dataclasses import replace

from starlette.responses import RedirectResponse, Response

from app.access import load_actor, staff
from app.article_forms import ArticleForm, Sent, read_sent, today
from app.bodies import parse_id
from app.forms import InvalidInput, check
from app.gaps import group_questions
from app.knowledge_page import (
    Editor,
    compare,
    cut,
    fields_of,
    find_editor,
    load_editor,
    make_search,
    read_question,
    show_editor,
    write_out,
)
from app.line_diff import diff_lines
from app.problems import FieldError, Problem
from app.rendering import JsonResponse, prefers_html, render_page
from app.routes.articles import SLUG, VERSION
from app.state import DeskRequest
from db.articles import ArticleError, WrittenArticle, cut_article
from db.audit import note_view
from db.gaps import list_unanswered
from db.knowledge import find_live
from db.knowledge_desk import COUNTED, list_shelf, load_text, try_out
from db.misled import count_told
from db.pool import Connection, acquire
from db.proposals import Proposal, decide_proposal, list_proposals, load_proposal
from db.publishing import EditConflict, Published, publish_article, retire_article
from db.search import search_passages

PAGE = 200  # articles
MAX_WORDS = 200
TABS = {
    "live": "Articles", "unused": "Never used", "gaps": "Gaps", "proposals": "Proposals", "retired": "Retired"
}  # fmt: skip
READ = "It was read into the form below. Look at it, then publish or propose it."


async def show_list(request: DeskRequest) -> Response:
    """GET /knowledge?tab=&words=&after=: articles, gaps or proposals, as a page or JSON."""
    asked = request.query_params
    tab = asked.get("tab", "live")
    if tab not in TABS:
        raise Problem(404)
    words, after = (asked.get(name, "").replace("\0", "").strip()[:MAX_WORDS] for name in ("words", "after"))
    lines, gaps, proposals = [], [], []
    async with acquire(request.state["pool"]) as conn:
        if tab == "gaps":
            await note_view(conn, load_actor(request), "knowledge:gaps")
            gaps = group_questions(await list_unanswered(conn))
        elif tab == "proposals":
            proposals = await list_proposals(conn, limit=PAGE)
        else:
            lines = await list_shelf(conn, tab, words, after=after, limit=PAGE)  # type: ignore[arg-type]
    if not prefers_html(request):
        found = {"gaps": [{"wordings": gap.wordings, "conversations": gap.conversations} for gap in gaps]}
        return JsonResponse({"articles": lines, "proposals": proposals} | found)
    context = {
        "tabs": TABS, "tab": tab, "words": words, "lines": lines, "counted": COUNTED, "gaps": gaps,
        "proposals": proposals, "next": lines[-1].slug if len(lines) == PAGE else None,
        "may_publish": load_actor(request).may("manager"),
    }  # fmt: skip
    return render_page(request, "knowledge.html", context)


async def show_new(request: DeskRequest) -> Response:
    """GET /knowledge/new?proposal=: the page with empty fields, or with those of a proposal."""
    proposal = await find_proposal(request)
    if proposal is None:
        return show_editor(request, Editor(), {})
    return show_editor(request, Editor(quoted=proposal.body), fields_of_proposal(proposal))


async def show_article(request: DeskRequest) -> Response:
    """GET /knowledge/{slug}?from=&to=&question=&proposal=: the page of an article; JSON: its newest version."""
    slug, asked = read_slug(request), request.query_params
    proposal, question = await find_proposal(request), read_question(asked)
    async with acquire(request.state["pool"]) as conn:
        article = await load_text(conn, slug)
        editor = await load_editor(conn, article)
        if question:
            editor = replace(editor, found=await search_passages(conn, make_search(question)))
        if "from" in asked:
            old, new = [await load_text(conn, slug, read_version(asked.get(name))) for name in ("from", "to")]
            words = f"From version {old.version} to version {new.version}"
            editor = replace(editor, compared=words, changes=compare(old, new))
    if not prefers_html(request):
        shown = {"article": article, "versions": editor.versions, "passages": editor.passages, "found": editor.found}
        return JsonResponse(shown | {"changes": editor.changes, "told_otherwise": editor.told})
    values = fields_of(article) | {"question": question}
    if proposal is not None:
        editor, values = replace(editor, quoted=proposal.body), values | change_fields(proposal, str(values["body"]))
    return show_editor(request, editor, values)


def read_slug(request: DeskRequest) -> str:
    slug: str = request.path_params["slug"]
    if not SLUG.fullmatch(slug):
        raise Problem(404)
    return slug


def read_version(text: str | None) -> int | None:
    """The version named in an address; None for the newest. Raises the 404 Problem."""
    if text and not VERSION.fullmatch(text):
        raise Problem(404)
    return int(text) if text else None


async def find_proposal(request: DeskRequest) -> Proposal | None:
    """The proposal named in the address. Raises NotFound, and the 404 Problem for what is no id."""
    named = request.query_params.get("proposal")
    if not named:
        return None
    async with acquire(request.state["pool"]) as conn:
        return await load_proposal(conn, parse_id(named))


def fields_of_proposal(proposal: Proposal) -> dict[str, object]:
    questions = "\n".join(proposal.questions)
    written = {"title": proposal.title, "body": proposal.body, "questions": questions, "proposal": proposal.id}
    return {**proposal.fields, **written}


def change_fields(proposal: Proposal, body: str) -> dict[str, object]:
    """The fields of an article changed as proposed: its text edited, or what is to be added put at its end."""
    if proposal.based_on is not None:
        return fields_of_proposal(proposal) | {"slug": proposal.slug, "version": proposal.based_on}
    return {"body": f"{body}\n\n## {proposal.title}\n\n{proposal.body}", "proposal": proposal.id}


async def preview(request: DeskRequest) -> Response:
    """POST /knowledge/preview: how the text would be cut, and what a question would find; nothing is kept.

    With a file: the page with its text in the fields.
    """
    taken = await take_article(request)
    if isinstance(taken, Response):
        return taken
    sent, form, written = taken
    question = read_question(sent.values)
    async with acquire(request.state["pool"]) as conn:
        editor = await find_editor(conn, written.slug)
        try:
            found = await try_out(conn, cut_article(written), make_search(question, form.plan)) if question else None
        except ArticleError as error:
            return await refuse(request, sent, [FieldError(error.field, error.problem)])
    editor = replace(editor, passages=cut(written), found=found)
    if not (sent.is_form and prefers_html(request)):
        return JsonResponse({"passages": editor.passages, "found": found})
    return show_editor(request, replace(editor, notice=READ if sent.is_read else ""), sent.values)


async def take_article(request: DeskRequest) -> Response | tuple[Sent, ArticleForm, WrittenArticle]:
    """What was sent, checked; else the page with what is wrong. Raises Problem for programs."""
    sent = Sent({}, is_form=True)
    try:
        sent = await read_sent(request)
        form = check(ArticleForm, sent.values)
        return sent, form, form.write(today())
    except InvalidInput as error:
        mistakes = error.errors
    except ArticleError as error:
        mistakes = [
            FieldError(error.field, f"{error.source}: {error.problem}" if error.field == "file" else error.problem)
        ]
    return await refuse(request, sent, mistakes)


async def refuse(request: DeskRequest, sent: Sent, mistakes: list[FieldError]) -> Response:
    """The page with what is wrong and all that was sent. Raises the 422 Problem for programs."""
    if not (sent.is_form and prefers_html(request)):
        raise Problem(422, errors=mistakes)
    async with acquire(request.state["pool"]) as conn:
        editor = await find_editor(conn, str(sent.values.get("slug") or ""))
    return show_editor(request, replace(editor, mistakes=mistakes), sent.values, status=422)


async def publish(request: DeskRequest) -> Response:
    """POST /knowledge/publish: the fields of the page, with the `version` they started from.

    409 with nothing kept, and all that was typed, when another version is live meanwhile.
    """
    taken = await take_article(request)
    if isinstance(taken, Response):
        return taken
    sent, form, written = taken
    if sent.is_read:
        return show_editor(request, Editor(notice=READ, passages=cut(written)), sent.values)
    try:
        async with acquire(request.state["pool"]) as conn:
            done = await keep(conn, request, form, written)
            told = await count_told(conn, written.slug)
    except EditConflict as conflict:
        return await show_conflict(request, sent, written, conflict)
    except ArticleError as error:
        return await refuse(request, sent, [FieldError(error.field, error.problem)])
    if not sent.is_form:
        return JsonResponse(
            {"slug": written.slug, "version": done.version, "status": done.status, "told_otherwise": told}
        )
    return RedirectResponse(f"/knowledge/{written.slug}" + ("/misled" if told else ""), 303)


async def keep(conn: Connection, request: DeskRequest, form: ArticleForm, written: WrittenArticle) -> Published:
    """Publish it, dated today unless nothing changed, and settle the proposal it was made of."""
    who = load_actor(request)
    async with conn.transaction():
        live = await find_live(conn, written.slug)
        dated = replace(written, updated=(await load_text(conn, written.slug)).updated) if live else written
        is_same = live is not None and cut_article(dated).content_hash == live.content_hash
        done = await publish_article(conn, who, cut_article(dated if is_same else written), based_on=form.version)
        if form.proposal is not None:
            await decide_proposal(conn, who, form.proposal, "published")
    return done


async def show_conflict(request: DeskRequest, sent: Sent, written: WrittenArticle, conflict: EditConflict) -> Response:
    """Somebody was faster: their words beside those that were typed, which stay in the fields."""
    told = say_conflict(conflict.version, str(sent.values.get("version") or 0))
    if not (sent.is_form and prefers_html(request)):
        raise Problem(409, told)
    async with acquire(request.state["pool"]) as conn:
        article = await load_text(conn, written.slug)
        editor = await load_editor(conn, article)
    mine = sent.values | {"slug": written.slug, "version": conflict.version}
    changes = diff_lines(write_out(fields_of(article)), write_out(mine))
    words = f"From version {article.version} to your text"
    shown = replace(editor, notice=told, compared=words, changes=changes, passages=cut(written))
    return show_editor(request, shown, mine, status=409)


def say_conflict(now: int, started: str) -> str:
    """What became of the article that somebody wrote, starting from another version. now: the live one, 0 for none."""
    if now == 0:
        return "It was retired while you wrote. Your text is still here; publishing it brings the article back."
    if started == "0":
        return f"There is an article of this name, in version {now}. Publishing yours would replace it."
    return f"Version {now} was published while you wrote. Your text is still here; publishing it replaces theirs."


async def retire(request: DeskRequest) -> Response:
    """POST /knowledge/{slug}/retire: nothing finds or cites it any more; its versions stay."""
    slug = read_slug(request)
    async with acquire(request.state["pool"]) as conn:
        await retire_article(conn, slug, load_actor(request))
        told = await count_told(conn, slug)
    if not prefers_html(request):
        return JsonResponse({"slug": slug, "status": "retired", "told_otherwise": told})
    return RedirectResponse(f"/knowledge/{slug}" + ("/misled" if told else ""), 303)


ROUTES = [
    staff("/knowledge", show_list),
    staff("/knowledge/new", show_new),
    staff("/knowledge/preview", preview, ("POST",)),
    staff("/knowledge/publish", publish, ("POST",), role="manager"),
    staff("/knowledge/{slug}", show_article),
    staff("/knowledge/{slug}/retire", retire, ("POST",), role="manager"),
]
