"""The outbox: what may be sent now, what became of it, and what the vendor reports later."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from db.pool import Connection
from db.queue import ClaimedLane, Job

Absence = Literal["certain", "likely"]
Outcome = Literal["sent", "not_sent", "unknown", "failed", "parked", "given_up", "done"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is to be done about a message that waits to be sent."""

    act: Literal["send", "look_up", "park", "done"]
    """send: it is marked as being sent; look_up: an earlier try has no outcome; park: nobody can tell what became of
    it, so a person must; done: it is settled."""
    since_try: timedelta
    """How long ago the vendor was last asked to take it, by the database's clock."""
    since_first: timedelta
    """The same of the first time."""
    message: dict[str, Any]
    """The fields of channels.base.OutgoingMessage."""


async def begin_delivery(
    conn: Connection, lane: ClaimedLane, message_id: UUID, *, lease: timedelta, absence: Absence | None = None
) -> Delivery | None:
    """What to do about a message. None when the lease was lost, or given up because it may still be taken back.

    lease: how long the lane is ours from now on, at least, when the message may be sent. absence: the vendor was asked
    and has no trace of an earlier try, which is `certain` or only `likely`.
    """
    row = await conn.fetchval(
        "select begin_delivery($1, $2, $3, $4, $5)", lane.lane, lane.token, message_id, lease, absence
    )
    if row is None:
        return None
    message = row["message"]
    if row["act"] in ("send", "look_up", "park"):
        message |= {name: UUID(message[name]) for name in ("id", "token")}
        message |= {name: tuple(message[name]) for name in ("known_ids", "references")}
        message["first_try_at"] = datetime.fromisoformat(message["first_try_at"])
    last, first = (timedelta(milliseconds=row[name] or 0) for name in ("tried_ms_ago", "first_tried_ms_ago"))
    return Delivery(row["act"], last, first, message)


async def keep_draft(conn: Connection, lane: ClaimedLane, message_id: UUID, draft_id: str) -> bool:
    """Store the vendor's draft of a message. False when the lease was lost: the draft must not be sent."""
    kept: bool = await conn.fetchval("select keep_draft($1, $2, $3, $4)", lane.lane, lane.token, message_id, draft_id)
    return kept


async def end_delivery(
    conn: Connection,
    lane: ClaimedLane,
    job: Job,
    message_id: UUID,
    outcome: Outcome,
    *,
    vendor_id: str | None = None,
    error: str | None = None,
    is_blocked: bool = False,
    is_last: bool = False,
    prefix: str = "TF",
) -> bool:
    """Keep what became of a try; a settled message leaves the queue. False when the lease was lost.

    An acceptance (`sent`, with the vendor's id) is kept even then: it is a fact, whoever learns it.
    is_blocked: the customer wants nothing more from us there. is_last: also free the lane. prefix: of the ticket that
    calls a person, where there is none yet.
    """
    result = await conn.fetchval(
        "select end_delivery($1)",
        {
            "lane": lane.lane,
            "token": lane.token,
            "job_id": job.id,
            "message_id": message_id,
            "outcome": outcome,
            "vendor_id": vendor_id,
            "error": error,
            "is_blocked": is_blocked,
            "is_last": is_last,
            "prefix": prefix,
        },
    )
    return bool(result == "kept")


async def record_status(
    conn: Connection,
    *,
    channel: str,
    vendor_id: str,
    token: UUID | None,
    status: str,
    error: str | None,
    payload: dict[str, Any],
    is_blocked: bool = False,
    prefix: str = "TF",
) -> bool:
    """Keep what a vendor reports: sending, sent, delivered, read or failed. Whether we know the message.

    token: ours, when the report carries it; it proves that the vendor took the message. error: the vendor's reason in
    words. payload: the report as it came. is_blocked: the customer wants nothing more from us there.
    """
    result = await conn.fetchval(
        "select record_status($1)",
        {
            "channel": channel,
            "vendor_id": vendor_id,
            "token": token,
            "status": status,
            "error": error,
            "payload": payload,
            "is_blocked": is_blocked,
            "prefix": prefix,
        },
    )
    return bool(result == "known")
