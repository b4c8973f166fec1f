"""The ledger of turns: how one begins, its journal of steps, and the one commit it ends with."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from db.pool import Connection

CommitResult = Literal["done", "superseded", "silenced", "lost", "braked", "off"]


@dataclass(frozen=True, slots=True)
class TurnStart:
    """What the worker knows of a claimed lane. `customer` is {kind, value, proof, name, plan}, None when the
    conversation already knows who writes."""

    lane: str
    token: int
    newest: int
    """Id of the newest queued message the turn covers."""
    channel: str
    thread_key: str
    subject: str
    trust: int
    customer: dict[str, Any] | None
    covers_external: list[str]
    is_test: bool = False
    prompt_version: str | None = None
    """Names the policy text that is in force."""
    address: str | None = None
    """Where the newest of them was written from, as the vendor has it."""


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """An earlier message of the conversation."""

    id: UUID
    author: str
    body: str
    kind: str | None
    citations: list[dict[str, Any]]
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of the journal, as JSON: see the comments on turn_steps."""

    step: int
    model: str
    items: list[dict[str, Any]]
    results: list[dict[str, Any]]
    effects: list[dict[str, Any]]
    passages: list[dict[str, Any]]
    latency_ms: float
    usage: dict[str, Any] | None = None
    cost_usd: Decimal | None = None
    request_id: str | None = None
    error: str | None = None
    reserved_usd: Decimal | None = None
    """Set aside before the model was asked; writing the step gives back what it did not cost."""


@dataclass(frozen=True, slots=True)
class OpenTurn:
    """A turn under way: whose it is, what was said, what the channel allows, and the steps already taken."""

    turn_id: UUID
    attempts: int
    conversation_id: UUID
    customer_id: UUID | None
    """None when nobody told who writes."""
    epoch: int
    handler: Literal["agent", "human"]
    trust: int
    plan: str | None
    language: str | None
    sentiment: float | None
    summary: str
    subject: str
    is_test: bool
    is_suppressed: bool
    """Nothing is to be sent to this customer here."""
    customer_name: str | None
    config: dict[str, Any]
    """The row of channel_configs."""
    ticket: dict[str, Any] | None
    """The open ticket of the conversation: the row of tickets."""
    history: tuple[LoggedMessage, ...]
    steps: tuple[StepRow, ...]


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """Everything of a turn that is to be kept. `inbound` is [{external_id, body, sent_at}], `reply` is
    {bodies, kind, citations, delivery, degraded} or None, `effects` as in turn_steps."""

    lane: str
    token: int
    turn_id: UUID
    covers: list[int]
    inbound: list[dict[str, Any]]
    outcome: str
    last_step: StepRow | None = None
    """The step that ended the turn, journalled by the commit itself."""
    effects: list[dict[str, Any]] = field(default_factory=list)
    reply: dict[str, Any] | None = None
    resolves: bool = False
    language: str | None = None
    sentiment: float | None = None
    model: str | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    error: str | None = None
    dead_error: str | None = None
    """Set: the covered messages also become dead letters with this reason."""
    brief: dict[str, Any] | None = None
    """What the agent was given: see the comment on turns.brief."""


async def open_turn(conn: Connection, start: TurnStart) -> OpenTurn | None:
    """Begin or resume the turn of a claimed lane. None when the lease was lost."""
    row = await conn.fetchval("select open_turn($1)", start)
    return None if row is None else read_open_turn(row)


def read_open_turn(row: dict[str, Any]) -> OpenTurn:
    """From the JSON of open_turn."""
    for name in ("spent_today_usd", "spent_here_usd"):  # still given to workers of the last version
        row.pop(name, None)
    history = tuple(LoggedMessage(**read_message(m)) for m in row.pop("history"))
    steps = tuple(read_step(step) for step in row.pop("steps"))
    ids: dict[str, Any] = {name: UUID(row.pop(name)) for name in ("turn_id", "conversation_id")}
    customer_id = row.pop("customer_id")
    return OpenTurn(**row, **ids, customer_id=UUID(customer_id) if customer_id else None, history=history, steps=steps)


def read_message(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"id": UUID(row["id"]), "sent_at": datetime.fromisoformat(row["sent_at"])}


def read_step(row: dict[str, Any]) -> StepRow:
    cost = row["cost_usd"]
    names = ("step", "model", "items", "results", "effects", "passages", "latency_ms", "usage", "request_id", "error")
    return StepRow(cost_usd=None if cost is None else Decimal(str(cost)), **{name: row[name] for name in names})


@dataclass(frozen=True, slots=True)
class Budgets:
    """US dollars for one UTC day."""

    day: Decimal
    conversation: Decimal
    customer: Decimal


async def reserve_spend(
    conn: Connection, conversation_id: UUID, usd: Decimal, budgets: Budgets, *, turn_id: UUID | None = None
) -> str | None:
    """Set money aside in all budgets, or in none: then the name of one that has no room. Negative: given back.

    turn_id: whoever takes this turn over gives back what was not settled; None: it belongs to no turn.
    """
    exhausted: str | None = await conn.fetchval(
        "select reserve_spend($1, $2, $3, $4, $5, $6)",
        conversation_id,
        turn_id,
        usd,
        budgets.day,
        budgets.conversation,
        budgets.customer,
    )
    return exhausted


async def record_step(conn: Connection, turn_id: UUID, token: int, step: StepRow) -> bool:
    """Write one step into the journal. False when the lease was lost: drop everything of the turn."""
    written: bool = await conn.fetchval("select record_step($1, $2, $3)", turn_id, token, step)
    return written


async def commit_turn(conn: Connection, end: TurnEnd) -> CommitResult:
    """Keep everything of the turn in one transaction, or nothing of it.

    superseded: the customer wrote again; silenced: a person took over; lost: another worker has the lane; braked: this
    customer got too many replies, or off: the agent may not answer this; the turn is still open, end it at a person.
    """
    result: CommitResult = await conn.fetchval("select commit_turn($1)", end)
    return result
