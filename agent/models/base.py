"""The one protocol every model speaks, and the neutral transcript it is given.

A model is asked for one step at a time. It answers with items, which the loop appends to the transcript; so every
prefix of a journal is a valid request for every model, and a turn can change its model between two steps.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, Protocol

from agent.brief import Brief
from db.errors import DeskError


@dataclass(frozen=True, slots=True)
class Text:
    """Words of one side: the transcript shown to the model, or what it said without calling a tool."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the model wants. `arguments` is the JSON text as the model wrote it, not yet checked."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered, as JSON text."""

    call_id: str
    output: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A provider's opaque reasoning item: replayed to the model that made it, to no other."""

    model: str
    payload: dict[str, Any]


Item = Text | ToolCall | ToolResult | Reasoning


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model sees it: `parameters` is a JSON schema within the strict, portable subset."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one exchange; `raw` is the provider's own account of them."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a model behind a network reads: the policy, the transcript so far, the tools, and how long it may take."""

    instructions: str
    items: tuple[Item, ...]
    tools: tuple[ToolSpec, ...] = ()
    timeout: timedelta
    must_call_tool: bool = False
    is_last: bool = False
    """Whether only what ends the turn may be called. The tools stay the same, for a provider keeps what it read."""
    conversation: str = ""
    """Whose turn it is, by an id: what is derived from it is the same in every turn of a conversation."""
    max_output_tokens: int = 4096
    """A ceiling against a model that does not stop, reasoning included; not a wish for the length of a reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest(Prompt):
    """One step of a turn."""

    brief: Brief
    """The facts behind the transcript, for the offline model; a remote model reads them in `items`."""


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What the model answered: `items` holds Text, ToolCall and Reasoning in the order they came."""

    model: str
    items: tuple[Item, ...]
    usage: Usage | None = None
    request_id: str | None = None


class ModelFailure(DeskError):
    """The model gave no usable answer. `code` is one word for the ledger: timeout, rate_limited, unavailable,
    unauthorised, quota, context_too_long, refused, truncated, malformed; of our own: altered_placeholder, left_alone
    (it failed too often), crowded and no_time (there was no place or no time for it), budget_ and which one.
    `retry_after` is the provider's own wish, None when it had none."""

    def __init__(self, code: str, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after
        self.blames_request = False
        """Whether the provider finds fault with what it was sent, which says nothing of how it is."""
        self.usage: Usage | None = None
        """What an answer cost that could not be used."""


class Model(Protocol):
    """Anything that can take a turn one step further."""

    @property
    def name(self) -> str:
        """The name the ledger keeps."""
        ...

    async def reply(self, request: ModelRequest) -> ModelReply:
        """Answer one step within `request.timeout`. Raises ModelFailure; never retries on its own account."""
        ...


class Remote(Protocol):
    """A model that needs nothing but what it reads, so that it can be asked outside of a turn too."""

    @property
    def name(self) -> str:
        """The name the ledger keeps."""
        ...

    async def reply(self, request: Prompt) -> ModelReply:
        """As `Model.reply`."""
        ...
