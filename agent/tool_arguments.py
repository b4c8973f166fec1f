"""What a model may give each tool: what tool_schemas.py says, and the lengths it cannot say."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from agent.brief import Category

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]


HistoryScope = Literal["open_tickets", "recent_conversations", "all"]
TicketPriority = Literal["low", "normal", "high", "urgent"]
EscalationPriority = Literal["normal", "high", "urgent"]
ReasonCode = Literal[
    "customer_request",
    "policy",
    "no_answer",
    "negative_sentiment",
    "churn_risk",
    "safety",
    "tool_failure",
    "other",
]
ResponseKind = Literal["answer", "clarifying_question", "acknowledgement", "refusal"]


class Arguments(BaseModel):
    """Nothing but the named fields, none of which names a customer, a conversation or a ticket."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Search(Arguments):
    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
    category: Category | None = None


class History(Arguments):
    scope: HistoryScope


class SentimentOf(Arguments):
    message_ref: str | None = None


class Ticket(Arguments):
    subject: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    category: Category
    priority: TicketPriority
    summary: Note


class Handover(Arguments):
    category: Category
    reason_code: ReasonCode
    priority: EscalationPriority
    handoff_note: Note
    customer_message: Words


class Reply(Arguments):
    body: Annotated[str, StringConstraints(max_length=20_000)]
    citations: list[str] = Field(default_factory=list, max_length=20)
    kind: ResponseKind
    resolves: bool
    language: Annotated[str, StringConstraints(min_length=2, max_length=20)]
