"""Tickets as customers see them: taken in from the web form, shown on their page."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from db.pool import Connection

Outcome = Literal["accepted", "repeated", "mismatch", "unknown_plan", "limited", "off", "missing"]


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A submitted form. Keys and hashes are hexadecimal; `ip_key` and `address_key` hide what they stand for."""

    name: str
    email: str
    subject: str
    message: str
    category: str | None
    plan: str | None
    submission_key: str
    """The same key twice is the same submission."""
    submission_hash: str
    """SHA-256 of what was submitted: the same key with another hash is refused."""
    external_id: str
    ip_key: str
    address_key: str
    prefix: str
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class NewWebMessage:
    """What a customer adds to a ticket. `external_id` is submission_key-hash."""

    reference: str
    message: str
    submission_key: str
    external_id: str
    ip_key: str
    quiet_seconds: float


@dataclass(frozen=True, slots=True)
class Intake:
    """What became of it. accepted and repeated: it is stored, once."""

    outcome: Outcome
    reference: str | None = None
    plan: str | None = None
    first_response_due_at: datetime | None = None
    retry_after_seconds: float | None = None
    plans: tuple[str, ...] = ()
    """Those that exist, when the given one does not."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket and the conversation around it, as its customer may see them."""

    reference: str
    conversation_id: UUID
    subject: str
    channel: str
    status: str
    category: str
    priority: int
    created_at: datetime
    first_response_due_at: datetime | None
    person_due_at: datetime | None
    handler: Literal["agent", "human"]
    is_waiting: bool
    """The customer's last word has no answer yet."""


@dataclass(frozen=True, slots=True)
class TicketMessage:
    """One message, logged or still on the queue; its id stays the same when it moves from one to the other."""

    id: UUID
    direction: str
    author: str
    text: str
    citations: list[dict[str, Any]]
    """[{passage, version, slug, title, url}]"""
    sent_at: datetime
    delivery: str | None
    possible_duplicate: bool
    is_approved: bool
    """Whether somebody of the team sent it, whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan by its short name and the name customers see."""

    plan: str
    label: str


def read_intake(answer: dict[str, Any]) -> Intake:
    due = answer.get("first_response_due_at")
    return Intake(
        outcome=answer["outcome"],
        reference=answer.get("reference"),
        plan=answer.get("plan"),
        first_response_due_at=datetime.fromisoformat(due) if due else None,
        retry_after_seconds=answer.get("retry_after_seconds"),
        plans=tuple(answer.get("plans", ())),
    )


async def submit_form(conn: Connection, form: NewTicket) -> Intake:
    """Store a form as a ticket with its message on the queue, in one commit; a repetition finds its ticket."""
    return read_intake(await conn.fetchval("select submit_form($1)", form))


async def add_web_message(conn: Connection, message: NewWebMessage) -> Intake:
    """Queue what a customer adds to a ticket of the web form; a repetition changes nothing."""
    return read_intake(await conn.fetchval("select add_web_message($1)", message))


async def find_ticket(conn: Connection, reference: str) -> Ticket | None:
    """The ticket with this reference."""
    row = await conn.fetchrow(
        """
        select t.reference, t.conversation_id, t.subject, c.channel, t.status, t.category, t.priority, t.created_at,
               t.first_response_due_at, t.person_due_at, c.handler, c.waiting_since is not null as is_waiting
          from tickets t join conversations c on c.id = t.conversation_id
         where t.reference = $1
        """,
        reference,
    )
    return Ticket(**row) if row else None


async def find_ticket_stamp(conn: Connection, reference: str) -> str | None:
    """A hash that changes whenever the ticket's page would; None when there is no such ticket."""
    stamp: str | None = await conn.fetchval(
        """
        select md5(concat_ws(' ', t.status, t.team, t.updated_at, t.person_due_at, c.waiting_since, c.handler,
          c.customer_id, (select concat(s.id, s.score) from csat s where s.ticket_id = t.id),
          (select string_agg(concat(m.id, m.delivery, m.possible_duplicate), ',' order by m.id)
             from messages m where m.conversation_id = c.id),
          (select string_agg(q.id::text, ',' order by q.id)
             from message_queue q where q.lane = c.channel || ':' || c.thread_key)))
          from tickets t join conversations c on c.id = t.conversation_id
         where t.reference = $1
        """,
        reference,
    )
    return stamp


async def list_ticket_messages(conn: Connection, reference: str, *, limit: int = 500) -> list[TicketMessage]:
    """The newest messages of the ticket's conversation, oldest first: the log, the queue and the dead letters.

    What is only a draft, or was cancelled, is left out.
    """
    rows = await conn.fetch(
        """
        with talk as (
          select c.id, c.channel, c.channel || ':' || c.thread_key as lane
            from tickets t join conversations c on c.id = t.conversation_id where t.reference = $1),
        logged as (
          select case when m.external_id is null then m.id else md5(m.channel || ':' || m.external_id)::uuid end as id,
                 m.direction, m.author, m.body as text, m.citations, m.sent_at, m.delivery,
                 m.possible_duplicate, m.sent_by is not null as is_approved, m.id as place
            from talk join messages m on m.conversation_id = talk.id
           where m.delivery is null
              or not (m.delivery = 'cancelled' or (m.delivery = 'pending' and talk.channel = 'web'))),
        unlogged as (
          select q.dedupe_key, q.payload from talk join message_queue q using (lane) where q.kind = 'inbound'
          union all
          select d.dedupe_key, d.payload from talk join dead_letters d using (lane) where d.kind = 'inbound'),
        said as (
          select * from logged
          union all
          select md5(u.dedupe_key)::uuid, 'inbound', 'customer', u.payload->>'body', '[]',
                 case when pg_input_is_valid(u.payload->>'sent_at', 'timestamptz')
                      then (u.payload->>'sent_at')::timestamptz end, null, false, false, null
            from unlogged u where md5(u.dedupe_key)::uuid not in (select id from logged))
        select id, direction, author, text, citations, sent_at, delivery, possible_duplicate, is_approved from (
          select * from said order by sent_at desc, place desc nulls first limit $2) newest
         order by sent_at, place nulls last
        """,
        reference,
        limit,
    )
    return [TicketMessage(**row) for row in rows]


async def is_form_open(conn: Connection) -> bool:
    """Whether the team has the web form on."""
    is_on: bool = await conn.fetchval(
        "select coalesce((select is_on from channel_configs where channel = 'web'), false)"
    )
    return is_on


async def list_plans(conn: Connection) -> list[Plan]:
    """The plans a customer may name, lowest first."""
    return [Plan(**row) for row in await conn.fetch("select plan, label from plans order by rank, plan")]
