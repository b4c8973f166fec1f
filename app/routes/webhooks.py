"""What vendors post to us. Signed or refused; stored before it is acknowledged."""

import logging
from datetime import UTC, datetime, timedelta
from uuid import UUID

from starlette.responses import Response

from app.access import is_delivery_signature, signed
from app.problems import Problem
from app.state import DeskRequest
from channels.base import InvalidSignature
from channels.twilio.fields import Fields
from channels.twilio.messages import PostedMessage, UnreadableWebhook
from channels.twilio.statuses import STATUSES
from channels.twilio.webhooks import WhatsAppWebhooks
from db.chats import find_stored_body, keep_aside, opt_in, opt_out
from db.deliveries import record_status
from db.pool import acquire
from db.queue import NewWork, add_many

log = logging.getLogger(__name__)

REFUSED = "The signature is not valid."
UNREADABLE = "This is not a message we can store."
OFF = "This channel is off. Nothing was stored."


async def receive_message(request: DeskRequest) -> Response:
    """POST /webhooks/whatsapp: 204 once the message is stored; a second delivery of it changes nothing."""
    webhooks, fields = await read_signed(request)
    try:
        posted = webhooks.read_message(fields, datetime.now(UTC))
    except InvalidSignature as error:
        raise refuse(error) from None
    except UnreadableWebhook as error:
        raise give_back(error) from None
    rules = await request.state["rules"].find("whatsapp")
    if rules is None or not rules.is_on:
        raise Problem(503, OFF)
    if posted.wish == "stop" or posted.kept_as is not None:
        is_new = await keep(request, posted)
    else:
        is_new = await queue(request, posted, rules.quiet_cap)
    if not is_new:
        await compare_stored(request, posted)
    return Response(status_code=204)


async def keep(request: DeskRequest, posted: PostedMessage) -> bool:
    """Store what no turn answers. False when it was stored before."""
    payload = posted.payload
    async with acquire(request.state["pool"]) as conn, conn.transaction():
        if await find_stored_body(conn, payload["channel"], payload["external_id"]) is not None:
            return False
        if posted.kept_as is not None:
            return await keep_aside(conn, payload, kind=posted.kept_as)
        is_new = await opt_out(conn, payload, farewell=posted.farewell)
    request.state["waker"].poke()  # the farewell is to be sent at once
    return is_new


async def queue(request: DeskRequest, posted: PostedMessage, quiet_cap: timedelta) -> bool:
    """Store what a turn will answer. False when it was stored before."""
    payload = posted.payload
    quiet = 0 if posted.is_tap else request.state["settings"].debounce_seconds_whatsapp
    work = NewWork(
        lane=f"whatsapp:{payload['thread_key']}",
        kind="inbound",
        payload=payload,
        dedupe_key=f"whatsapp:{payload['external_id']}",
        quiet=timedelta(seconds=quiet),
        quiet_cap=quiet_cap,
    )
    if posted.wish != "start":
        return await request.state["gatherer"].add(work) is not None
    async with acquire(request.state["pool"]) as conn, conn.transaction():
        [new_id] = await add_many(conn, [work])
        if new_id is not None:  # an old START that comes again undoes no later STOP
            await opt_in(conn, payload)
    request.state["waker"].poke(quiet)
    return new_id is not None


async def compare_stored(request: DeskRequest, posted: PostedMessage) -> None:
    """Say so in the log when a message came again with another text: the first one counts."""
    payload = posted.payload
    async with acquire(request.state["pool"]) as conn:
        stored = await find_stored_body(conn, payload["channel"], payload["external_id"])
    # what files say is put into the text once they are read
    if stored is not None and stored != payload["body"] and not payload["attached"]:
        log.warning("a message came again with another text", extra={"vendor_id": payload["external_id"]})


async def receive_status(request: DeskRequest) -> Response:
    """POST /webhooks/whatsapp/status: 204 once it is stored, also for a message nobody here knows."""
    webhooks, fields = await read_signed(request)
    token = read_token(request)
    try:
        update = webhooks.read_status(fields)
    except InvalidSignature as error:
        raise refuse(error) from None
    except UnreadableWebhook as error:
        raise give_back(error) from None
    if update.status not in STATUSES.values():  # kept all the same; it moves nothing
        log.warning("a status is not known", extra={"vendor_id": update.vendor_id})
    async with request.state["report_slots"], acquire(request.state["pool"]) as conn:
        await record_status(
            conn,
            channel="whatsapp",
            vendor_id=update.vendor_id,
            token=token,
            status=update.status,
            error=update.error,
            payload=update.payload,
            is_blocked=update.is_blocked,
            prefix=request.state["settings"].ticket_prefix,
        )
    return Response(status_code=204)


async def read_signed(request: DeskRequest) -> tuple[WhatsAppWebhooks, Fields]:
    """The fields Twilio signed. Raises the Problem: 403 for a forgery, 503 while the channel is off."""
    webhooks = request.state["whatsapp"]
    if webhooks is None:
        raise Problem(503, OFF)
    try:
        fields = webhooks.read_signed(read_target(request), request.headers, await request.body())
    except InvalidSignature as error:
        raise refuse(error) from None
    return webhooks, fields


def read_target(request: DeskRequest) -> str:
    """Path and query as they came: decoding them would change what was signed."""
    path: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    return (path + b"?" + query if query else path).decode("latin-1")


def read_token(request: DeskRequest) -> UUID | None:
    """The message a callback is about, from the address we gave Twilio; None in one we did not give.

    Raises the 403 Problem where the token is not signed by us.
    """
    given, signature = request.query_params.get("o"), request.query_params.get("s", "")
    if given is None:
        return None
    try:
        token = UUID(given)
    except ValueError:
        raise Problem(403, REFUSED) from None
    if not is_delivery_signature(request.state["settings"], token, signature):
        raise Problem(403, REFUSED)
    return token


def refuse(error: InvalidSignature) -> Problem:
    log.warning("a webhook was refused", extra={"reason": str(error)})
    return Problem(403, REFUSED)


def give_back(error: UnreadableWebhook) -> Problem:
    log.error("a webhook could not be read", extra={"reason": str(error)})
    return Problem(422, UNREADABLE)


ROUTES = [
    signed("/webhooks/whatsapp", receive_message),
    signed("/webhooks/whatsapp/status", receive_status),
]
