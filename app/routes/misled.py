"""Who was told what an article does not say any more, and the corrections a manager has drafted for them."""

from collections import Counter
from itertools import groupby
from uuid import UUID

from starlette.responses import RedirectResponse, Response

from app.access import load_actor, staff
from app.bodies import is_form, read_fields
from app.corrections import cite, write_body, write_note
from app.problems import Problem
from app.rendering import JsonResponse, prefers_html, render_page
from app.routes.knowledge import read_slug
from app.state import DeskRequest
from db.audit import note_view
from db.knowledge_desk import Text, load_text
from db.misled import NewCorrection, Told, draft_correction, list_told
from db.pool import acquire

MOST = 200  # answers on one page; those that were corrected make no room

NOTHING = "Nothing is ticked. Tick the answers that told somebody something wrong."


async def show_misled(request: DeskRequest) -> Response:
    """GET /knowledge/{slug}/misled: answers sent that cite a passage whose text has changed, newest first."""
    return await show(request)


async def show(request: DeskRequest, *, mistake: str = "") -> Response:
    """The page, or the same for a program. mistake: why nothing was drafted."""
    slug = read_slug(request)
    async with acquire(request.state["pool"]) as conn:
        article = await load_text(conn, slug)
        told = await list_told(conn, slug, limit=MOST)
        await note_view(conn, load_actor(request), f"article:{slug}")
    if not prefers_html(request):
        return JsonResponse({"slug": slug, "version": article.version, "told": told})
    made, left = (request.query_params.get(name, "") for name in ("drafted", "waiting"))
    context = {
        "article": article, "told": told, "is_full": len(told) == MOST,
        "may_correct": load_actor(request).may("manager"),
        "drafted": int(made) if made.isdecimal() and len(made) < 5 else None,
        "left": int(left) if left.isdecimal() and len(left) < 5 else 0, "mistake": mistake,
    }  # fmt: skip
    return render_page(request, "misled.html", context, status=422 if mistake else 200)


async def correct(request: DeskRequest) -> Response:
    """POST /knowledge/{slug}/misled: `reply`, as often as wanted: in each conversation a draft that waits.

    Nothing is sent by it. JSON takes a list of ids as `reply`.
    """
    slug, wanted = read_slug(request), await read_replies(request)
    if not wanted:
        if prefers_html(request):
            return await show(request, mistake=NOTHING)
        raise Problem(422, NOTHING)
    outcomes: Counter[str] = Counter()
    async with acquire(request.state["pool"]) as conn, conn.transaction():
        article = await load_text(conn, slug)
        chosen = [one for one in await list_told(conn, slug, limit=MOST) if one.reply_id in wanted]
        for new in write_corrections(chosen, article):
            outcomes[await draft_correction(conn, load_actor(request), new)] += 1
    if not prefers_html(request):
        return JsonResponse({"drafted": outcomes["accepted"], "waiting": outcomes["waiting"]})
    counts = f"drafted={outcomes['accepted']}&waiting={outcomes['waiting']}"
    return RedirectResponse(f"/knowledge/{slug}/misled?{counts}", 303)


async def read_replies(request: DeskRequest) -> set[UUID]:
    """The answers that were ticked. Raises Problem."""
    if not is_form(request):
        given = (await read_fields(request)).values.get("reply", [])
    else:
        async with request.form(max_files=0, max_fields=MOST) as form:
            given = form.getlist("reply")
    try:
        return {UUID(str(one)) for one in (given if isinstance(given, list) else [given])}
    except ValueError:
        raise Problem(422, "Please send ids of answers.") from None


def write_corrections(chosen: list[Told], article: Text) -> list[NewCorrection]:
    """One for each conversation, of all that was ticked in it; what was corrected before is left out."""
    fresh = sorted(
        (one for one in chosen if one.corrected_by is None), key=lambda one: (str(one.conversation_id), one.sent_at)
    )
    made = []
    for _, group in groupby(fresh, key=lambda one: one.conversation_id):
        told = list(group)
        made.append(
            NewCorrection(
                replies=list(dict.fromkeys(one.reply_id for one in told)),
                article_id=told[0].article_id,
                body=write_body(told),
                citations=cite(told, article.slug, article.title, article.version),
                note=write_note(told, article),
            )
        )
    return made


ROUTES = [
    staff("/knowledge/{slug}/misled", show_misled),
    staff("/knowledge/{slug}/misled", correct, ("POST",), role="manager"),
]
