"""Turns as they were: what the agent was given, each step, and what the customer got."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.pool import Connection
from db.turns import StepRow, read_step


@dataclass(frozen=True, slots=True)
class RecordedTurn:
    """A turn that was kept, and the words it was about as the log has them."""

    id: UUID
    conversation_id: UUID
    outcome: str
    model: str | None
    prompt_version: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    error: str | None
    started_at: datetime
    brief: dict[str, Any] | None
    """As turns.brief; None where older code wrote the row."""
    history: tuple[dict[str, Any], ...]
    """[{author, text, at}] of the messages that `brief` names and the log still has."""
    burst: tuple[dict[str, Any], ...]
    steps: tuple[StepRow, ...]
    degraded: bool
    """A fallback wrote the reply."""


async def list_recorded(
    conn: Connection,
    *,
    turn_id: UUID | None = None,
    conversation_id: UUID | None = None,
    since: datetime | None = None,
    limit: int = 1000,
) -> list[RecordedTurn]:
    """The newest kept turns in which the agent was to speak, oldest first: this one, of this conversation, finished
    since then."""
    rows = await conn.fetch(
        """
        with chosen as (
          select * from turns
           where state = 'done' and outcome not in ('closed', 'silent', 'suggested')
             and ($1::uuid is null or id = $1) and ($2::uuid is null or conversation_id = $2)
             and ($3::timestamptz is null or finished_at >= $3)
           order by id desc limit $4)
        select t.id, t.conversation_id, t.outcome, t.model, t.prompt_version, t.input_tokens, t.output_tokens,
               t.cost_usd, t.error, t.started_at, t.brief,
               (select coalesce(jsonb_agg(jsonb_build_object('author', m.author, 'text', m.body, 'at', m.sent_at)
                                          order by said.place), '[]')
                  from jsonb_array_elements_text(t.brief->'history') with ordinality said (id, place)
                  join messages m on m.id = said.id::uuid) as history,
               (select coalesce(jsonb_agg(jsonb_build_object('author', m.author, 'text', m.body, 'at', m.sent_at)
                                          order by said.place), '[]')
                  from conversations c
                  join jsonb_array_elements_text(t.brief->'burst') with ordinality said (external_id, place) on true
                  join messages m on m.channel = c.channel and m.external_id = said.external_id
                 where c.id = t.conversation_id) as burst,
               (select coalesce(jsonb_agg(to_jsonb(s) order by s.step), '[]')
                  from turn_steps s where s.turn_id = t.id) as steps,
               exists (select from messages m where m.conversation_id = t.conversation_id and m.turn_id = t.id
                                                and m.degraded) as degraded
          from chosen t order by t.id
        """,
        turn_id,
        conversation_id,
        since,
        limit,
    )
    return [read_turn(dict(row)) for row in rows]


def read_turn(row: dict[str, Any]) -> RecordedTurn:
    steps = tuple(read_step(step) for step in row.pop("steps"))
    history, burst = (tuple(row.pop(name)) for name in ("history", "burst"))
    return RecordedTurn(**row, history=history, burst=burst, steps=steps)
