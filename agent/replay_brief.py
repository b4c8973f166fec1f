"""What a turn was given, as its row keeps it and as it is read back; the words are in the log of messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agent.brief import Brief, Line
from agent.models.base import Model
from agent.turn import Limits
from db.errors import DeskError
from db.recordings import RecordedTurn

BRIEF = TypeAdapter(Brief)
KEPT_LIMITS = ("steps", "tool_calls", "rejected_replies", "input_tokens", "usd", "early_search")
"""Those that decide how a turn goes on, whatever the clock says."""


class NotRecorded(DeskError):
    """The turn cannot be rebuilt from what is stored; says why."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a turn began with."""

    brief: Brief
    limits: Limits
    models: tuple[str, ...]
    """Their names, in the order they would have been asked."""


def describe_given(
    brief: Brief, limits: Limits, models: Sequence[Model], *, history: Sequence[str], burst: Sequence[str]
) -> dict[str, Any]:
    """As turns.brief keeps it. history: ids of messages; burst: their external ids, both in the order of the brief."""
    said = "\n".join(line.text for line in brief.burst)
    wordless = replace(brief, history=(), burst=(), own_words=None if brief.own_words == said else brief.own_words)
    return {
        "brief": BRIEF.dump_python(wordless, mode="json"),
        "limits": describe_limits(limits),
        "models": [model.name for model in models],
        "history": list(history),
        "burst": list(burst),
    }


def describe_limits(limits: Limits) -> dict[str, Any]:
    kept = {name: getattr(limits, name) for name in KEPT_LIMITS}
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in kept.items()}


def rebuild(turn: RecordedTurn) -> Given:
    """What the agent was given then. Raises NotRecorded."""
    stored = turn.brief
    if stored is None:
        raise NotRecorded("it is older than the version that keeps what a turn was given")
    if (len(turn.history), len(turn.burst)) != (len(stored["history"]), len(stored["burst"])):
        raise NotRecorded("some of its messages are no longer stored")
    lines = [make_line(number, row) for number, row in enumerate((*turn.history, *turn.burst), start=1)]
    brief = read_brief(stored["brief"])
    said = len(turn.history)
    return Given(
        replace(brief, history=tuple(lines[:said]), burst=tuple(lines[said:])),
        read_limits(stored["limits"]),
        tuple(stored["models"]),
    )


def make_line(number: int, row: Mapping[str, Any]) -> Line:
    return Line(f"m{number}", row["author"], row["text"], datetime.fromisoformat(row["at"]).astimezone(UTC))


def read_brief(value: Mapping[str, Any]) -> Brief:
    """Raises NotRecorded for one that other code wrote and this code cannot read."""
    try:
        return BRIEF.validate_python(value)
    except ValidationError as error:
        raise NotRecorded(f"its brief cannot be read: {error.errors()[0]['type']}") from None


def read_limits(value: Mapping[str, Any]) -> Limits:
    """Limits as they were then, those of today for what is not named."""
    known = {name: value[name] for name in KEPT_LIMITS if name in value}
    return replace(Limits(), **known | {"usd": Decimal(known.get("usd", Limits().usd))})
