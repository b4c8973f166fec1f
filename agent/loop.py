"""The turn: model, tools, model, ... until a reply is accepted, a person is called, or a limit calls one.

What holds nothing but things that no model can read is answered by a step of our own."""

import json
import time
from dataclasses import replace
from decimal import Decimal
from typing import Any

from agent.asked import write_query
from agent.brief import Brief
from agent.chain import Chain
from agent.effects import dump_effect, read_effect
from agent.handoff import NOTES, OUR_POLICY, Limit, choose_urgency, quote_burst
from agent.journal import dump_item, read_item
from agent.models.base import (
    Item,
    Model,
    ModelFailure,
    ModelReply,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)
from agent.phrases import say
from agent.prices import cost_usd
from agent.toolbox import Toolbox, ToolOutcome, TurnState
from agent.turn import AgentTurn, Ending, Spent
from agent.unread import choose_call, note_unread
from db.errors import PermanentFailure
from db.turns import StepRow

POLICY = "policy"
"""Who took a step that no model was asked for."""


class Run:
    """A turn in progress. `advance` takes one step; `run_turn` below takes all of them."""

    def __init__(self, turn: AgentTurn) -> None:
        self.turn = turn
        self.state = TurnState()
        self.toolbox = Toolbox(turn.context, self.state)
        self.items: list[Item] = [Text("user", turn.transcript)]
        self.spent = Spent()
        self.chain = Chain(turn, self.spent)
        self.last_model = POLICY
        self.pending: StepRow | None = None
        for step in turn.steps:
            self.resume(step)

    @property
    def brief(self) -> Brief:
        return self.turn.context.brief

    def resume(self, step: StepRow) -> None:
        """Apply a step that a crashed worker left in the journal, as if it had just been taken."""
        items = [read_item(row) for row in step.items]
        outputs = {row["call_id"]: row for row in step.results}
        calls = [item for item in items if isinstance(item, ToolCall)]
        self.items.extend(items)
        for position, call in enumerate(calls):
            row = outputs[call.id]
            effects = tuple(read_effect(effect) for effect in step.effects if effect["call_id"] == call.id)
            passages = tuple(step.passages) if position == 0 else ()
            self.state.apply(call, ToolOutcome(row["output"], passages, effects, refused=row["refused"]))
            self.items.append(ToolResult(call.id, row["output"]))
        usage = step.usage and Usage(step.usage["input_tokens"], step.usage["output_tokens"])
        self.spent.add(usage or None, step.cost_usd)
        self.spent.steps += 1
        self.spent.calls += len(calls)
        self.last_model = step.model
        self.chain.resume(step)

    def find_exceeded_limit(self) -> Limit | None:
        """The name of the limit this turn has run into, if any."""
        limits, spent = self.turn.limits, self.spent
        reached: dict[Limit, bool] = {
            "usd": self.chain.is_broke,
            "models": self.chain.is_used_up,
            "rejected_replies": self.state.rejected_replies >= limits.rejected_replies,
            "steps": spent.steps >= limits.steps,
            "tool_calls": spent.calls >= limits.tool_calls,
            "seconds": self.chain.is_late,
            "tokens": (spent.input_tokens or 0) >= limits.input_tokens,
        }
        return next((name for name, is_reached in reached.items() if is_reached), None)

    async def search_early(self) -> None:
        """Look up what is asked before any model is: a plain question then takes one call of a model, not two."""
        subject = "" if self.brief.history else self.brief.subject
        query = json.dumps({"query": write_query(self.brief.words, subject), "category": None}, ensure_ascii=False)
        await self.journal(await self.take_own_step(ToolCall("early1", "search_knowledge_base", query)))

    @property
    def is_fresh_question(self) -> bool:
        """Whether something is asked that an article may answer, and nothing was done about it yet."""
        found = self.brief.assessment
        is_due = any(escalation.must for escalation in found.escalations)
        return not (self.spent.steps or found.is_greeting or found.is_closing or is_due or self.brief.is_wordless)

    async def advance(self) -> None:
        """Ask the model for one step, carry out its calls, and journal the step unless it ended the turn."""
        model = self.chain.model
        began = time.perf_counter()
        try:
            reply = await self.chain.ask(self.items)
        except ModelFailure as failure:
            await self.chain.put_off(failure)
            usage, usd = self.count(model.name, None)
            row = StepRow(self.spent.steps + 1, model.name, [], [], [], [], elapsed_ms(began), usage, usd)
            await self.journal(replace(row, error=failure.code, reserved_usd=self.chain.reserved))
            self.chain.skip(failure.code)
        else:
            await self.carry_out(model, reply, elapsed_ms(began))

    async def carry_out(self, model: Model, reply: ModelReply, latency_ms: float) -> None:
        step = self.spent.steps + 1
        said = list(reply.items)
        calls = [item for item in said if isinstance(item, ToolCall)]
        if not calls:
            calls = [self.read_as_reply(said, step)]
            said.append(calls[0])
        self.items.extend(said)
        results: list[dict[str, Any]] = []
        effects: list[dict[str, Any]] = []
        passages: list[dict[str, Any]] = []
        for call in in_order(calls):
            began = time.perf_counter()
            outcome = await self.toolbox.call(call)
            self.spent.tools_ms[call.name] = self.spent.tools_ms.get(call.name, 0) + elapsed_ms(began)
            self.state.apply(call, outcome)
            self.items.append(ToolResult(call.id, outcome.output))
            results.append({"call_id": call.id, "output": outcome.output, "refused": outcome.refused})
            effects.extend(dump_effect(effect) | {"call_id": call.id} for effect in outcome.effects)
            passages.extend(outcome.passages)
        usage, usd = self.count(reply.model, reply.usage)
        self.spent.calls += len(calls)
        self.last_model = model.name
        row = StepRow(
            step=step,
            model=model.name,
            items=[dump_item(item) for item in said],
            results=results,
            effects=effects,
            passages=passages,
            latency_ms=latency_ms,
            usage=usage,
            cost_usd=usd,
            request_id=reply.request_id,
            reserved_usd=self.chain.reserved,
        )
        if self.state.ending is None:
            await self.journal(row)
        else:
            self.pending = row  # the commit writes it: one round trip less, and at most one paid call is repeated
            self.spent.steps += 1

    def count(self, model: str, usage: Usage | None) -> tuple[dict[str, Any] | None, Decimal | None]:
        """What a step used and cost, its answers that could not be used included, as the journal keeps it."""
        used = [*self.chain.wasted, *([usage] if usage else [])]
        costs = [cost_usd(model, one, self.turn.prices) for one in used]
        for one, usd in zip(used, costs, strict=True):
            self.spent.add(one, usd)
        known = [usd for usd in (*costs, self.chain.lost or None) if usd is not None]
        if self.chain.lost:
            self.spent.add(None, self.chain.lost)
        return dump_usage(used), sum(known, Decimal(0)) if known else None

    async def journal(self, row: StepRow) -> None:
        await self.turn.record_step(row)
        self.spent.steps += 1

    def read_as_reply(self, said: list[Item], step: int) -> ToolCall:
        """Words without a tool call are a reply like any other: they pass the same checks before anyone reads them."""
        text = "\n".join(item.text for item in said if isinstance(item, Text))
        body = {
            "body": text,
            "citations": [],
            "kind": "answer",
            "resolves": False,
            "language": self.brief.assessment.language,
        }
        return ToolCall(f"text{step}", "send_response", json.dumps(body))

    async def answer_unread(self) -> None:
        """Ask for words, or hand over, without a model: none could read what came."""
        name, arguments = choose_call(self.brief, was_refused=self.state.rejected_replies > 0)
        row = await self.take_own_step(ToolCall(f"policy{self.spent.steps + 1}", name, json.dumps(arguments)))
        if self.state.ending is None:
            await self.journal(row)
        else:
            self.pending = row

    async def call_a_person(self, limit: Limit) -> None:
        """End the turn at a person because a limit was reached, and tell the customer."""
        brief = self.brief
        wanted = [escalation for escalation in brief.assessment.escalations if escalation.must]
        note = (NOTES[limit], note_unread(brief), f"They wrote: {quote_burst(brief)}")
        arguments = {
            "category": wanted[0].category if wanted else brief.assessment.category,
            "reason_code": "policy" if wanted or limit in OUR_POLICY else "tool_failure",
            "priority": choose_urgency(brief),
            "handoff_note": " ".join(filter(None, note)),
            "customer_message": say("limit_reached", brief.assessment.language),
        }
        call = ToolCall("limit", "escalate_to_human", json.dumps(arguments))
        self.pending = await self.take_own_step(call, error=f"limit: {limit}")

    async def take_own_step(self, call: ToolCall, error: str | None = None) -> StepRow:
        """Carry out a call that no model made; gives the step as the journal keeps it."""
        outcome = await self.toolbox.call(call)
        self.state.apply(call, outcome)
        self.items += [call, ToolResult(call.id, outcome.output)]
        self.spent.calls += 1
        return StepRow(
            step=self.spent.steps + 1,
            model=POLICY,
            items=[dump_item(call)],
            results=[{"call_id": call.id, "output": outcome.output, "refused": outcome.refused}],
            effects=[dump_effect(effect) | {"call_id": call.id} for effect in outcome.effects],
            passages=list(outcome.passages),
            latency_ms=0,
            error=error,
        )


async def run_turn(turn: AgentTurn) -> Ending:
    """Run a turn to its end. Raises LeaseLost when another worker took it over, and the database's own errors."""
    return await finish(Run(turn))


async def finish(run: Run) -> Ending:
    """Take all steps of a run that are still to be taken. Raises what `run_turn` does."""
    if run.turn.limits.early_search and run.is_fresh_question:
        await run.search_early()
    limit = None
    while run.state.ending is None and limit is None:
        limit = run.find_exceeded_limit()
        if limit is not None:
            await run.call_a_person(limit)
        elif run.brief.is_wordless:
            await run.answer_unread()
        else:
            await run.advance()
    return make_ending(run, limit)


async def hand_over(turn: AgentTurn, reason: Limit) -> Ending:
    """End a turn at a person without asking any model. The colleague is told the reason in a sentence."""
    return await hand_over_run(Run(turn), reason)


async def hand_over_run(run: Run, reason: Limit) -> Ending:
    """The same for a run that has begun."""
    if run.state.ending is None:
        await run.call_a_person(reason)
    return make_ending(run, reason)


def make_ending(run: Run, limit: str | None) -> Ending:
    terminal = run.state.ending
    if terminal is None:
        raise PermanentFailure("the escalation was refused by its own tool")
    return Ending(
        terminal=terminal,
        effects=tuple(run.state.effects),
        last_step=run.pending,
        model=run.last_model,
        spent=run.spent,
        limit=limit,
        degraded=run.chain.is_degraded,
    )


def in_order(calls: list[ToolCall]) -> list[ToolCall]:
    """Reads first, then effects, then what ends the turn, each in the order given."""
    ranks = {"create_ticket": 1, "escalate_to_human": 2, "send_response": 3}
    return sorted(calls, key=lambda call: ranks.get(call.name, 0))


def dump_usage(used: list[Usage]) -> dict[str, object] | None:
    """The tokens of all tries of a step, with the provider's own account of the last."""
    if not used:
        return None
    names = ("input_tokens", "output_tokens", "cached_tokens")
    counted = {name: sum(getattr(one, name) for one in used) for name in names}
    return counted | {"tries": len(used), "raw": used[-1].raw}


def elapsed_ms(began: float) -> float:
    return (time.perf_counter() - began) * 1000
