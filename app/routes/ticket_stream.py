"""Live updates of a ticket's page."""

from starlette.responses import Response

from app.live import stream_changes
from app.state import DeskRequest
from db.pool import acquire
from db.tickets import find_ticket_stamp


async def stream_ticket(request: DeskRequest) -> Response:
    """GET /support/ticket/{reference}/events."""
    reference = request.path_params["reference"]

    async def read() -> str | None:
        async with acquire(request.state["pool"]) as conn:
            return await find_ticket_stamp(conn, reference)

    return await stream_changes(request, reference, read)
