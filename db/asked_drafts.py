"""Drafts that somebody of the team asks the agent for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from db.errors import LeaseLost
from db.people import Actor
from db.pool import Connection
from db.queue import ClaimedLane
from db.turns import OpenTurn, StepRow, read_open_turn

Verdict = Literal["written", "nothing", "failed", "dropped", "lost"]


@dataclass(frozen=True, slots=True)
class DraftRequest:
    """What became of the draft that was asked for last: a row of draft_requests."""

    state: Literal["open", "written", "nothing", "failed", "dropped"]
    why: str | None


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A draft to be written, and the turn that writes it."""

    thread_key: str
    turn: OpenTurn


@dataclass(frozen=True, slots=True)
class RequestEnd:
    """What is to be kept. `body`, `kind`, `citations` and `category` are the draft's, where there is one."""

    lane: str
    token: int
    covers: list[int]
    requests: Sequence[UUID]
    state: Literal["written", "nothing", "failed"]
    why: str | None = None
    turn_id: UUID | None = None
    """None: whatever turn was begun is abandoned."""
    last_step: StepRow | None = None
    """The step that ended the turn, journalled with the rest."""
    body: str | None = None
    kind: str | None = None
    citations: list[dict[str, Any]] = field(default_factory=list)
    category: str | None = None
    note: str | None = None
    """For whoever reads the draft."""
    model: str | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    error: str | None = None


async def ask_for_draft(conn: Connection, conversation_id: UUID, who: Actor) -> str:
    """Queue a draft. accepted, repeated (one is there, or being written), suppressed, unread (no word of the customer
    has been taken up yet) or missing."""
    outcome: str = await conn.fetchval("select ask_for_draft($1, $2)", conversation_id, who)
    return outcome


async def find_request(conn: Connection, conversation_id: UUID) -> DraftRequest | None:
    """The newest request of a conversation; None where there is none, or something was said to the customer since."""
    row = await conn.fetchrow(
        """
        select case when is_forsaken(r) then 'failed' else r.state end as state, r.why
          from (select * from draft_requests where conversation_id = $1 order by asked_at desc limit 1) newest
          join draft_requests r using (id)
         where not exists (select from messages m where m.conversation_id = $1 and m.direction = 'outbound'
                                                   and m.sent_at > r.ended_at)
        """,
        conversation_id,
    )
    return DraftRequest(**row) if row else None


async def open_turn(
    conn: Connection, lane: ClaimedLane, requests: Sequence[UUID], *, prompt_version: str
) -> OpenRequest | None:
    """Begin or resume the turn that writes what is still wanted of these requests, None where nothing is.

    Raises LeaseLost.
    """
    row = await conn.fetchval(
        "select open_draft_turn($1, $2, $3, $4, $5)", lane.lane, lane.token, requests, lane.jobs[-1].id, prompt_version
    )
    if row is None:
        raise LeaseLost(lane.lane)
    return OpenRequest(row["thread_key"], read_open_turn(row["turn"])) if row else None


async def end_request(conn: Connection, end: RequestEnd) -> tuple[Verdict, str | None]:
    """Keep everything of it and take the work off the queue, or nothing; what it came to, and the thread's key.

    dropped: something was said meanwhile, or nobody wants it any more; lost: another worker has the lane.
    """
    row = await conn.fetchval("select end_draft_request($1)", end)
    return row["verdict"], row.get("thread_key")
