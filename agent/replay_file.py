"""A recorded turn as a file to show to others: private values and names replaced, the same bytes each time."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agent.models.replay import find_limit, list_calls
from agent.redaction import Redaction
from agent.replay_brief import BRIEF, Given, NotRecorded, describe_limits, read_brief, read_limits, rebuild
from db.errors import DeskError
from db.recordings import RecordedTurn
from db.turns import StepRow

FORMAT = 1
TERMINAL = ("respond", "escalate")


class UnreadableRecording(DeskError):
    """A file holds no recorded turn that this version can read."""


@dataclass(frozen=True, slots=True)
class End:
    """What came of the turn."""

    outcome: str
    limit: str | None
    degraded: bool
    terminal: Mapping[str, Any]
    """The effect that ended it, without its call."""


@dataclass(frozen=True, slots=True)
class Recording:
    """All that is needed to run a turn again."""

    name: str
    given: Given
    steps: tuple[StepRow, ...]
    end: End
    is_redacted: bool
    """Whether words of what the turn was given were replaced."""


def export(turn: RecordedTurn) -> dict[str, Any]:
    """The turn as a JSON object without private values and names. Raises NotRecorded."""
    given = rebuild(turn)
    names = [given.brief.customer_name, *(row.get("assignee") for step in turn.steps for row in step.effects)]
    redaction = Redaction(str(turn.conversation_id), [name for name in names if name])
    whole = BRIEF.dump_python(given.brief, mode="json") | {"customer_name": None}
    brief = redaction.hide(whole)
    terminal = find_terminal(turn.steps)
    return {
        "format": FORMAT,
        "turn": str(turn.id),
        "started_at": turn.started_at.isoformat(),
        "prompt_version": turn.prompt_version,
        "is_redacted": brief != whole,
        "models": list(given.models),
        "limits": describe_limits(given.limits),
        "brief": brief,
        "steps": [describe_step(step, redaction) for step in turn.steps],
        "end": {
            "outcome": turn.outcome,
            "limit": find_limit(turn.steps[-1]),
            "degraded": turn.degraded,
            "model": turn.model,
            "cost_usd": show_usd(turn.cost_usd),
            "input_tokens": turn.input_tokens,
            "output_tokens": turn.output_tokens,
            "terminal": redaction.hide(terminal),
        },
    }


def find_terminal(steps: Sequence[StepRow]) -> dict[str, Any]:
    """The effect that ended the turn. Raises NotRecorded."""
    effects = steps[-1].effects if steps else ()
    terminal = next((row for row in effects if row["kind"] in TERMINAL), None)
    if terminal is None:
        raise NotRecorded("its journal has no end")
    return {name: value for name, value in terminal.items() if name != "call_id"}


def describe_step(step: StepRow, redaction: Redaction) -> dict[str, Any]:
    """Without what only its provider can read, and without what no second run needs."""
    items = [row for row in step.items if row["type"] != "reasoning"]
    return {
        "model": step.model,
        "items": [hide_item(row, redaction) for row in items],
        "results": [row | {"output": redaction.hide_json(row["output"])} for row in step.results],
        "effects": [redaction.hide(row) | {"call_id": row["call_id"]} for row in step.effects],
        "passages": redaction.hide(step.passages),
        "usage": step.usage and {name: step.usage[name] for name in ("input_tokens", "output_tokens")},
        "cost_usd": show_usd(step.cost_usd),
        "error": step.error,
    }


def hide_item(row: dict[str, Any], redaction: Redaction) -> dict[str, Any]:
    if row["type"] == "tool_call":
        return row | {"arguments": redaction.hide_json(row["arguments"])}
    return row | {"text": redaction.hide_text(row["text"])}


def show_usd(usd: Decimal | None) -> str | None:
    return None if usd is None else f"{usd:f}"


def dump(value: object) -> str:
    """The same text for the same turn, whoever exports it."""
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def read_recordings(text: str) -> list[Recording]:
    """The turns of a file: one, or a list of them. Raises UnreadableRecording."""
    try:
        value = json.loads(text)
        return [read_recording(one) for one in (value if isinstance(value, list) else [value])]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, NotRecorded) as error:
        raise UnreadableRecording(f"it holds no turn as `turn export` writes them ({type(error).__name__})") from error


def read_recording(value: dict[str, Any]) -> Recording:
    if value["format"] != FORMAT:
        raise UnreadableRecording(f"it was written by another version: format {value['format']}, not {FORMAT}")
    given = Given(read_brief(value["brief"]), read_limits(value["limits"]), tuple(value["models"]))
    steps = tuple(read_step(number, row) for number, row in enumerate(value["steps"], start=1))
    end = value["end"]
    return Recording(
        name=str(value["turn"]),
        given=given,
        steps=steps,
        end=End(end["outcome"], end["limit"], end["degraded"], end["terminal"]),
        is_redacted=value["is_redacted"],
    )


def read_step(number: int, row: Mapping[str, Any]) -> StepRow:
    names = ("model", "items", "results", "effects", "passages", "usage", "error")
    cost = row["cost_usd"]
    step = StepRow(
        step=number,
        latency_ms=0,
        cost_usd=None if cost is None else Decimal(cost),
        **{name: row[name] for name in names},
    )
    known = {call.id for call in list_calls(step)}
    if not all(result["call_id"] in known for result in step.results):
        raise UnreadableRecording(f"step {number} has a result without a call")
    return step
