"""Long conversations: what of them the agent no longer reads word for word, and what it is told of that instead."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.pool import Connection
from db.turns import LoggedMessage

READ_MESSAGES = 12
"""The newest ones, as in open_turn: those the agent reads word for word."""
MOST_MESSAGES = 1_000


@dataclass(frozen=True, slots=True)
class Past:
    """What lies before the messages that are read word for word, from the beginning of the matter."""

    conversation_id: UUID
    context_from: datetime | None
    through: UUID | None
    """The last message that `summary` holds."""
    summary: str
    tickets: tuple[str, ...]
    """References, oldest first."""
    known: tuple[LoggedMessage, ...]
    """What `summary` holds, oldest first; of a very long conversation the newest."""
    fresh: tuple[LoggedMessage, ...]
    """What it does not hold yet, never empty."""

    @property
    def messages(self) -> tuple[LoggedMessage, ...]:
        return self.known + self.fresh


async def load_past(conn: Connection, conversation_id: UUID, *, most: int) -> Past | None:
    """What a summary is to be made of, at most so many messages beyond the last one. None when it lacks nothing."""
    talk = await conn.fetchrow(
        """
        select c.id as conversation_id, c.context_from, c.summary_through as through, c.summary,
               array(select reference from tickets where conversation_id = c.id
                        and created_at >= coalesce(c.context_from, '-infinity') order by created_at, id) as tickets
          from conversations c where c.id = $1
        """,
        conversation_id,
    )
    if talk is None:
        return None
    rows = await conn.fetch(
        """
        select id, author, body, kind, citations, sent_at, is_fresh from (
          select m.*, m.id in (select f.id from conversations c, list_unsummarised(c) f where c.id = $1) as is_fresh
            from messages m
           where m.conversation_id = $1 and m.sent_at >= coalesce($2, '-infinity'::timestamptz)
             and m.delivery is distinct from 'cancelled' and m.kind is distinct from 'csat'
             and (m.direction = 'outbound' or m.kind is null)
           order by m.sent_at desc, m.id desc offset $3 limit $4) past
         order by sent_at, id
        """,
        conversation_id,
        talk["context_from"],
        READ_MESSAGES,
        MOST_MESSAGES,
    )
    fresh = tuple(read_logged(row) for row in rows if row["is_fresh"])[:most]
    known = tuple(read_logged(row) for row in rows if not row["is_fresh"])
    return Past(**{**talk, "tickets": tuple(talk["tickets"])}, known=known, fresh=fresh) if fresh else None


def read_logged(row: Any) -> LoggedMessage:
    return LoggedMessage(row["id"], row["author"], row["body"], row["kind"], row["citations"], row["sent_at"])


async def keep_summary(conn: Connection, past: Past, text: str, *, by: str | None) -> bool:
    """Write the summary of `past`. False when it no longer fits: the matter is over, or somebody else wrote one.

    by: the model that wrote it, None where none did.
    """
    kept = await conn.fetchval(
        """
        update conversations set summary = $2, summary_through = $3, summary_by = $4
         where id = $1 and context_from is not distinct from $5 and summary_through is not distinct from $6
        returning true
        """,
        past.conversation_id,
        text,
        past.fresh[-1].id,
        by,
        past.context_from,
        past.through,
    )
    return kept is not None


async def settle_cost(conn: Connection, conversation_id: UUID, *, reserved: Decimal, usd: Decimal) -> None:
    """Count what a summary cost, and give the budgets back what it did not cost of the sum set aside."""
    await conn.execute(
        """
        with counted as (update conversations set summary_usd = summary_usd + $3 where id = $1 returning id)
        -- the conversation is locked before the budgets, as by a turn
        select count_spend(id, $3 - $2, spend_day(now())) from counted
        """,
        conversation_id,
        reserved,
        usd,
    )
