"""Replies that wait for approval, and how much the agent may do without it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from db.people import Actor
from db.pool import Connection

Mode = Literal["off", "draft", "auto"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply that is sent only once somebody approves."""

    id: UUID
    source: Literal["agent", "correction", "asked"]
    body: str
    citations: list[dict[str, Any]]
    turn_id: UUID | None
    note: str | None
    created_at: datetime
    is_outdated: bool
    """Whether an article it stands on has changed: it is not sent as it is."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How drafts and answers of a category of a channel fared: a row of autonomy_evidence."""

    channel: str
    category: str
    mode: Mode
    decided: int
    unedited: int
    edited: int
    rejected: int
    median_distance: float | None
    surely_unedited: float | None
    """The share that is at least behind `unedited` of `decided`, 95 %."""
    answers: int
    troubled: int
    surely_troubled: float | None
    proposal: Mode | None
    why: str


async def list_pending(conn: Connection, conversation_id: UUID) -> list[Draft]:
    """What waits for somebody's decision, corrections last."""
    rows = await conn.fetch(
        """
        select id, source, body, citations, turn_id, note, created_at, is_outdated(citations) as is_outdated from drafts
         where conversation_id = $1 and state = 'pending' order by source = 'correction', created_at
        """,
        conversation_id,
    )
    return [Draft(**row) for row in rows]


async def find_draft(conn: Connection, conversation_id: UUID, draft_id: UUID) -> Draft | None:
    """A draft of this conversation, decided about or not."""
    row = await conn.fetchrow(
        """
        select id, source, body, citations, turn_id, note, created_at, is_outdated(citations) as is_outdated from drafts
         where conversation_id = $1 and id = $2
        """,
        conversation_id,
        draft_id,
    )
    return Draft(**row) if row else None


async def approve_draft(
    conn: Connection,
    conversation_id: UUID,
    draft_id: UUID,
    *parts: str,
    distance: float,
    idempotency: UUID,
    who: Actor,
    seen: int | None = None,
    hold: timedelta = timedelta(0),
) -> str:
    """Send a draft of this conversation in these words. distance: how much they differ from it, 0 to 1.

    As add_person_message, and decided: somebody was faster, or something was said since it was written; outdated: an
    article it stands on has changed, and these are its own words.
    """
    outcome: str = await conn.fetchval(
        "select approve_draft($1, $2, $3, $4, $5, $6, $7, $8)",
        conversation_id,
        draft_id,
        parts,
        distance,
        idempotency,
        who,
        seen,
        hold,
    )
    return outcome


async def reject_draft(conn: Connection, conversation_id: UUID, draft_id: UUID, who: Actor) -> str:
    """Never send it; of an answer of the agent, `who` answers instead. accepted, decided or missing."""
    outcome: str = await conn.fetchval("select reject_draft($1, $2, $3)", conversation_id, draft_id, who)
    return outcome


async def list_evidence(conn: Connection) -> list[Evidence]:
    """Every category that anything happened in, those with a proposal first."""
    rows = await conn.fetch(
        """
        select channel, category, mode, decided, unedited, edited, rejected, median_distance, surely_unedited, answers,
               troubled, surely_troubled, proposal, why
          from autonomy_evidence order by proposal is null, channel, category
        """
    )
    return [Evidence(**row) for row in rows]


async def list_modes(conn: Connection) -> dict[tuple[str, str], Mode]:
    """What was decided, by channel and category; a channel's own mode under an empty category."""
    rows = await conn.fetch(
        "select channel, category, mode from autonomy union all select channel, '', mode from channel_configs"
    )
    return {(row["channel"], row["category"]): row["mode"] for row in rows}


async def decide_autonomy(conn: Connection, channel: str, category: str, mode: Mode, *, why: str, who: Actor) -> None:
    """How much the agent may do alone there, from now on."""
    await conn.execute("select decide_autonomy($1, $2, $3, $4, $5)", channel, category, mode, why, who)


async def fall_back(conn: Connection) -> int:
    """Let categories whose answers led to too much trouble be drafted again; how many that were."""
    count: int = await conn.fetchval("select fall_back()")
    return count
