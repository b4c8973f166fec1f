"""Transcript items as JSON: what turn_steps keeps, and what a resumed turn reads back."""

from dataclasses import fields
from typing import Any

from agent.models.base import Item, Reasoning, Text, ToolCall, ToolResult

TYPES: dict[str, type[Text] | type[ToolCall] | type[ToolResult] | type[Reasoning]] = {
    "text": Text,
    "tool_call": ToolCall,
    "tool_result": ToolResult,
    "reasoning": Reasoning,
}
NAMES = {kind: name for name, kind in TYPES.items()}
FIELDS = {kind: tuple(field.name for field in fields(kind)) for kind in NAMES}


def dump_item(item: Item) -> dict[str, Any]:
    """A JSON object with the item's fields and its `type`."""
    return {"type": NAMES[type(item)], **{name: getattr(item, name) for name in FIELDS[type(item)]}}


def read_item(row: dict[str, Any]) -> Item:
    """The item behind such an object."""
    return TYPES[row["type"]](**{name: value for name, value in row.items() if name != "type"})
