"""The turn: model, tools, model, ... until a reply is accepted, a person is called, or a limit calls one.

What holds nothing but things that no model can read is answered by a step of our own."""

import json
import time
from datetime import timedelta
from typing import Any

from agent.brief import Brief
from agent.effects import dump_effect, read_effect
from agent.handoff import NOTES, OUR_POLICY, Limit, choose_urgency, quote_burst
from agent.journal import dump_item, read_item
from agent.models.base import (
    Item,
    Model,
    ModelFailure,
    ModelReply,
    ModelRequest,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)
from agent.phrases import say
from agent.prices import cost_usd
from agent.tool_schemas import TERMINAL_TOOLS, TOOLS
from agent.toolbox import Toolbox, ToolOutcome, TurnState
from agent.turn import AgentTurn, Ending, Spent
from agent.unread import choose_call, note_unread
from db.errors import PermanentFailure
from db.turns import StepRow

POLICY = "policy"
"""Who took a step that no model was asked for."""

HANDOVER_SECONDS = 3.0
"""Kept back of the turn's time, so that a model that hangs still leaves room to call a person."""


class Run:
    """A turn in progress. `advance` takes one step; `run_turn` below takes all of them."""

    def __init__(self, turn: AgentTurn) -> None:
        self.turn = turn
        self.state = TurnState()
        self.toolbox = Toolbox(turn.context, self.state)
        self.items: list[Item] = [Text("user", turn.transcript)]
        self.spent = Spent()
        self.failed_models = 0
        self.last_model = POLICY
        self.pending: StepRow | None = None
        self.deadline = time.monotonic() + turn.limits.turn.total_seconds()
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
        self.failed_models += step.error is not None and self.failed_models < len(self.turn.models)

    def find_exceeded_limit(self) -> Limit | None:
        """The name of the limit this turn has run into, if any."""
        limits, spent = self.turn.limits, self.spent
        reached: dict[Limit, bool] = {
            "models": self.failed_models >= len(self.turn.models),
            "rejected_replies": self.state.rejected_replies >= limits.rejected_replies,
            "steps": spent.steps >= limits.steps,
            "tool_calls": spent.calls >= limits.tool_calls,
            "seconds": time.monotonic() >= self.deadline - HANDOVER_SECONDS,
            "tokens": (spent.input_tokens or 0) >= limits.input_tokens,
            "usd": (spent.usd or 0) >= limits.usd,
        }
        return next((name for name, is_reached in reached.items() if is_reached), None)

    async def advance(self) -> None:
        """Ask the model for one step, carry out its calls, and journal the step unless it ended the turn."""
        model = self.turn.models[self.failed_models]
        began = time.perf_counter()
        try:
            reply = await model.reply(self.make_request())
        except ModelFailure as failure:
            await self.journal(
                StepRow(self.spent.steps + 1, model.name, [], [], [], [], elapsed_ms(began), error=failure.code)
            )
            self.failed_models += 1
            return
        latency_ms = elapsed_ms(began)
        await self.carry_out(model, reply, latency_ms)

    def make_request(self) -> ModelRequest:
        left = timedelta(seconds=max(0.1, self.deadline - HANDOVER_SECONDS - time.monotonic()))
        is_last = self.spent.steps == self.turn.limits.steps - 1 or self.spent.calls >= self.turn.limits.tool_calls - 1
        return ModelRequest(
            instructions=self.turn.instructions,
            items=tuple(self.items),
            tools=TERMINAL_TOOLS if is_last else TOOLS,
            brief=self.brief,
            timeout=min(self.turn.limits.attempt, left),
            must_call_tool=True,
        )

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
        usd = cost_usd(reply.model, reply.usage, self.turn.prices)
        self.spent.add(reply.usage, usd)
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
            usage=dump_usage(reply.usage),
            cost_usd=usd,
            request_id=reply.request_id,
        )
        if self.state.ending is None:
            await self.journal(row)
        else:
            self.pending = row  # the commit writes it: one round trip less, and at most one paid call is repeated
            self.spent.steps += 1

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
        return StepRow(
            step=self.spent.steps + 1,
            model=POLICY,
            items=[dump_item(call)],
            results=[{"call_id": call.id, "output": outcome.output, "refused": outcome.refused}],
            effects=[dump_effect(effect) | {"call_id": call.id} for effect in outcome.effects],
            passages=[],
            latency_ms=0,
            error=error,
        )


async def run_turn(turn: AgentTurn) -> Ending:
    """Run a turn to its end. Raises LeaseLost when another worker took it over, and the database's own errors."""
    run = Run(turn)
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
    run = Run(turn)
    if run.state.ending is None:
        await run.call_a_person(reason)
    return make_ending(run, reason)


def make_ending(run: Run, limit: str | None) -> Ending:
    terminal, models = run.state.ending, run.turn.models
    if terminal is None:
        raise PermanentFailure("the escalation was refused by its own tool")
    return Ending(
        terminal=terminal,
        effects=tuple(run.state.effects),
        last_step=run.pending,
        model=run.last_model,
        spent=run.spent,
        limit=limit,
        degraded=0 < run.failed_models < len(models),
    )


def in_order(calls: list[ToolCall]) -> list[ToolCall]:
    """Reads first, then effects, then what ends the turn, each in the order given."""
    ranks = {"create_ticket": 1, "escalate_to_human": 2, "send_response": 3}
    return sorted(calls, key=lambda call: ranks.get(call.name, 0))


def dump_usage(usage: Usage | None) -> dict[str, object] | None:
    if usage is None:
        return None
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "raw": usage.raw}


def elapsed_ms(began: float) -> float:
    return (time.perf_counter() - began) * 1000
