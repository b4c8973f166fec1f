"""What a mailbox holds, as rows: see the table mails."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asyncpg import DataError, IntegrityConstraintViolationError, ProgramLimitExceededError

from db.errors import NotFound
from db.pool import Connection

CHANNEL = "gmail"
REFUSALS = (DataError, IntegrityConstraintViolationError, ProgramLimitExceededError)
"""What one mail may bring upon itself, such as a name longer than an index takes."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The team's rules for its mail, and how far it was read."""

    is_on: bool
    cursor: str | None
    """Decimal, perhaps of more than 64 bits; None: it was never read."""
    synced_at: datetime | None
    quiet_cap: timedelta
    own_addresses: frozenset[str]
    own_lists: frozenset[str]
    receivers: frozenset[str]


@dataclass(frozen=True, slots=True)
class MailRow:
    """One mail to keep: `row` is {id, thread_id, message_id, verdict, why, arrived_at, subject, body, tokens, customer,
    trust, to, status, about} as far as its verdict needs them."""

    row: dict[str, Any]
    raw: bytes | None
    """None where it could not be fetched."""


async def load_mailbox(conn: Connection) -> Mailbox:
    """The row of the channel, which the migrations have put there."""
    row = await conn.fetchrow(
        """
        select is_on, cursor, synced_at, quiet_cap_seconds, own_addresses, own_lists, receivers
          from channel_configs where channel = $1
        """,
        CHANNEL,
    )
    if row is None:
        raise NotFound("channel_configs has no row gmail: run migrate")
    return Mailbox(
        row["is_on"],
        row["cursor"],
        row["synced_at"],
        timedelta(seconds=row["quiet_cap_seconds"]),
        *(frozenset(word.lower() for word in row[name]) for name in ("own_addresses", "own_lists", "receivers")),
    )


async def list_known(conn: Connection, ids: Sequence[str]) -> set[str]:
    """Those of Gmail's ids whose mails are kept."""
    rows = await conn.fetch("select id from mails where id = any($1::text[])", list(ids))
    return {row["id"] for row in rows}


async def store_mail(
    conn: Connection, mail: MailRow | None, *, quiet: timedelta, quiet_cap: timedelta, prefix: str, reached: str | None
) -> None:
    """Keep a mail and do what follows from it, in one commit; `reached` moves the cursor in it too, or alone.

    Several to a commit could lock lanes and conversations in an order that is nobody else's. What the database refuses
    is parked, so that it holds up no other.
    """
    async with conn.transaction():
        if mail is not None:
            try:
                async with conn.transaction():
                    await call_store(conn, mail, quiet, quiet_cap, prefix)
            except REFUSALS as error:
                await call_store(conn, make_parked(mail, error), quiet, quiet_cap, prefix)
        if reached is not None:
            await conn.execute("select advance_cursor($1, $2)", CHANNEL, reached)


async def call_store(conn: Connection, mail: MailRow, quiet: timedelta, quiet_cap: timedelta, prefix: str) -> None:
    await conn.fetchval("select store_mail($1, $2, $3, $4, $5)", mail.row, mail.raw, quiet, quiet_cap, prefix)


def make_parked(mail: MailRow, error: Exception) -> MailRow:
    """The same mail with nothing in its row that could be refused once more."""
    row = {name: mail.row[name] for name in ("id", "thread_id", "arrived_at")}
    why = f"the database refused it: {type(error).__name__}"
    return MailRow(row | {"message_id": None, "verdict": "parked", "why": why}, mail.raw)


async def keep_watch(conn: Connection, expires_at: datetime | None) -> None:
    """Until when Google tells us of changes; None: it does not."""
    await conn.execute(
        "update channel_configs set watch_expires_at = $2, updated_at = clock_timestamp() where channel = $1",
        CHANNEL,
        expires_at,
    )


async def find_raw_mail(conn: Connection, conversation_id: UUID, mail_id: str) -> bytes | None:
    """A mail of this conversation as it came; None where there is none, or it is no longer kept."""
    raw: bytes | None = await conn.fetchval(
        """
        select x.raw from mails x join conversations c on c.channel = 'gmail' and c.thread_key = x.thread_key
         where x.id = $2 and c.id = $1
        """,
        conversation_id,
        mail_id,
    )
    return raw
