"""One lane's waiting messages -> one turn of the agent -> one commit."""

import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from agent import loop
from agent.assess import Assessor
from agent.brief import Assessment, Brief
from agent.effects import CreateTicket, Escalate, dump_effect
from agent.embeddings import Embedder
from agent.guarded import Guard
from agent.handoff import Limit
from agent.models.base import Model
from agent.phrases import say
from agent.prices import Prices
from agent.prompt import PROMPT_VERSION, build_instructions, lay_out_turn, list_policy_rules
from agent.replay_brief import describe_given
from agent.toolbox import ToolContext
from agent.turn import AgentTurn, Ending, Limits
from channels.base import Channel, InboundMessage, MediaSource, lay_out_reply, read_payload
from channels.splitting import split_for
from db import turns
from db.errors import LeaseLost
from db.pool import Pool, acquire
from db.queue import ClaimedLane
from db.turns import Budgets, OpenTurn, StepRow, TurnEnd, TurnStart
from worker.briefing import write_brief
from worker.media import ReadMessage, read_media

log = logging.getLogger(__name__)

OUTCOMES = {
    "answer": "answered",
    "clarifying_question": "asked",
    "acknowledgement": "acknowledged",
    "refusal": "refused",
}
PAGE = "web"
EMAIL_TURN, EMAIL_PATIENCE = timedelta(seconds=120), timedelta(minutes=10)
"""Whoever writes a mail waits longer than whoever has a chat open, also for a model that is busy."""


@dataclass(frozen=True, slots=True)
class TurnRunner:
    """Answers lanes of inbound messages. All that a turn needs and no turn owns."""

    pool: Pool
    models: tuple[Model, ...]
    """In the order they are tried; the last one needs no key and no network."""
    embedder: Embedder | None
    assessor: Assessor
    prices: Prices
    limits: Limits
    company: str
    ticket_prefix: str
    allowed_links: tuple[str, ...]
    budgets: Budgets
    """Money for a UTC day; where one is used up the last model answers."""
    announce: Callable[[str], Awaitable[None]]
    """Told the thread of each conversation that changed, after the commit."""
    channels: Mapping[str, Channel] = field(default_factory=dict)
    """The vendors that replies are handed to; a channel without one shows them on a page of ours."""
    media: Mapping[str, MediaSource] = field(default_factory=dict)
    """Where the files that come with messages are fetched from, by channel."""
    guard: Guard = field(default_factory=lambda: Guard((list_policy_rules(),)))
    """What no customer may read, for all turns of this process."""

    async def run(self, lane: ClaimedLane) -> None:
        """Run the turn of a lane and commit it. Raises LeaseLost, RetryLater, PermanentFailure, database errors."""
        await self.take_turn(lane, dead_error=None)

    async def give_up(self, lane: ClaimedLane, error: str) -> None:
        """Hand a lane that failed too often to a person, tell the customer, and keep its messages as dead letters."""
        await self.take_turn(lane, dead_error=error)

    async def take_turn(self, lane: ClaimedLane, *, dead_error: str | None) -> None:
        began = time.perf_counter()
        messages = [read_payload(job.payload) for job in lane.jobs]
        read = await read_media(self.pool, self.media if dead_error is None else {}, messages)
        async with acquire(self.pool) as conn:
            turn = await turns.open_turn(conn, start_turn(lane, messages))
        if turn is None:
            raise LeaseLost(lane.lane)
        brief = await write_brief(turn, read, company=self.company, assessor=self.assessor)
        end = await self.find_end(lane, turn, read, brief, dead_error)
        thinking_ms = (time.perf_counter() - began) * 1000
        end = replace(end, timings_ms=end.timings_ms | {"waiting": lane.jobs[0].waited_ms, "thinking": thinking_ms})
        result = await self.commit(end)
        if result == "braked":
            end = await self.end_at_person(lane, turn, brief, end, "replies")
            result = await self.commit(end)
        elif result == "off":
            handed = await self.end_at_person(lane, turn, brief, end, "off")
            end = replace(handed, effects=[note_unsaid(effect, end) for effect in handed.effects])
            result = await self.commit(end)
        log.info("turn ended", extra={"turn_id": turn.turn_id, "outcome": end.outcome, "result": result})
        if result == "lost":
            raise LeaseLost(lane.lane)
        await self.announce(messages[0].thread_key)

    async def commit(self, end: TurnEnd) -> turns.CommitResult:
        async with acquire(self.pool) as conn:
            return await turns.commit_turn(conn, end)

    async def end_at_person(
        self, lane: ClaimedLane, turn: OpenTurn, brief: Brief, end: TurnEnd, reason: Limit
    ) -> TurnEnd:
        """The same turn ended at a person, because its reply may not be sent."""
        ending = await loop.hand_over(replace(self.make_agent_turn(lane, turn, brief), steps=()), reason)
        handed = self.keep(replace(end, error=None), turn, brief, ending)
        last_step = handed.last_step and replace(handed.last_step, step=end.last_step.step + 1 if end.last_step else 1)
        return replace(
            handed,
            last_step=last_step,
            model=end.model,
            timings_ms=end.timings_ms,
            input_tokens=end.input_tokens,
            output_tokens=end.output_tokens,
            cost_usd=end.cost_usd,
        )

    async def find_end(
        self, lane: ClaimedLane, turn: OpenTurn, read: list[ReadMessage], brief: Brief, dead_error: str | None
    ) -> TurnEnd:
        """What the turn comes to; no connection is held meanwhile."""
        end = TurnEnd(
            lane=lane.lane,
            token=lane.token,
            turn_id=turn.turn_id,
            covers=lane.job_ids,
            inbound=[
                {"external_id": r.message.external_id, "body": r.message.body, "sent_at": r.message.sent_at}
                for r in read
            ],
            outcome="silent",
            dead_error=dead_error,
            error=dead_error,
        )
        end = replace(end, language=brief.assessment.language, sentiment=brief.assessment.sentiment.score)
        if dead_error is None and is_only_thanks(turn, brief):
            return replace(end, outcome="closed")
        if turn.handler == "human":
            return end
        agent_turn = self.make_agent_turn(lane, turn, brief)
        if dead_error is not None:
            # without the journal, which may be what made every try fail
            return self.keep(end, turn, brief, await loop.hand_over(replace(agent_turn, steps=()), "attempts"))
        if turn.is_suppressed:  # what we would say would not be sent: a person finds out how to reach them
            return self.keep(end, turn, brief, await loop.hand_over(agent_turn, "opted_out"))
        return self.keep(end, turn, brief, await loop.run_turn(agent_turn))

    def make_agent_turn(self, lane: ClaimedLane, turn: OpenTurn, brief: Brief) -> AgentTurn:
        async def record_step(step: StepRow) -> None:
            async with acquire(self.pool) as conn:
                if not await turns.record_step(conn, turn.turn_id, lane.token, step):
                    raise LeaseLost(lane.lane)

        async def reserve(usd: Decimal) -> str | None:
            async with acquire(self.pool) as conn:
                return await turns.reserve_spend(conn, turn.conversation_id, usd, self.budgets, turn_id=turn.turn_id)

        limits, nonce = self.limits, secrets.token_hex(4)
        if brief.limits.channel == "gmail":
            patience = max(timedelta(0), EMAIL_PATIENCE - lane.waited)
            limits = replace(limits, turn=EMAIL_TURN, patience=patience)
        return AgentTurn(
            models=self.models,
            instructions=build_instructions(self.company),
            transcript=lay_out_turn(brief, nonce),
            context=ToolContext(
                pool=self.pool,
                embedder=self.embedder,
                brief=brief,
                conversation_id=turn.conversation_id,
                ticket_prefix=self.ticket_prefix,
                allowed_links=self.allowed_links,
                guard=self.guard,
            ),
            limits=limits,
            prices=self.prices,
            record_step=record_step,
            steps=turn.steps,
            reserve=reserve,
            shorten_transcript=partial(lay_out_turn, brief, nonce, is_short=True),
        )

    def keep(self, end: TurnEnd, turn: OpenTurn, brief: Brief, ending: Ending) -> TurnEnd:
        """The end of the turn as the commit takes it."""
        terminal, assessment = ending.terminal, brief.assessment
        effects = [dump_effect(effect) for effect in ending.effects]
        if isinstance(terminal, Escalate):
            outcome, kind, body, citations = "escalated", "handoff", terminal.customer_message, []
            language, resolves = assessment.language, False
        else:
            outcome, kind = OUTCOMES[terminal.response_kind], terminal.response_kind
            body, citations = terminal.body, terminal.citations
            language, resolves = terminal.language, terminal.resolves
            if not any(isinstance(effect, CreateTicket) for effect in ending.effects):
                effects.append(describe_assessment(assessment))
        return replace(
            end,
            outcome=outcome,
            effects=effects,
            reply={
                "bodies": self.split(brief.limits.channel, self.lay_out(turn, body, language)),
                "kind": kind,
                "citations": citations,
                # the ticket page reads the row: there the commit is the delivery
                "delivery": "sent" if brief.limits.channel == PAGE else "pending",
                "degraded": ending.degraded,
            },
            resolves=resolves,
            language=language,
            last_step=ending.last_step,
            model=ending.model,
            timings_ms={f"tool_{name}": round(ms, 3) for name, ms in ending.spent.tools_ms.items()},
            input_tokens=ending.spent.input_tokens,
            output_tokens=ending.spent.output_tokens,
            cost_usd=ending.spent.usd,
            error=end.error or (ending.limit and f"limit: {ending.limit}"),
            brief=self.describe_given(end, turn, brief),
        )

    def lay_out(self, turn: OpenTurn, body: str, language: str) -> str:
        """A reply as the customer reads it."""
        greeting = turn.config["greeting"].replace("{hello}", say("hello", language))
        return lay_out_reply(
            body, greeting=greeting, signature=turn.config["signature"], customer_name=turn.customer_name
        )

    def describe_given(self, end: TurnEnd, turn: OpenTurn, brief: Brief) -> dict[str, Any]:
        history, burst = [str(message.id) for message in turn.history], [row["external_id"] for row in end.inbound]
        return describe_given(brief, self.limits, self.models, history=history, burst=burst)

    def split(self, channel: str, text: str) -> list[str]:
        return self.channels[channel].split(text) if channel in self.channels else split_for(channel, text)


def note_unsaid(effect: dict[str, Any], end: TurnEnd) -> dict[str, Any]:
    """An escalation whose colleague reads what the assistant, switched off, would have said."""
    if effect["kind"] != "escalate" or end.reply is None:
        return effect
    unsaid = "\n\n".join(end.reply["bodies"])
    return effect | {"reason": "agent_off", "handoff_note": f"{effect['handoff_note']}\nIt would have said: {unsaid}"}


def describe_assessment(assessment: Assessment) -> dict[str, Any]:
    """What the pre-pass found, for a ticket that was there before this turn."""
    return {
        "kind": "assess",
        "category": assessment.category,
        "priority": assessment.priority,
        "priority_why": assessment.priority_why,
    }


def start_turn(lane: ClaimedLane, messages: list[InboundMessage]) -> TurnStart:
    """What open_turn needs: the first message names the thread, the first that knows the customer names them."""
    first = messages[0]
    customer: dict[str, Any] | None = next((m.customer for m in messages if m.customer is not None), None)
    return TurnStart(
        lane=lane.lane,
        token=lane.token,
        newest=lane.newest,
        channel=first.channel,
        thread_key=first.thread_key,
        subject=first.subject,
        trust=min(m.trust for m in messages),
        customer=customer,
        covers_external=[m.external_id for m in messages],
        is_test=first.is_test,
        prompt_version=PROMPT_VERSION,
        address=messages[-1].address,
    )


def is_only_thanks(turn: OpenTurn, brief: Brief) -> bool:
    """Whether the customer closes an answered conversation: then another word of ours would only be noise.

    Not after a question of ours or a handover: "thanks, it is the Pro plan" is an answer that somebody must read.
    """
    ours = [message.kind for message in turn.history if message.author != "customer"]
    was_answered = bool(ours) and ours[-1] not in ("clarifying_question", "handoff")
    return brief.assessment.is_closing and was_answered and not brief.assessment.escalations and not brief.unread
