"""A model that says again what was said in a recorded turn, and the tape that both it and the tools play from."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

import orjson

from agent.handoff import Limit
from agent.journal import read_item
from agent.models.base import Item, ModelFailure, ModelReply, ModelRequest, Text, ToolCall, Usage
from db.errors import DeskError
from db.turns import StepRow

FINAL = timedelta(days=1)
"""The wish of a model to be asked again no sooner: what is recorded is what came of both tries."""
SHOWN_CHARS = 400
LIMIT = "limit: "


class Different(DeskError):
    """The turn goes another way than it was recorded; says where and how."""


class Tape:
    """The recorded steps, and how far a run has come. is_redacted: words were replaced in what the turn was given."""

    def __init__(self, steps: Sequence[StepRow], *, is_redacted: bool = False) -> None:
        self.steps = steps
        self.is_redacted = is_redacted
        self.at = 0
        self.calls = 0
        """Made in the step under way."""

    @property
    def step(self) -> StepRow:
        """The one that is under way. Raises Different after the last one."""
        if self.at >= len(self.steps):
            raise Different(f"step {self.at + 1}: recorded the end of the turn, now another step")
        return self.steps[self.at]

    def describe(self) -> str:
        """What was recorded of the step under way."""
        step = self.step
        calls = [describe_call(call) for call in list_calls(step)]
        return " and ".join([*([step.error] if step.error else []), *calls]) or "nothing"

    def differ(self, now: str) -> Different:
        return Different(f"step {self.at + 1} ({self.step.model}): recorded {self.describe()}; now {now}")

    def take_result(self, call: ToolCall) -> tuple[StepRow, dict[str, Any]]:
        """The step and what was answered to the same call in the same place. Raises Different."""
        step, place = self.step, self.calls
        made = {one.id: one for one in list_calls(step)}
        if place >= len(step.results) or not self.is_same(call, made[step.results[place]["call_id"]]):
            raise self.differ(describe_call(call))
        self.calls += 1
        return step, step.results[place]

    def is_same(self, call: ToolCall, recorded: ToolCall) -> bool:
        """By name and arguments; a call of our own that was made of words which were replaced, by its name."""
        if self.is_redacted and self.step.model == "policy":
            return call.name == recorded.name
        return (call.name, read_arguments(call)) == (recorded.name, read_arguments(recorded))

    async def check_step(self, now: StepRow) -> None:
        """Hold a step that was taken against the one that was recorded, and go on to the next. Raises Different."""
        then = self.step
        if (now.model, now.error) != (then.model, then.error):
            raise self.differ(f"{now.model}: {now.error or 'no error'}")
        if self.calls != len(then.results):
            raise self.differ(f"only {self.calls} of its calls")
        self.at += 1
        self.calls = 0


class ReplayModel:
    """Says what the model of this name said in each step of the tape, and fails where it failed."""

    def __init__(self, name: str, tape: Tape) -> None:
        self.name = name
        self.tape = tape

    async def reply(self, request: ModelRequest) -> ModelReply:  # noqa: ARG002 (the answer stands on the tape)
        """What was recorded. Raises ModelFailure where the model failed, Different where it was not asked."""
        step = self.tape.step
        if step.model != self.name:
            raise self.tape.differ(f"{self.name} is asked")
        if step.error is not None:
            raise ModelFailure(step.error, "as it was recorded", retry_after=FINAL)
        usage = step.usage and Usage(step.usage["input_tokens"], step.usage["output_tokens"])
        return ModelReply(self.name, said_by_model(step), usage or None)


def said_by_model(step: StepRow) -> tuple[Item, ...]:
    """Without the call that the loop made of mere words: it is to be made again."""
    items = [read_item(row) for row in step.items]
    ours = {f"text{step.step}"} if any(isinstance(item, Text) for item in items) else set()
    return tuple(item for item in items if not (isinstance(item, ToolCall) and item.id in ours))


def find_limit(step: StepRow) -> Limit | None:
    """Which limit this step is the end of."""
    error = step.error or ""
    return cast(Limit, error.removeprefix(LIMIT)) if error.startswith(LIMIT) else None


def list_calls(step: StepRow) -> list[ToolCall]:
    return [item for item in map(read_item, step.items) if isinstance(item, ToolCall)]


def describe_call(call: ToolCall) -> str:
    return f"{call.name} {call.arguments}"[:SHOWN_CHARS]


def read_arguments(call: ToolCall) -> Any:
    """The arguments whatever way they are written; as they stand where they are no JSON."""
    try:
        return orjson.loads(call.arguments)
    except ValueError:
        return call.arguments
