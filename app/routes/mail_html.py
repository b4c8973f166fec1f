"""A customer's mail as they laid it out, boxed."""

from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from app.access import load_actor, staff
from app.bodies import read_id
from app.mail_html import TooDeep, make_page
from app.problems import Problem
from app.state import DeskRequest
from channels.mail.shown import find_html
from db.audit import note_view
from db.mails import find_raw_mail
from db.pool import acquire


async def show_mail(request: DeskRequest) -> Response:
    """GET /conversations/{id}/mails/{mail}: the HTML of a mail of this conversation; ?pictures=1 loads those in it."""
    conversation_id, mail_id = read_id(request), request.path_params["mail"]
    if not mail_id.isprintable():
        raise Problem(404)
    async with acquire(request.state["pool"]) as conn:
        raw = await find_raw_mail(conn, conversation_id, mail_id)
        if raw is None:
            raise Problem(404)
        await note_view(conn, load_actor(request), f"conversation:{conversation_id}")
    html = await run_in_threadpool(find_html, raw)
    if html is None:
        raise Problem(404, "This mail has no other form than its text.")
    try:
        page, policy = await run_in_threadpool(
            make_page, html, with_pictures=request.query_params.get("pictures") == "1"
        )
    except TooDeep:
        raise Problem(404, "This mail is nested too deeply to be shown safely; read its text instead.") from None
    return HTMLResponse(page, headers={"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"})


ROUTES = [staff("/conversations/{id}/mails/{mail}", show_mail)]
