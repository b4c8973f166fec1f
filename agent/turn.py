"""What a turn is given, what it may use, and what it comes to."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from agent.effects import Effect, Escalate, Respond
from agent.models.base import Model, Usage
from agent.prices import Prices
from agent.toolbox import ToolContext
from db.turns import StepRow

RecordStep = Callable[[StepRow], Awaitable[None]]
"""Writes a step into the journal. Raises LeaseLost when the turn is no longer ours."""
Reserve = Callable[[Decimal], Awaitable[str | None]]
"""Sets US dollars aside, gives them back where negative. The budget that has no room for them, None where all have."""


async def reserve_nothing(_: Decimal) -> str | None:
    """For a turn that no budget beyond its own limits."""
    return None


@dataclass(frozen=True, slots=True)
class Limits:
    """What one turn may use. Each limit ends at a person, never in silence."""

    steps: int = 6
    tool_calls: int = 8
    rejected_replies: int = 2
    """Drafts that may fail the checks before a person is called."""
    input_tokens: int = 40_000
    attempt: timedelta = timedelta(seconds=25)
    """One exchange with a model."""
    turn: timedelta = timedelta(seconds=45)
    usd: Decimal = Decimal("0.05")
    patience: timedelta = timedelta(0)
    """How long the turn may be put off because a model asks for it; after that the next model answers."""
    early_search: bool = False
    """Whether what is asked is looked up before the first model is asked."""


@dataclass(frozen=True, slots=True)
class AgentTurn:
    """One turn to be run: who may answer it, with what, within which limits, and the steps a crash left behind."""

    models: Sequence[Model]
    """In the order they are tried; a failure moves on to the next for the rest of the turn."""
    instructions: str
    transcript: str
    """The turn laid out for a model that reads text."""
    context: ToolContext
    limits: Limits
    prices: Prices
    record_step: RecordStep
    steps: Sequence[StepRow] = ()
    reserve: Reserve = reserve_nothing
    shorten_transcript: Callable[[], str] | None = None
    """The turn laid out in less than half the room, for a model that cannot read all of it."""


@dataclass(slots=True)
class Spent:
    """What the turn has used so far. Tokens and money stay None as long as nothing counted them."""

    steps: int = 0
    calls: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    usd: Decimal | None = None
    tools_ms: dict[str, float] = field(default_factory=dict)

    def add(self, usage: Usage | None, usd: Decimal | None) -> None:
        if usage is not None:
            self.input_tokens = (self.input_tokens or 0) + usage.input_tokens
            self.output_tokens = (self.output_tokens or 0) + usage.output_tokens
        if usd is not None:
            self.usd = (self.usd or Decimal(0)) + usd


@dataclass(frozen=True, slots=True)
class Ending:
    """How a turn ended: the effects to commit, the terminal one among them, and the step that is not journalled yet."""

    terminal: Respond | Escalate
    effects: tuple[Effect, ...]
    last_step: StepRow | None
    model: str
    spent: Spent
    limit: str | None = None
    """Which limit called a person, None when none did."""
    degraded: bool = False
    """A fallback wrote it, not the model that was configured."""
