"""Files that customers sent, for the team."""

from starlette.responses import Response

from app.access import load_actor, staff
from app.bodies import read_id
from app.files import SHOWN, name_ending
from app.state import DeskRequest
from db.attachments import load_content
from db.audit import note_view
from db.pool import acquire

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
}


async def show_attachment(request: DeskRequest) -> Response:
    """GET /attachments/{id}: pictures are shown, everything else is only given out to be saved."""
    attachment_id = read_id(request)
    async with acquire(request.state["pool"]) as conn:
        kind, content = await load_content(conn, attachment_id)
        await note_view(conn, load_actor(request), f"attachment:{attachment_id}")
    disposition = "inline" if kind in SHOWN else "attachment"
    headers = HEADERS | {"Content-Disposition": f'{disposition}; filename="{attachment_id}.{name_ending(kind)}"'}
    response = Response(content, headers=headers)
    response.headers["Content-Type"] = kind if kind in SHOWN else "application/octet-stream"
    return response


ROUTES = [staff("/attachments/{id}", show_attachment)]
