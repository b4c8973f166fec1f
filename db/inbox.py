"""The list the team works from: who waits, most urgent first, and every other conversation when it is looked for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from db.pool import Connection

MOST_WAITING = 2_000
"""More are not listed at once: nobody reads that far, and those who come first are the most urgent."""
MOST_LOOKED_AT = 5_000
"""Conversations that are looked through for a channel, category or language: a rare one is in none of them."""
Status = Literal["open", "waiting", "resolved"]


@dataclass(frozen=True, slots=True)
class Line:
    """A conversation as the list shows it. Of those who wait, a row of the view `inbox`."""

    conversation_id: UUID | None
    """None: no turn has taken up the first message yet."""
    reference: str | None
    channel: str
    customer: str | None
    subject: str
    words: str
    """What the customer wrote last, or what was found; its beginning."""
    assignee: str | None
    category: str | None
    priority: int | None
    reason: str | None
    """Why a person is needed; a code of escalation_reason."""
    sentiment: float | None
    language: str | None
    tags: list[str]
    updated_at: datetime
    """Of those who wait: since when they do."""
    status: str | None = None
    """Of those who do not wait: open, waiting or resolved."""
    waits_for: str | None = None
    """queue, turn, delivery, person or nobody; None: they do not wait."""
    owner: str | None = None
    due_at: datetime | None = None
    is_overdue: bool = False
    is_unseen: bool = False
    snoozed_until: datetime | None = None
    free_until: datetime | None = None
    is_warned: bool = False
    """Little of the promised time is left."""


async def list_waiting(conn: Connection, *, limit: int = MOST_WAITING) -> list[Line]:
    """Those who wait for a person or are not seen, then those the agent has, each most urgent first."""
    rows = await conn.fetch(
        """
        select conversation_id, reference, channel, customer, subject, words, assignee, category, priority, reason,
               sentiment, language, tags, waiting_since as updated_at, waits_for, owner, due_at, is_overdue, is_unseen,
               snoozed_until, free_until, is_warned
          from inbox
         order by (waits_for in ('person', 'nobody') or is_unseen) desc,
                  is_unseen desc, due_at nulls last, priority desc nulls last, sentiment nulls last, waiting_since
         limit $1
        """,
        limit,
    )
    return [Line(**row) for row in rows]


async def list_recent(
    conn: Connection,
    status: Status | None,
    *,
    channel: str = "",
    category: str = "",
    language: str = "",
    before: datetime | None = None,
    limit: int,
    most: int = MOST_LOOKED_AT,
) -> tuple[list[Line], bool]:
    """Conversations by when they last changed, newest first; before: those that changed earlier than this.

    An empty channel, category or language is any; with one that is not, no more than `most` are looked at, and what
    comes second is whether there were more.
    """
    is_narrowed = bool(channel or category or language)
    rows = await conn.fetch(
        """
        with looked_at as (
          select * from conversations c
           where not c.is_test and ($1::text is null or c.status = $1)
             and ($2::timestamptz is null or c.updated_at < $2)
           order by c.updated_at desc limit $7),
        talks as (
          select * from looked_at c
           where $4 in ('', c.channel) and $6 in ('', c.language)
             and ($5 = '' or exists (select from tickets t where t.conversation_id = c.id and t.category = $5))
           order by c.updated_at desc limit $3)
        select c.id as conversation_id, k.reference, c.channel, u.name as customer, c.subject,
               coalesce(m.words, '') as words, k.assignee, k.category, k.priority,
               k.escalation_reason as reason, c.sentiment, c.language, c.tags,
               c.updated_at, c.status
          from talks c left join customers u on u.id = c.customer_id
          left join lateral (
            select * from tickets t where t.conversation_id = c.id order by t.created_at desc limit 1) k on true
          left join lateral (select left(x.body, 240) as words from messages x
                              where x.conversation_id = c.id order by x.sent_at desc, x.id desc limit 1) m on true
         order by c.updated_at desc
        """,
        status,
        before,
        limit,
        channel,
        category,
        language,
        most if is_narrowed else None,
    )
    is_cut = is_narrowed and len(rows) < limit and await has_more(conn, status, before, most)
    return [Line(**row) for row in rows], is_cut


async def has_more(conn: Connection, status: Status | None, before: datetime | None, most: int) -> bool:
    """Whether more than `most` conversations are there to be looked at."""
    found: bool = await conn.fetchval(
        """
        select exists (
          select from conversations c
           where not c.is_test and ($1::text is null or c.status = $1)
             and ($2::timestamptz is null or c.updated_at < $2)
           order by c.updated_at desc offset $3 limit 1)
        """,
        status,
        before,
        most,
    )
    return found


async def search_messages(conn: Connection, words: str, *, limit: int) -> list[Line]:
    """Conversations in which these words were said, or whose reference, customer or address this is; newest first.

    words: as people type them into a search: "a phrase", -without, or.
    """
    rows = await conn.fetch(
        """
        with hits as (
          (select conversation_id, said as words, sent_at from find_said($1, $2 * 4))
          union all
          (select t.conversation_id, null, t.created_at from tickets t where t.reference = upper($1))
          union all
          (select c.id, null, c.updated_at from customer_identifiers i join conversations c using (customer_id)
            where i.value = lower($1) order by c.updated_at desc limit $2)),
        newest as (select distinct on (conversation_id) * from hits order by conversation_id, sent_at desc)
        select c.id as conversation_id, k.reference, c.channel, u.name as customer, c.subject,
               coalesce(h.words, m.words, '') as words, k.assignee, k.category, k.priority,
               k.escalation_reason as reason, c.sentiment, c.language, c.tags, h.sent_at as updated_at, c.status
          from newest h join conversations c on c.id = h.conversation_id and not c.is_test
          left join customers u on u.id = c.customer_id
          left join lateral (
            select * from tickets t where t.conversation_id = c.id order by t.created_at desc limit 1) k on true
          left join lateral (select left(x.body, 240) as words from messages x
                              where x.conversation_id = c.id order by x.sent_at desc, x.id desc limit 1) m on true
         order by h.sent_at desc limit $2
        """,
        words,
        limit,
    )
    return [Line(**row) for row in rows]
