"""What came of a turn, as the checks look at it: the same whether it was played or written down by hand."""

from dataclasses import dataclass, field
from typing import Any

from db.conversations import ConversationTicket


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, in as many parts as the channel needed."""

    parts: tuple[str, ...]
    kind: str
    """answer, clarifying_question, acknowledgement, refusal, handoff."""
    citations: tuple[dict[str, Any], ...] = ()
    """[{passage, version, slug, title, url}]"""

    @property
    def text(self) -> str:
        return "\n".join(self.parts)

    @property
    def slugs(self) -> set[str]:
        return {str(citation["slug"]) for citation in self.citations}


@dataclass(frozen=True, slots=True)
class Observed:
    """One turn as it went."""

    channel: str
    """email, whatsapp, web."""
    said: tuple[str, ...]
    """All the customer has written so far, subjects too."""
    account: tuple[str, ...] = ()
    """What we know of the customer, and what tools other than the search told."""
    name: str | None = None
    replies: tuple[Reply, ...] = ()
    mails: tuple[str, ...] = ()
    """Mails of this turn as they left."""
    answers_id: str | None = None
    """Message-ID of the mail that is answered."""
    passages: dict[int, str] = field(default_factory=dict)
    """Title and text of what searches found, by passage."""
    outcomes: tuple[str, ...] = ()
    """Of each turn that was committed."""
    category: str | None = None
    sentiment: float | None = None
    tickets: tuple[ConversationTicket, ...] = ()
    """Of this conversation, oldest first."""
    tools: tuple[str, ...] = ()
    """Called in this turn, in order."""
    waits_for: str | None = None
    """What the customer waits for, by waiting_customers; None: for nothing."""
    is_unseen: bool = False
    all_tickets: int = 0
    all_replies: int = 0
    metrics: int = 0
    new_metrics: int = 0
    queued: int = 0
    dead: int = 0
    milliseconds: float = 0.0
    tokens: int = 0

    @property
    def text(self) -> str:
        """All that the customer is told."""
        return "\n".join(reply.text for reply in self.replies)

    @property
    def is_escalated(self) -> bool:
        """Whether a person has it, from this turn or an earlier one."""
        return "escalated" in self.outcomes or (self.ticket is not None and self.ticket.status == "escalated")

    @property
    def ticket(self) -> ConversationTicket | None:
        return self.tickets[-1] if self.tickets else None

    @property
    def cited(self) -> dict[int, str]:
        """The passages a reply names."""
        named = {citation["passage"] for reply in self.replies for citation in reply.citations}
        return {passage: text for passage, text in self.passages.items() if passage in named}
