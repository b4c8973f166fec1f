"""Why a person takes over: as a sentence for the colleague, as a code for the ticket, as a phrase for the customer."""

from typing import Literal

from agent.brief import Brief

Limit = Literal[
    "models",
    "rejected_replies",
    "steps",
    "tool_calls",
    "seconds",
    "tokens",
    "usd",
    "attempts",
    "replies",
    "opted_out",
    "off",
]
"""What ends a turn at a person without a model's say."""
NOTES: dict[Limit, str] = {
    "models": "None of our models could answer just now.",
    "rejected_replies": "The agent's drafts did not pass their checks, so none was sent.",
    "steps": "The agent used all its steps and came to no answer.",
    "tool_calls": "The agent looked things up as often as it may and came to no answer.",
    "seconds": "The agent ran out of time before it had an answer.",
    "tokens": "The agent read as much as one turn may and came to no answer.",
    "usd": "The agent spent as much as one turn may and came to no answer.",
    "attempts": "We tried to answer this several times, and each try broke off with an error of ours.",
    "replies": "They got as many replies as the agent may send in this time: perhaps a machine is writing to us.",
    "opted_out": "They asked us to stop writing here, and wrote again: "
    "nothing can be sent to them until they write START.",
    "off": "The assistant is switched off for this.",
}
PHRASES = {
    "human_wanted": "escalated_human",
    "billing_dispute": "escalated_billing",
    "legal": "escalated_legal",
    "security": "escalated_security",
    "account_deletion": "escalated_deletion",
    "safety": "escalated_safety",
    "anger": "escalated_anger",
    "churn_risk": "escalated_anger",
    "data_loss": "escalated_anger",
    "outage": "escalated_anger",
    "repeated_failure": "escalated_anger",
}
"""The fixed text to the customer, by the reason of an escalation."""
REASON_CODES = {
    "human_wanted": "customer_request",
    "billing_dispute": "policy",
    "legal": "policy",
    "security": "policy",
    "account_deletion": "policy",
    "safety": "safety",
    "anger": "negative_sentiment",
    "churn_risk": "churn_risk",
    "data_loss": "policy",
    "outage": "policy",
    "repeated_failure": "no_answer",
}
"""What escalate_to_human takes as reason_code, by the reason of an escalation."""
OUR_POLICY = frozenset(("replies", "opted_out", "off"))
"""Limits that are rules of ours: nothing failed."""
QUOTED_CHARS = 600


def choose_urgency(brief: Brief) -> str:
    """What escalate_to_human takes as priority."""
    priority = brief.assessment.priority
    return "urgent" if priority >= 9 else "high" if priority >= 7 else "normal"


def quote_burst(brief: Brief) -> str:
    """What the customer wrote since our last word, in quotes and cut."""
    return '"' + " / ".join(" ".join(line.text.split()) for line in brief.burst)[:QUOTED_CHARS] + '".'
