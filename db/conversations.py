"""A conversation as the team sees it: who, what was said, what is owed, and why the agent said what it said."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.errors import NotFound
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class Conversation:
    """One row of conversations; the lane is where its messages wait."""

    id: UUID
    channel: str
    customer_id: UUID | None
    subject: str
    status: str
    handler: str
    trust: int
    plan: str | None
    language: str | None
    sentiment: float | None
    summary: str
    waiting_since: datetime | None
    is_test: bool
    created_at: datetime
    updated_at: datetime
    lane: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the log."""

    id: UUID
    direction: str
    author: str
    kind: str | None
    text: str
    citations: list[dict[str, Any]]
    sent_at: datetime
    delivery: str | None
    delivery_error: str | None
    """Why it was not delivered, or why nobody knows."""
    possible_duplicate: bool
    degraded: bool
    turn_id: UUID | None


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message that no turn has taken up yet."""

    text: str
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class ConversationTicket:
    """A ticket of the conversation, with what was promised."""

    reference: str
    subject: str
    category: str
    priority: int
    priority_why: str
    status: str
    plan: str | None
    team: str | None
    assignee: str | None
    escalation_reason: str | None
    handoff_note: str | None
    first_response_due_at: datetime | None
    first_response_met_at: datetime | None
    resolution_due_at: datetime | None
    resolved_at: datetime | None
    person_due_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """One try of the agent, also one that was not kept."""

    id: UUID
    state: str
    outcome: str | None
    model: str | None
    prompt_version: str | None
    attempts: int
    timings_ms: dict[str, Any]
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    error: str | None
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """One exchange of a turn with its model."""

    turn_id: UUID
    step: int
    model: str
    items: list[dict[str, Any]]
    results: list[dict[str, Any]]
    effects: list[dict[str, Any]]
    passages: list[dict[str, Any]]
    usage: dict[str, Any] | None
    cost_usd: Decimal | None
    latency_ms: float
    request_id: str | None
    error: str | None
    created_at: datetime


async def load_conversation(conn: Connection, conversation_id: UUID) -> Conversation:
    """Raises NotFound."""
    row = await conn.fetchrow(
        """
        select id, channel, customer_id, subject, status, handler, trust, plan, language, sentiment, summary,
               waiting_since, is_test, created_at, updated_at, channel || ':' || thread_key as lane
          from conversations where id = $1
        """,
        conversation_id,
    )
    if row is None:
        raise NotFound(f"no conversation {conversation_id}")
    return Conversation(**row)


async def list_messages(conn: Connection, conversation_id: UUID, *, limit: int = 500) -> list[Message]:
    """The newest messages of the log, oldest first."""
    rows = await conn.fetch(
        """
        select * from (
          select id, direction, author, kind, body as text, citations, sent_at, delivery, delivery_error,
                 possible_duplicate, degraded, turn_id
            from messages where conversation_id = $1 order by sent_at desc, id desc limit $2) newest
         order by sent_at, id
        """,
        conversation_id,
        limit,
    )
    return [Message(**row) for row in rows]


async def list_queued(conn: Connection, lane: str, *, limit: int = 100) -> list[QueuedMessage]:
    """What the customer wrote and no turn has taken up yet, oldest first."""
    rows = await conn.fetch(
        """
        select payload->>'body' as text, created_at as accepted_at
          from message_queue where lane = $1 and kind = 'inbound' order by id limit $2
        """,
        lane,
        limit,
    )
    return [QueuedMessage(**row) for row in rows]


async def list_tickets(conn: Connection, conversation_id: UUID) -> list[ConversationTicket]:
    """Oldest first."""
    rows = await conn.fetch(
        """
        select reference, subject, category, priority, priority_why, status, plan, team, assignee, escalation_reason,
               handoff_note, first_response_due_at, first_response_met_at, resolution_due_at, resolved_at,
               person_due_at, created_at
          from tickets where conversation_id = $1 order by created_at
        """,
        conversation_id,
    )
    return [ConversationTicket(**row) for row in rows]


async def list_turns(
    conn: Connection, conversation_id: UUID, *, only: Collection[UUID] | None = None, limit: int = 200
) -> list[Turn]:
    """The newest turns, oldest first; only: of those with these ids."""
    rows = await conn.fetch(
        """
        select * from (
          select id, state, outcome, model, prompt_version, attempts, timings_ms, input_tokens, output_tokens, cost_usd,
                 error, started_at, finished_at
            from turns where conversation_id = $1 and ($3::uuid[] is null or id = any($3))
           order by started_at desc limit $2) newest
         order by started_at
        """,
        conversation_id,
        limit,
        only,
    )
    return [Turn(**row) for row in rows]


async def list_steps(conn: Connection, turn_ids: list[UUID]) -> list[Step]:
    """The steps of these turns, in order."""
    rows = await conn.fetch(
        """
        select turn_id, step, model, items, results, effects, passages, usage, cost_usd, latency_ms, request_id, error,
               created_at
          from turn_steps where turn_id = any($1) order by turn_id, step
        """,
        turn_ids,
    )
    return [Step(**row) for row in rows]


def group_steps(steps: list[Step]) -> dict[UUID, list[Step]]:
    """The steps in their order, by turn; a turn without any is left out."""
    grouped: dict[UUID, list[Step]] = {}
    for step in steps:
        grouped.setdefault(step.turn_id, []).append(step)
    return grouped
