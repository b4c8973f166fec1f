"""What a mailbox holds, as rows: see the table mails."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

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


async def store_mails(
    conn: Connection,
    mails: Sequence[MailRow],
    *,
    quiet: timedelta,
    quiet_cap: timedelta,
    prefix: str,
    reached: str | None,
) -> None:
    """Keep mails, oldest first, and do what follows from each; `reached` moves the cursor in the last one's commit.

    Each has a commit of its own: what follows from two of them could lock lanes and conversations in an order that is
    nobody else's. A mail that the database refuses is parked, and the others are kept as they are.
    """
    for place, mail in enumerate(mails, start=1):
        async with conn.transaction():
            await store_or_park(conn, mail, quiet, quiet_cap, prefix)
            if place == len(mails) and reached is not None:
                await conn.execute("select advance_cursor($1, $2)", CHANNEL, reached)
    if not mails and reached is not None:
        await conn.execute("select advance_cursor($1, $2)", CHANNEL, reached)


async def store_or_park(conn: Connection, mail: MailRow, quiet: timedelta, quiet_cap: timedelta, prefix: str) -> None:
    try:
        async with conn.transaction():
            await store_mail(conn, mail, quiet, quiet_cap, prefix)
    except REFUSALS as error:
        why = f"the database refused it: {type(error).__name__}"
        parked = {name: mail.row[name] for name in ("id", "thread_id", "arrived_at")}
        parked |= {"message_id": None, "verdict": "parked", "why": why}
        await store_mail(conn, MailRow(parked, mail.raw), quiet, quiet_cap, prefix)


async def store_mail(conn: Connection, mail: MailRow, quiet: timedelta, quiet_cap: timedelta, prefix: str) -> None:
    await conn.fetchval("select store_mail($1, $2, $3, $4, $5)", mail.row, mail.raw, quiet, quiet_cap, prefix)


async def turn_red(conn: Connection, reason: str) -> None:
    """Say that Google refuses us, and what to do about it."""
    await conn.execute("select turn_red($1, $2)", CHANNEL, reason)


async def keep_watch(conn: Connection, expires_at: datetime | None) -> None:
    """Until when Google tells us of changes; None: it does not."""
    await conn.execute(
        "update channel_configs set watch_expires_at = $2, updated_at = clock_timestamp() where channel = $1",
        CHANNEL,
        expires_at,
    )
