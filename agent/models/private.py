"""A model behind a network, which reads placeholders in place of what is nobody else's business."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agent.models.base import Item, ModelFailure, ModelReply, Prompt, Remote, Text, ToolCall, ToolResult
from agent.models.wire import mend_text
from agent.privacy import AlteredPlaceholder, Kind, Placeholders


class PrivateModel:
    """The model within, which is sent no private value of `kinds` and whose replies have them again."""

    def __init__(self, model: Remote, kinds: frozenset[Kind]) -> None:
        self.model = model
        self.kinds = kinds

    @property
    def name(self) -> str:
        """The name of the model within."""
        return self.model.name

    async def reply(self, request: Prompt) -> ModelReply:
        """What the model within answers. Raises its ModelFailure, and ModelFailure altered_placeholder.

        The instructions and `brief`, which goes nowhere, stay as they are; so does reasoning, which is the provider's.
        """
        placeholders = Placeholders(request.conversation, self.kinds)
        hidden = tuple(change_texts(item, placeholders.hide) for item in request.items)
        reply = await self.model.reply(replace(request, items=hidden))
        try:
            shown = tuple(change_texts(item, placeholders.show) for item in reply.items)
        except AlteredPlaceholder as error:
            failure = ModelFailure("altered_placeholder", str(error))
            failure.usage = reply.usage
            raise failure from error
        return replace(reply, items=shown)


def change_texts(item: Item, change: Callable[[str], str]) -> Item:
    """The same item with every text of it changed."""
    match item:
        case Text():
            return replace(item, text=change(item.text))
        case ToolCall():
            return replace(item, arguments=change_json(item.arguments, change))
        case ToolResult():
            return replace(item, output=change_json(item.output, change))
        case _:
            return item


def change_json(text: str, change: Callable[[str], str]) -> str:
    """JSON with every string of it changed and nothing else; what is no JSON is changed as the text it is."""
    try:
        changed = json.dumps(change_strings(json.loads(text), change), ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        return change(text)
    return mend_text(changed)


def change_strings(value: Any, change: Callable[[str], str]) -> Any:
    """Names are changed as well, for a model may have made them up; a long number becomes a string where it must."""
    if isinstance(value, dict):
        return {change(name): change_strings(inner, change) for name, inner in value.items()}
    if isinstance(value, list):
        return [change_strings(inner, change) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool):
        changed = change(str(value))
        return value if changed == str(value) else changed
    return change(value) if isinstance(value, str) else value
