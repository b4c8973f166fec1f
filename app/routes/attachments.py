"""Files that customers sent, for the team."""

from uuid import UUID

from starlette.responses import Response

from app.access import staff
from app.problems import Problem
from app.state import DeskRequest
from db.attachments import load_content
from db.pool import acquire

SHOWN = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
"""What a browser may show, and what its name ends with."""
ENDINGS = {
    "application/pdf": "pdf", "text/plain": "txt", "text/csv": "csv", "text/vcard": "vcf", "audio/ogg": "ogg",
    "audio/mpeg": "mp3", "audio/mp4": "m4a", "audio/amr": "amr", "audio/aac": "aac", "video/mp4": "mp4",
    "video/3gpp": "3gp", "image/heic": "heic", "application/zip": "zip",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
}  # fmt: skip
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "Cache-Control": "private, max-age=3600",
}


async def show_attachment(request: DeskRequest) -> Response:
    """GET /attachments/{id}: pictures are shown, everything else is only given out to be saved."""
    try:
        attachment_id = UUID(request.path_params["id"])
    except ValueError:
        raise Problem(404) from None
    async with acquire(request.state["pool"]) as conn:
        kind, content = await load_content(conn, attachment_id)
    ending = SHOWN.get(kind) or ENDINGS.get(kind, "bin")
    disposition = "inline" if kind in SHOWN else "attachment"
    headers = HEADERS | {"Content-Disposition": f'{disposition}; filename="{attachment_id}.{ending}"'}
    response = Response(content, headers=headers)
    response.headers["Content-Type"] = kind if kind in SHOWN else "application/octet-stream"
    return response


ROUTES = [staff("/attachments/{id}", show_attachment)]
