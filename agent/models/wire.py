"""What both wires share: options, call ids, arguments, and a transcript in which every call has one output."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.models.base import Item, ModelFailure, Prompt, Text, ToolCall, ToolResult, Usage

CALL_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
NOT_IN_A_TOOL_NAME = re.compile(r"[^A-Za-z0-9_-]")
UNANSWERED = '{"error":{"code":"unavailable","message":"This call was not run.","retry":true}}'


@dataclass(frozen=True, slots=True)
class WireOptions:
    """What a request body depends on besides the request itself."""

    model: str
    origin: str
    """Names the model at its server: reasoning is only readable where it was made."""
    dropped: frozenset[str] = frozenset()
    """Optional features this server has refused."""

    def keeps(self, feature: str) -> bool:
        return feature not in self.dropped


@dataclass(frozen=True, slots=True)
class WireFormat:
    """A dialect of OpenAI's HTTP interface: where to post, what to post, and how to read the JSON that comes back."""

    path: str
    build_body: Callable[[Prompt, WireOptions], dict[str, Any]]
    read_items: Callable[[Mapping[str, Any], Prompt, WireOptions], tuple[Item, ...]]
    """Raises ModelFailure."""
    read_usage: Callable[[Mapping[str, Any]], Usage | None]


class CallIds:
    """Gives every tool call of a reply an id that is unique in the transcript, and the same on every replay."""

    def __init__(self, transcript: Sequence[Item]) -> None:
        self.taken = {item.id for item in transcript if isinstance(item, ToolCall)}
        self.prefix = f"call_{len(transcript)}"
        self.count = 0

    def claim(self, offered: object) -> str:
        """The provider's own id where it is usable and new, else one made of the place of the call."""
        self.count += 1
        usable = isinstance(offered, str) and CALL_ID.fullmatch(offered) and offered not in self.taken
        chosen = str(offered) if usable else f"{self.prefix}_{self.count}"
        while chosen in self.taken:
            chosen += "x"
        self.taken.add(chosen)
        return chosen


def read_call(call_id: str, name: object, arguments: object) -> ToolCall:
    """A tool call as the model meant it; arguments that came as an object become JSON text again."""
    clean = NOT_IN_A_TOOL_NAME.sub("_", name)[:64] if isinstance(name, str) else ""
    if arguments is None:
        arguments = {}
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(call_id, clean or "unnamed", mend_text(text))


def mend_text(text: str) -> str:
    """Text without what neither JSON nor Postgres can carry: half surrogate pairs and NUL."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "")


def replay_arguments(arguments: str) -> str:
    """Arguments as they may be sent back: several servers fail on text that is not a JSON object."""
    try:
        parsed = json.loads(arguments)
    except (ValueError, RecursionError):
        parsed = None
    return arguments if isinstance(parsed, dict) else json.dumps({"unreadable": arguments}, ensure_ascii=False)


def complete_transcript(items: Sequence[Item]) -> list[Item]:
    """The same transcript with each call followed by exactly one output, whatever a crash left of it."""
    first_answers = {item.call_id: item for item in reversed(items) if isinstance(item, ToolResult)}
    whole: list[Item] = []
    waiting: list[ToolCall] = []
    for item in items:
        if isinstance(item, ToolResult) or (isinstance(item, Text) and item.role == "user"):
            whole += answer_calls(waiting, first_answers)
            waiting = []
        if isinstance(item, ToolCall):
            waiting.append(item)
        if not isinstance(item, ToolResult):
            whole.append(item)
    return whole + answer_calls(waiting, first_answers)


def answer_calls(calls: Sequence[ToolCall], answers: Mapping[str, ToolResult]) -> list[Item]:
    return [answers.get(call.id, ToolResult(call.id, UNANSWERED)) for call in calls]


def join_parts(content: object, kind: str) -> str:
    """Text of a message whose content is a string, or a list of parts of which those of type `kind` are text."""
    if isinstance(content, str):
        return mend_text(content)
    parts = list_objects(content)
    return mend_text("".join(str(part.get("text") or "") for part in parts if part.get("type") == kind))


def list_objects(value: object) -> list[dict[str, Any]]:
    """The JSON objects in a list; whatever else a server may have put there is left out."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def find_object(value: object, key: str) -> dict[str, Any]:
    """The object under `key`, empty where there is none."""
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


MOST_TOKENS = 1_000_000_000
"""More than any exchange can hold: what a broken server says beyond it is not worth failing for."""


def count_tokens(usage: Mapping[str, Any], key: str) -> int:
    """A token count as the provider gives it, 0 where it gives none."""
    value = usage.get(key)
    return min(value, MOST_TOKENS) if isinstance(value, int) and value > 0 else 0


def require_answer(items: Sequence[Item]) -> tuple[Item, ...]:
    """Raises ModelFailure("malformed") when nothing was said and no tool was called."""
    if not any(isinstance(item, Text | ToolCall) for item in items):
        raise ModelFailure("malformed", "the reply holds neither text nor a tool call")
    return tuple(items)
