"""A model that says what it was told to say, and remembers what it was asked: for tests and the bench."""

from collections.abc import Callable, Sequence

from agent.models.base import Item, ModelFailure, ModelReply, ModelRequest

Script = Sequence[Item] | ModelReply | ModelFailure | Callable[[ModelRequest], Sequence[Item]]


class ScriptedModel:
    """Plays `replies` in order, one for each request; `requests` keeps what it was asked."""

    name = "scripted"

    def __init__(self, replies: Sequence[Script]) -> None:
        self.replies = tuple(replies)
        self.requests: list[ModelRequest] = []

    async def reply(self, request: ModelRequest) -> ModelReply:
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
