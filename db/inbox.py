"""The list the team works from: who waits, most urgent first, what is not finished, and all else when looked for."""

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
Last = tuple[datetime, UUID]
"""When the last conversation of a page changed, and its id: many may have changed in the same moment."""


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
    draft: str | None = None
    """A suggestion that nobody has decided about, as drafts.source."""


async def list_lines(conn: Connection, *, limit: int = MOST_WAITING) -> list[Line]:
    """Those who wait for a person or are not seen, then those the agent has, each most urgent first.

    Then what the team has not finished although nobody waits, what changed last first.
    """
    rows = await conn.fetch(
        """
        with waits as materialized (
          select conversation_id, reference, channel, customer, subject, words, assignee, category, priority, reason,
                 sentiment, language, tags, waiting_since as updated_at, null as status, waits_for, owner, due_at,
                 is_overdue, is_unseen, snoozed_until, free_until, is_warned, draft
            from inbox)
        select * from (
          select * from waits
          union all
          select conversation_id, reference, channel, customer, subject, words, assignee, category, priority, null,
                 sentiment, language, tags, updated_at, status, null, null, null,
                 false, false, snoozed_until, null, false, draft
            from unfinished u where not exists (select from waits w where w.conversation_id = u.conversation_id)) lines
         order by waits_for is null, (waits_for in ('person', 'nobody') or is_unseen) desc,
                  is_unseen desc, due_at nulls last, case when waits_for is null then updated_at end desc,
                  priority desc nulls last, sentiment nulls last, updated_at
         limit $1
        """,
        limit,
    )
    return [Line(**row) for row in rows]


RECENT = """
    with looked_at as (
      select * from conversations c
       where not c.is_test and ($1::text is null or c.status = $1)
         and ($2::timestamptz is null or (c.updated_at, c.id) < ($2, $3::uuid))
       order by c.updated_at desc, c.id desc limit $8),
    talks as (
      select * from looked_at c
       where $5 in ('', c.channel) and $7 in ('', c.language)
         and ($6 = '' or exists (select from tickets t where t.conversation_id = c.id and t.category = $6))
       order by c.updated_at desc, c.id desc limit $4)
    select c.id as conversation_id, k.reference, c.channel, u.name as customer, c.subject,
           coalesce(m.words, '') as words, k.assignee, k.category, k.priority,
           k.escalation_reason as reason, c.sentiment, c.language, c.tags,
           c.updated_at, c.status, d.draft
      from talks c left join customers u on u.id = c.customer_id
      left join lateral (
        select * from tickets t where t.conversation_id = c.id order by t.created_at desc limit 1) k on true
      left join lateral (select left(x.body, 240) as words from messages x
                          where x.conversation_id = c.id order by x.sent_at desc, x.id desc limit 1) m on true
      left join lateral (select p.source as draft from drafts p
                          where p.conversation_id = c.id and p.state = 'pending'
                          order by p.source = 'correction', p.created_at limit 1) d on true
     order by c.updated_at desc, c.id desc
"""
"""$1 the status, $2 and $3 before which (see Last), $4 how many, $5 to $7 channel, category, language, $8 looked at."""


async def list_recent(
    conn: Connection,
    status: Status | None,
    *,
    channel: str = "",
    category: str = "",
    language: str = "",
    before: Last | None = None,
    limit: int,
    most: int = MOST_LOOKED_AT,
) -> tuple[list[Line], bool]:
    """Conversations by when they last changed, newest first; before: those that come after this one in that order.

    An empty channel, category or language is any; with one that is not, no more than `most` are looked at, and what
    comes second is whether there were more.
    """
    looked_at = most if channel or category or language else None
    moment, last = before or (None, None)
    rows = await conn.fetch(RECENT, status, moment, last, limit, channel, category, language, looked_at)
    is_cut = looked_at is not None and len(rows) < limit and await has_more(conn, status, before, looked_at)
    return [Line(**row) for row in rows], is_cut


async def has_more(conn: Connection, status: Status | None, before: Last | None, most: int) -> bool:
    """Whether more than `most` conversations are there to be looked at."""
    found: bool = await conn.fetchval(
        """
        select exists (
          select from conversations c
           where not c.is_test and ($1::text is null or c.status = $1)
             and ($2::timestamptz is null or (c.updated_at, c.id) < ($2, $3::uuid))
           order by c.updated_at desc offset $4 limit 1)
        """,
        status,
        *(before or (None, None)),
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
               k.escalation_reason as reason, c.sentiment, c.language, c.tags, h.sent_at as updated_at,
               c.status, d.draft
          from newest h join conversations c on c.id = h.conversation_id and not c.is_test
          left join customers u on u.id = c.customer_id
          left join lateral (
            select * from tickets t where t.conversation_id = c.id order by t.created_at desc limit 1) k on true
          left join lateral (select left(x.body, 240) as words from messages x
                              where x.conversation_id = c.id order by x.sent_at desc, x.id desc limit 1) m on true
          left join lateral (select p.source as draft from drafts p
                              where p.conversation_id = c.id and p.state = 'pending'
                              order by p.source = 'correction', p.created_at limit 1) d on true
         order by h.sent_at desc limit $2
        """,
        words,
        limit,
    )
    return [Line(**row) for row in rows]
