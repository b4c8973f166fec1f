"""Why the agent said what it said, step by step, in words a colleague reads."""

from dataclasses import dataclass
from typing import Any

import orjson

from app.rendering import say_dollars, say_span
from app.thread_words import say_code
from db.conversations import Step, Turn

LONGEST = 300  # characters of what a tool was told or told
CALLS = {
    "search_knowledge_base": "It searched the articles for “{query}”.",
    "get_customer_history": "It read what this customer wrote before.",
    "analyze_sentiment": "It judged the mood.",
    "create_ticket": "It opened a ticket: {subject}.",
    "escalate_to_human": "It handed the conversation over: {reason_code}.",
    "send_response": "It wrote a reply: {kind}.",
}
"""What a tool call did, by the tool; in braces what it was given."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing the model did, in words, and the call as it was made; "" where it only said something."""

    words: str
    call: str


@dataclass(frozen=True, slots=True)
class StepWords:
    """One exchange with a model: which, what it cost, what it did, and what was refused."""

    model: str
    cost: str
    did: list[Act]
    found: list[str]
    error: str


@dataclass(frozen=True, slots=True)
class Reasons:
    """A turn, by its steps."""

    model: str
    cost: str
    took: str
    steps: list[StepWords]


def explain_turn(turn: Turn, steps: list[Step]) -> Reasons:
    """The turn as `turn_explained` tells it, shortened."""
    return Reasons(
        model=turn.model or "our own rules",
        cost="" if turn.cost_usd is None else say_dollars(float(turn.cost_usd)),
        took=say_span(turn.timings_ms.get("thinking")),
        steps=[explain_step(step) for step in steps],
    )


def explain_step(step: Step) -> StepWords:
    results = {result.get("call_id"): result for result in step.results}
    return StepWords(
        model=step.model,
        cost=", ".join(filter(None, (say_span(step.latency_ms), say_tokens(step.usage), say_cost(step)))),
        did=[say_item(item, results.get(item.get("id"), {})) for item in step.items if item.get("type") != "reasoning"],
        found=[f"{one['slug']}, version {one['version']}, {float(one['score']):.2f}" for one in step.passages],
        error=step.error or "",
    )


def say_cost(step: Step) -> str:
    return "" if step.cost_usd is None else say_dollars(float(step.cost_usd))


def say_tokens(usage: dict[str, Any] | None) -> str:
    """Tokens read, of those from the provider's cache, and written."""
    if not usage or not any(usage.get(name) for name in ("input_tokens", "output_tokens")):
        return ""
    cached = f" ({usage['cached_tokens']:,} cached)" if usage.get("cached_tokens") else ""
    return f"{usage.get('input_tokens', 0):,}{cached} + {usage.get('output_tokens', 0):,} tokens"


def say_item(item: dict[str, Any], result: dict[str, Any]) -> Act:
    """A tool call, or words without one; and why it was refused."""
    if item.get("type") != "tool_call":
        return Act(f"It said: {cut(str(item.get('text', '')))}", "")
    name, given = str(item.get("name")), str(item.get("arguments", ""))
    refused = f" That was refused: {say_code(say_refusal(result))}." if result.get("refused") else ""
    return Act(say_call(name, given) + refused, f"{name} {cut(given)}")


def say_call(name: str, given: str) -> str:
    """The call in words; of one that cannot be read, its name."""
    try:
        read = {key: say_code(value) for key, value in orjson.loads(given).items() if isinstance(value, str)}
        return cut(CALLS[name].format_map(read))
    except (ValueError, KeyError, AttributeError):
        return f"It called {name}."


def say_refusal(result: dict[str, Any]) -> str:
    try:
        return str(orjson.loads(result.get("output", ""))["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "see turn_explained"


def cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
