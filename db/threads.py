"""A conversation as the team's page shows it: who, what is owed, all that was said with them, and who else looks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from db.errors import NotFound
from db.pool import Connection

MOST_CONVERSATIONS = 20
"""Of the same customer, beside the one that is shown; those that changed last."""
MOST_WATCHED = 200
"""Of the same customer: an older one that changes is seen when the page is loaded anew."""
NEWEST_WORDS = 5
"""Of each of them: what is older has been delivered, or changes the conversation's own time."""
PRESENT_SECONDS = 15
"""A page says that it is open more often than this."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation with its customer, and the ticket by which people see to it: without one its fields are None."""

    id: UUID
    thread_key: str
    channel: str
    subject: str
    status: Literal["open", "waiting", "resolved"]
    handler: Literal["agent", "human"]
    language: str | None
    sentiment: float | None
    waiting_since: datetime | None
    snoozed_until: datetime | None
    tags: list[str]
    customer_id: UUID | None
    customer: str | None
    addresses: list[str]
    """Each with the proof that it is theirs where there is more than their word."""
    plan: str | None
    free_until: datetime | None
    """Until when they may be written to freely; None: for ever."""
    suppressed_why: str | None
    """Why nothing is sent to them here; None: it is."""
    said: int
    """How many messages there are, waiting and cancelled ones too: whoever answers says how many they have seen."""
    reference: str | None
    ticket_status: str | None
    category: str | None
    priority: int | None
    priority_why: str | None
    team: str | None
    assignee: str | None
    escalation_reason: str | None
    handoff_note: str | None
    first_response_due_at: datetime | None
    resolution_due_at: datetime | None
    person_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing said with a customer, on any channel, or noted about them by the team."""

    id: UUID
    """Of a customer's message made from the vendor's id, so that it stays when a turn takes the message up."""
    conversation_id: UUID
    channel: str
    author: Literal["customer", "agent", "person", "note"]
    sent_by: str | None
    """Which person, by e-mail, where that is known."""
    kind: str | None
    text: str
    citations: list[dict[str, Any]]
    sent_at: datetime
    delivery: str | None
    """As messages.delivery; of an inbound message None, or `queued` where no turn has taken it up."""
    delivery_error: str | None
    possible_duplicate: bool
    degraded: bool
    turn_id: UUID | None
    reply_id: UUID | None
    held_until: datetime | None
    """Until when it may be taken back."""
    mail_id: str | None
    """Of a customer's mail, which may have been laid out: mails.id."""


async def load_thread(conn: Connection, conversation_id: UUID) -> Thread:
    """Raises NotFound."""
    row = await conn.fetchrow(
        """
        select c.id, c.thread_key, c.channel, c.subject, c.status, c.handler, c.language, c.sentiment, c.waiting_since,
               c.snoozed_until, c.tags, c.customer_id, coalesce(u.name, first.customer->>'name') as customer,
               coalesce(k.plan, c.plan) as plan,
               coalesce(nullif(array(select i.value || case i.proof when 'claimed' then '' else ' (proven)' end
                                       from customer_identifiers i where i.customer_id = c.customer_id
                                      order by i.kind, i.value), '{}'),
                        array_remove(array[first.customer->>'value'], null)) as addresses,
               free_until(c) as free_until,
               (select i.suppressed_why from customer_identifiers i
                 where is_suppressed(c) and i.customer_id = c.customer_id and i.suppressed_at is not null
                 order by i.suppressed_at limit 1) as suppressed_why,
               count_said(c) as said,
               k.reference, k.status as ticket_status, k.category, k.priority, k.priority_why, k.team, k.assignee,
               k.escalation_reason, k.handoff_note, k.first_response_due_at, k.resolution_due_at, k.person_due_at
          from conversations c left join customers u on u.id = c.customer_id
          left join lateral (select * from tickets t where t.conversation_id = c.id
                              order by t.status = 'resolved', t.created_at desc limit 1) k on true
          left join lateral (  -- until the first turn only the message on the queue knows who writes
            select q.payload->'customer' as customer from message_queue q
             where c.customer_id is null and q.lane = c.channel || ':' || c.thread_key and q.kind = 'inbound'
             order by q.id limit 1) first on true
         where c.id = $1
        """,
        conversation_id,
    )
    if row is None:
        raise NotFound(f"no conversation {conversation_id}")
    return Thread(**row)


async def list_entries(conn: Connection, thread: Thread, *, most: int) -> tuple[list[Entry], bool]:
    """What was said with this customer in all their conversations, and noted about this one, oldest first.

    No more than the newest `most`; and whether there is more.
    """
    rows = await conn.fetch(
        """
        with talks as (
          select * from (select * from conversations where id = $1) this
          union all
          (select * from conversations where customer_id = $2 and id <> $1 and not is_test
            order by updated_at desc limit $4))
        select case when m.external_id is null then m.id else md5(m.channel || ':' || m.external_id)::uuid end as id,
               m.conversation_id, m.channel, m.author, m.sent_by, m.kind, m.body as text, m.citations, m.sent_at,
               m.delivery, m.delivery_error, m.possible_duplicate, m.degraded, m.turn_id, m.reply_id, m.held_until,
               case when m.channel = 'gmail' and m.direction = 'inbound' then m.external_id end as mail_id,
               m.id as place
          from talks c cross join lateral (
            select * from messages x where x.conversation_id = c.id order by x.sent_at desc, x.id desc limit $3 + 1) m
        union all
        select n.id, n.conversation_id, '', 'note', n.author, null, n.body, '[]', n.created_at,
               null, null, false, false, null, null, null, null, n.id
          from notes n where n.conversation_id = $1
        union all
        select md5(q.dedupe_key)::uuid, c.id, c.channel, 'customer', null, null, q.payload->>'body', '[]', q.created_at,
               'queued', null, false, false, null, null, null, null, null
          from conversations c join message_queue q on q.lane = c.channel || ':' || c.thread_key and q.kind = 'inbound'
         where c.id = $1
         order by sent_at desc, place desc nulls first
         limit $3 + 1
        """,
        thread.id,
        thread.customer_id,
        most,
        MOST_CONVERSATIONS,
    )
    newest = [Entry(**{name: value for name, value in row.items() if name != "place"}) for row in rows[:most]]
    return newest[::-1], len(rows) > most


THREAD_STAMP = """
    select md5(concat_ws(' ', c.updated_at, c.waiting_since, c.handler, c.epoch, c.snoozed_until,
      (select concat(count(*), max(m.id::text),
                     string_agg(concat(m.id, m.delivery, m.delivery_error, m.possible_duplicate), ',' order by m.id)
                       filter (where m.delivery not in ('delivered', 'read', 'cancelled')))
         from messages m where m.conversation_id = c.id),
      (select concat(count(*), ' ', count(*) filter (where m.delivery = 'read'))
         from messages m where m.conversation_id = c.id and m.delivery in ('delivered', 'read')),
      -- what is said with this customer elsewhere: of a conversation of theirs the newest words, which change last
      (select string_agg(concat(o.id, o.updated_at, said.marks), ',' order by o.id)
         from (select n.id, n.updated_at from (
                 select e.id, e.updated_at from conversations e
                  where e.customer_id = c.customer_id and e.id <> c.id and not e.is_test
                  order by e.created_at desc limit $5) n
                order by n.updated_at desc limit $4) o
         cross join lateral (
           select string_agg(concat(m.id, m.delivery, m.delivery_error, m.possible_duplicate), ';'
                             order by m.sent_at, m.id) as marks from (
             select * from messages x where x.conversation_id = o.id order by x.sent_at desc, x.id limit $6) m) said),
      (select max(t.updated_at) from tickets t where t.conversation_id = c.id),
      (select string_agg(d.id::text, ',' order by d.id) from drafts d
        where d.conversation_id = c.id and d.state = 'pending'),
      (select concat(r.id, r.state) from draft_requests r
        where r.conversation_id = c.id order by r.asked_at desc limit 1),
      (select string_agg(q.id::text, ',' order by q.id)
         from message_queue q where q.lane = c.channel || ':' || c.thread_key),
      (select string_agg(p.who, ',' order by p.who) from presences p
        where p.conversation_id = c.id and p.who <> $2
          and p.seen_at > clock_timestamp() - make_interval(secs => $3))))
      from conversations c where c.id = $1
"""
"""$1 the conversation, $2 who asks, $3 to $6 the bounds above."""


async def find_thread_stamp(conn: Connection, conversation_id: UUID, *, viewer: str) -> str | None:
    """A hash that changes whenever the page of this conversation would, also by who else has it open.

    None when there is none.
    """
    stamp: str | None = await conn.fetchval(
        THREAD_STAMP,
        conversation_id,
        viewer,
        PRESENT_SECONDS,
        MOST_CONVERSATIONS,
        MOST_WATCHED,
        NEWEST_WORDS,
    )
    return stamp


async def note_presence(conn: Connection, conversation_id: UUID, who: str) -> None:
    """Somebody has this conversation open now."""
    await conn.execute("select note_presence($1, $2)", conversation_id, who)


async def drop_old_presences(conn: Connection, *, limit: int) -> int:
    """Forget who had a conversation open an hour ago and has not any more; how many that were."""
    dropped: int = await conn.fetchval(
        """
        with old as (
          select conversation_id, who from presences
           where seen_at < now() - interval '1 hour' limit $1 for update skip locked),
        gone as (
          delete from presences p using old where (p.conversation_id, p.who) = (old.conversation_id, old.who)
          returning 1)
        select count(*) from gone
        """,
        limit,
    )
    return dropped


async def list_present(conn: Connection, conversation_id: UUID) -> list[str]:
    """Who has it open, by e-mail."""
    rows = await conn.fetch(
        """
        select who from presences
         where conversation_id = $1 and seen_at > clock_timestamp() - make_interval(secs => $2) order by who
        """,
        conversation_id,
        PRESENT_SECONDS,
    )
    return [row["who"] for row in rows]
