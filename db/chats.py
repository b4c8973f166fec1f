"""What customers send on a chat that no turn answers, and what the vendor never brought to us."""

from datetime import timedelta
from typing import Any

from db.pool import Connection

Payload = dict[str, Any]
"""As it would wait on the queue: see channels.base.read_payload."""


async def keep_aside(conn: Connection, payload: Payload, *, kind: str) -> bool:
    """Keep a reaction or a sticker in the log, without a turn. False when it was kept before."""
    kept = await conn.fetchval("select (keep_aside($1)).id", payload | {"kind": kind})
    return kept is not None


async def opt_out(conn: Connection, payload: Payload, *, farewell: str | None) -> bool:
    """Send this customer nothing more but the farewell; None where the vendor has said it. False when known before."""
    is_new: bool = await conn.fetchval("select opt_out($1, $2)", payload, farewell)
    return is_new


async def opt_in(conn: Connection, payload: Payload) -> None:
    """This customer wants to hear from us again. Nothing to do for one who never said otherwise."""
    await conn.execute("select opt_in($1)", payload)


async def store_missed(
    conn: Connection, payload: Payload, *, quiet: timedelta, quiet_cap: timedelta, late_after: timedelta, prefix: str
) -> bool:
    """Take in a message the vendor has and never brought to us. False when it is here already.

    late_after: the age from which a person gets it. prefix: of the ticket that calls one.
    """
    is_new: bool = await conn.fetchval(
        "select store_missed($1, $2, $3, $4, $5)", payload, quiet, quiet_cap, late_after, prefix
    )
    return is_new


async def remind_windows(conn: Connection, *, ahead: timedelta) -> int:
    """Remind the owners of customers who can be written to freely only for `ahead` longer. How many that were."""
    reminded: int = await conn.fetchval("select remind_windows($1)", ahead)
    return reminded


async def find_stored_body(conn: Connection, channel: str, external_id: str) -> str | None:
    """The text of a message that is here already, waiting, answered or given up; None for a new one."""
    body: str | None = await conn.fetchval(
        """
        select body from (
          select payload->>'body' as body from message_queue where dedupe_key = $1 || ':' || $2
          union all select payload->>'body' from dead_letters where dedupe_key = $1 || ':' || $2
          union all select body from messages where channel = $1 and external_id = $2) stored limit 1
        """,
        channel,
        external_id,
    )
    return body
