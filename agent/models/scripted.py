"""A model that says what it was told to say, and remembers what it was asked: for tests and the bench."""

from collections.abc import Callable, Sequence
from typing import Any

from agent.models.base import Item, ModelFailure, ModelReply

Script = Sequence[Item] | ModelReply | ModelFailure | Callable[[Any], Sequence[Item]]
"""A function is given the request: a Prompt, within a turn a ModelRequest."""


class ScriptedModel:
    """Plays `replies` in order, one for each request; `requests` keeps what it was asked."""

    def __init__(self, replies: Sequence[Script], *, name: str = "scripted") -> None:
        self.replies = tuple(replies)
        self.name = name
        self.requests: list[Any] = []

    async def reply(self, request: Any) -> ModelReply:
        """The next reply of the script. Raises the ModelFailure that stands there, or "unavailable" after the end."""
        self.requests.append(request)
        if len(self.requests) > len(self.replies):
            raise ModelFailure("unavailable", "the script has no further reply")
        script = self.replies[len(self.requests) - 1]
        if isinstance(script, ModelFailure):
            raise script
        if isinstance(script, ModelReply):
            return script
        items = script(request) if callable(script) else script
        return ModelReply(self.name, tuple(items))
