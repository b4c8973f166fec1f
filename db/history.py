"""What a customer asked before, as far as their proof of identity allows."""

from typing import Any
from uuid import UUID

from db.pool import Connection


async def list_open_tickets(conn: Connection, *, conversation_id: UUID, trust: int) -> list[dict[str, Any]]:
    """Open tickets [{ref, subject, status, opened}]: of this conversation, and at trust 1 or better also of the same
    customer's other proven conversations on this channel (on every channel at trust 4, or after a person merged)."""
    rows = await conn.fetch(
        """
        select k.reference as ref, k.subject, k.status, k.created_at::date::text as opened
          from conversations mine
          join conversations c on c.id = mine.id
               or ($2 >= 1 and c.customer_id = mine.customer_id and c.trust >= 1
                   and (c.channel = mine.channel or $2 = 4 or is_merged(mine.customer_id)))
          join tickets k on k.conversation_id = c.id
         where mine.id = $1 and k.status <> 'resolved'
         order by k.created_at desc limit 10
        """,
        conversation_id,
        trust,
    )
    return [dict(row) for row in rows]


async def list_earlier_conversations(conn: Connection, *, conversation_id: UUID, trust: int) -> list[dict[str, Any]]:
    """Earlier conversations [{when, channel, summary, outcome}] of the same proven customer; none below trust 1.

    Of other channels at trust 4, or after a person merged.
    """
    rows = await conn.fetch(
        """
        select c.created_at::date::text as when, c.channel, c.status as outcome,
               left(coalesce(nullif(c.summary, ''), c.subject), 300) as summary
          from conversations mine
          join conversations c on c.customer_id = mine.customer_id and c.id <> mine.id and c.trust >= 1
               and (c.channel = mine.channel or $2 = 4 or is_merged(mine.customer_id))
         where mine.id = $1 and $2 >= 1
         order by c.created_at desc limit 10
        """,
        conversation_id,
        trust,
    )
    return [dict(row) for row in rows]
