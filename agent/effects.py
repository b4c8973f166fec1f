"""What the writing tools leave behind: nothing is changed until the turn's one commit changes all of it."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class CreateTicket:
    """Open a ticket under a reference that was already drawn, so that the reply may quote it."""

    reference: str
    subject: str
    category: str
    priority: int
    priority_why: str
    summary: str
    kind: str = "create_ticket"


@dataclass(frozen=True, slots=True)
class Escalate:
    """Give the ticket to a person. `due_at` is RFC 3339; `customer_message` is what the customer is told."""

    reference: str
    category: str
    reason: str
    priority: int
    priority_why: str
    handoff_note: str
    team: str
    assignee: str | None
    due_at: str
    customer_message: str
    kind: str = "escalate"


@dataclass(frozen=True, slots=True)
class Respond:
    """Send a reply that passed every check. `citations` is [{passage, version, slug, title, url}]."""

    body: str
    response_kind: str
    language: str
    resolves: bool
    citations: list[dict[str, Any]] = field(default_factory=list)
    kind: str = "respond"


Effect = CreateTicket | Escalate | Respond
KINDS: dict[str, type[CreateTicket] | type[Escalate] | type[Respond]] = {
    "create_ticket": CreateTicket,
    "escalate": Escalate,
    "respond": Respond,
}


def dump_effect(effect: Effect) -> dict[str, Any]:
    """As the journal keeps it."""
    return asdict(effect)


def read_effect(row: dict[str, Any]) -> Effect:
    """From the journal, which also names the call that left the effect."""
    return KINDS[row["kind"]](**{name: value for name, value in row.items() if name != "call_id"})
