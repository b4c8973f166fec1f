"""What a turn is about: the facts the worker gathered before any model is asked."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

Category = Literal["billing", "technical", "account", "security", "legal", "feedback", "general"]
Author = Literal["customer", "agent", "person"]
Label = Literal["positive", "neutral", "negative", "angry"]
Trend = Literal["improving", "steady", "worsening"]


@dataclass(frozen=True, slots=True)
class Sentiment:
    """The mood of a text: `score` from -1 (furious) to +1 (delighted)."""

    score: float
    label: Label
    signals: tuple[str, ...] = ()
    """Why: the words and marks that counted, in the order they stand."""


@dataclass(frozen=True, slots=True)
class Escalation:
    """A reason to hand over to a person. `must` ones are never left to a model."""

    reason: str
    """human_wanted, billing_dispute, legal, security, account_deletion, data_loss, outage, churn_risk, anger,
    safety, repeated_failure"""
    category: Category
    must: bool
    matched: str
    """The rule or example that spoke, for the ledger."""
    is_doubtful: bool = False
    """The examples lean to it, no more: where an article surely answers, it is answered."""
    said: tuple[str, ...] = ()
    """The sentences in which a rule found more than a topic, folded."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the pre-pass made of the customer's burst, without any model."""

    language: str
    """BCP-47, two letters."""
    category: Category
    category_margin: float
    """How far the best category is ahead of the second, 0 to 1."""
    priority: int
    """1 to 10."""
    priority_why: str
    sentiment: Sentiment
    trend: Trend
    escalations: tuple[Escalation, ...] = ()
    is_closing: bool = False
    """Thanks, ok, bye: nothing is asked."""
    is_greeting: bool = False
    """Hello and nothing else."""


@dataclass(frozen=True, slots=True)
class Line:
    """One message of the conversation as the agent sees it; `ref` (m1, m2, ...) is how a tool names it."""

    ref: str
    author: Author
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """How a reply must look on its channel, from the row in channel_configs."""

    channel: str
    max_chars: int
    preferred_chars: int


@dataclass(frozen=True, slots=True)
class Brief:
    """Everything a turn may know. No id of a customer or a conversation is in it: the model never sees one."""

    company: str
    limits: ChannelLimits
    today: date
    customer_name: str | None
    plan: str | None
    trust: int
    """0 claimed, 1 aligned mail, 2 reply to ours, 3 vouched for by the provider, 4 one-time code or login."""
    subject: str
    summary: str
    history: tuple[Line, ...]
    """Earlier messages, oldest first."""
    burst: tuple[Line, ...]
    """What the customer wrote since our last word, oldest first; never empty."""
    open_ticket: str | None
    """The reference of this conversation's open ticket."""
    assessment: Assessment
    unread: tuple[str, ...] = ()
    """What came with the burst and nobody here can read, a kind each: image, audio, video or file."""
    own_words: str | None = None
    """What can be read of the burst, without the marks for what came along; None: all of it."""
    is_draft: bool = False
    """Somebody of the team asked for the reply and reads it before it is sent: nothing is filed or handed over."""

    @property
    def words(self) -> str:
        """What can be read of the burst: the customer's words, and what their files say."""
        return "\n".join(line.text for line in self.burst) if self.own_words is None else self.own_words

    @property
    def is_wordless(self) -> bool:
        """Whether nothing of the burst can be read, not even the subject of a first message."""
        return not self.words.strip() and (bool(self.history) or not self.subject.strip())
