"""What the tools of a turn may reach, what they did so far, and the evidence a reply is held against."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from agent.brief import Brief
from agent.effects import CreateTicket, Effect, Escalate, Respond
from agent.embeddings import Embedder
from agent.evidence import Evidence
from agent.facts import list_hosts
from agent.guarded import Guard
from agent.models.base import ToolCall
from agent.prompt import find_first_name, list_policy_rules
from db.guarded import list_shared_hosts
from db.pool import Pool, acquire

HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Whose turn it is and what the tools may reach. None of it can be chosen by a model."""

    pool: Pool
    embedder: Embedder | None
    brief: Brief
    conversation_id: UUID
    ticket_prefix: str
    allowed_links: tuple[str, ...]
    """Host names a reply may link to."""
    guard: Guard = field(default_factory=lambda: Guard((list_policy_rules(),)))
    """What no customer may read; shared by all turns of a process."""


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What one call gave: the text for the model, and what the journal must keep to rebuild the turn."""

    output: str
    passages: tuple[dict[str, Any], ...] = ()
    effects: tuple[Effect, ...] = ()
    refused: bool = False


@dataclass(slots=True)
class TurnState:
    """What the turn has done so far; every step is applied the same way, live or from the journal."""

    passages: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By handle: K1, K2, ..."""
    effects: list[Effect] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    """How often each call was made, arguments included."""
    tools_done: set[str] = field(default_factory=set)
    told: list[str] = field(default_factory=list)
    """What tools other than the search answered: facts a reply may repeat."""
    rejected_replies: int = 0

    @property
    def ending(self) -> Escalate | Respond | None:
        """The first terminal effect; it ends the turn."""
        return next((effect for effect in self.effects if isinstance(effect, Escalate | Respond)), None)

    @property
    def drawn_reference(self) -> str | None:
        return next((effect.reference for effect in self.effects if isinstance(effect, CreateTicket)), None)

    def apply(self, call: ToolCall, outcome: ToolOutcome) -> None:
        """Take over what one call did."""
        self.calls[call_key(call)] += 1
        self.passages.update({passage["k"]: passage for passage in outcome.passages})
        self.effects.extend(outcome.effects)
        if outcome.refused:
            self.rejected_replies += call.name == "send_response"
            return
        self.tools_done.add(call.name)
        if call.name != "search_knowledge_base":
            self.told.append(outcome.output)


def call_key(call: ToolCall) -> str:
    try:
        return call.name + orjson.dumps(orjson.loads(call.arguments), option=orjson.OPT_SORT_KEYS).decode()
    except ValueError:
        return call.name + call.arguments


async def gather_evidence(context: ToolContext, state: TurnState) -> Evidence:
    """All a reply may rest on: what was found, what was said, what tools told; and what it may not tell."""
    brief, found = context.brief, state.passages
    lines = (*brief.history, *brief.burst)
    theirs = (brief.subject, find_first_name(brief.customer_name or ""), brief.summary)
    hosts = list_host_names(row["text"] for row in found.values())
    async with acquire(context.pool) as conn:
        guarded = await context.guard.load(conn)
        shared = await list_shared_hosts(conn, hosts) if hosts else []
    return Evidence(
        passages={handle: f"{row['title']}\n{row['text']}" for handle, row in found.items()},
        said=(*(line.text for line in lines if line.author != "customer"), *state.told),
        done=frozenset(state.tools_done),
        company=brief.company,
        allowed_links=(*context.allowed_links, *shared),
        max_chars=brief.limits.max_chars,
        language=brief.assessment.language,
        claimed=(*(line.text for line in lines if line.author == "customer"), *theirs),
        plan=brief.plan,
        passage_plans={handle: row["plan"] for handle, row in found.items() if row.get("plan")},
        guarded=guarded,
    )


def list_host_names(texts: Iterable[str]) -> list[str]:
    """The hosts that texts name, and the domains right above them."""
    hosts = {host for text in texts for _, host in list_hosts(text) if HOST.fullmatch(host)}
    return sorted(hosts | {host.partition(".")[2] for host in hosts if host.count(".") > 1})
