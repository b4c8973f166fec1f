"""What Google posts to us: that something happened in the mailbox. Only a hint; the mailbox itself is then read."""

import base64
import json
import logging
from typing import Any

from starlette.responses import Response

from app.access import signed
from app.problems import Problem
from app.state import DeskRequest
from channels.base import InvalidSignature
from db.queue import NewWork

log = logging.getLogger(__name__)

OFF = "This channel is off."
REFUSED = "The token is not valid."


async def receive_push(request: DeskRequest) -> Response:
    """POST /webhooks/gmail: 204 once a reading of the mailbox is queued; one for all hints of the same change."""
    tokens = request.state["push_tokens"]
    if tokens is None:
        raise Problem(503, OFF)
    try:
        await tokens.check(request.headers.get("authorization", ""))
    except InvalidSignature as error:
        log.warning("a push was refused", extra={"reason": str(error)})
        raise Problem(403, REFUSED) from None
    change = read_change(await request.body())
    await request.state["gatherer"].add(NewWork("job:gmail_sync", "gmail_sync", {}, f"gmail_sync:{change}"))
    return Response(status_code=204)


def read_change(body: bytes) -> str:
    """The history id in a push envelope; "unknown" in one that cannot be read, which is a hint all the same."""
    try:
        envelope: Any = json.loads(body)
        told = json.loads(base64.b64decode(envelope["message"]["data"]))
        return str(int(told["historyId"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return "unknown"


ROUTES = [signed("/webhooks/gmail", receive_push)]
"""What Google posts."""
