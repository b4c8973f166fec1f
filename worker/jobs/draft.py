"""A draft that somebody of the team asked for: the agent reads the conversation as it stands, and a person decides."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast
from uuid import UUID

from agent import loop
from agent.brief import Brief
from agent.effects import Escalate, Respond
from agent.handoff import NOTES, Limit
from agent.prompt import PROMPT_VERSION
from agent.turn import AgentTurn, Ending
from channels.base import InboundMessage
from db import asked_drafts
from db.asked_drafts import OpenRequest, RequestEnd
from db.errors import LeaseLost
from db.pool import acquire
from db.queue import ClaimedLane
from db.turns import LoggedMessage, OpenTurn
from worker.briefing import write_brief
from worker.file_marks import ReadMessage, read_marks
from worker.jobs.upkeep import Upkeep
from worker.turn import TurnRunner

log = logging.getLogger(__name__)

NOTHING_ASKED = "The customer has written nothing since the last matter was closed."
NOTHING_FOUND = "It found nothing that answers this."
FALLBACK = "A fallback model wrote it: the first one could not answer, or a budget is used up."


@dataclass(frozen=True, slots=True)
class WriteDraft(Upkeep):
    """Writes the drafts that people ask for. Nothing is sent, filed or handed over, whatever the model does."""

    runner: TurnRunner

    async def run(self, lane: ClaimedLane) -> None:
        """Write the one that is still wanted. Raises LeaseLost, RetryLater, database errors."""
        began, requests = time.perf_counter(), list_requests(lane)
        async with acquire(self.pool) as conn:
            opened = await asked_drafts.open_turn(conn, lane, requests, prompt_version=PROMPT_VERSION)
        if opened is None:
            await self.completer.finish(lane)
            return
        end = RequestEnd(
            lane.lane, lane.token, lane.job_ids, requests, "nothing", NOTHING_ASKED, turn_id=opened.turn.turn_id
        )
        history, burst = split_history(opened.turn.history)
        if burst:
            end = await self.write(lane, opened, history, burst, end)
        thinking_ms = (time.perf_counter() - began) * 1000
        await self.finish(replace(end, timings_ms={"waiting": lane.jobs[0].waited_ms, "thinking": thinking_ms}))

    async def give_up(self, lane: ClaimedLane, error: str) -> None:
        """Whoever asked is told. No dead letter: the customer is with a person, who may ask again."""
        end = RequestEnd(lane.lane, lane.token, lane.job_ids, list_requests(lane), "failed", NOTES["attempts"])
        await self.finish(replace(end, error=error))

    async def write(
        self,
        lane: ClaimedLane,
        opened: OpenRequest,
        history: Sequence[LoggedMessage],
        burst: Sequence[LoggedMessage],
        end: RequestEnd,
    ) -> RequestEnd:
        """Run the turn; no connection is held meanwhile."""
        turn = replace(opened.turn, history=tuple(history))
        read = [read_logged(message, opened) for message in burst]
        brief = await write_brief(turn, read, company=self.runner.company, assessor=self.runner.assessor)
        ending = await loop.run_turn(self.make_agent_turn(lane, turn, brief))
        end = replace(
            end,
            last_step=ending.last_step,
            model=ending.model,
            input_tokens=ending.spent.input_tokens,
            output_tokens=ending.spent.output_tokens,
            cost_usd=ending.spent.usd,
            error=ending.limit and f"limit: {ending.limit}",
        )
        if isinstance(ending.terminal, Respond):
            return self.keep(end, turn, brief, ending, ending.terminal)
        return replace(end, state="failed" if ending.limit else "nothing", why=explain(ending.terminal, ending.limit))

    def make_agent_turn(self, lane: ClaimedLane, turn: OpenTurn, brief: Brief) -> AgentTurn:
        """What calls for a person has one: no rule ends this turn at another, and nobody waits for a busy model."""
        calm = replace(brief, is_draft=True, assessment=replace(brief.assessment, escalations=()))
        agent_turn = self.runner.make_agent_turn(lane, turn, calm)
        return replace(agent_turn, limits=replace(agent_turn.limits, patience=timedelta(0)))

    def keep(self, end: RequestEnd, turn: OpenTurn, brief: Brief, ending: Ending, answer: Respond) -> RequestEnd:
        reasons = [one.reason.replace("_", " ") for one in brief.assessment.escalations if one.must]
        note = f"Alone it would have handed this over ({', '.join(reasons)})." if reasons else ""
        return replace(
            end,
            state="written",
            why=None,
            body=self.runner.lay_out(turn, answer.body, answer.language),
            kind=answer.response_kind,
            citations=answer.citations,
            category=turn.ticket["category"] if turn.ticket else brief.assessment.category,
            note=" ".join(filter(None, (note, FALLBACK if ending.degraded else ""))) or None,
        )

    async def finish(self, end: RequestEnd) -> None:
        async with acquire(self.pool) as conn:
            verdict, thread_key = await asked_drafts.end_request(conn, end)
        log.info("a draft was asked for", extra={"lane": end.lane, "verdict": verdict, "error_kind": end.error})
        if verdict == "lost":
            raise LeaseLost(end.lane)
        if thread_key is not None:
            await self.runner.announce(thread_key)


def list_requests(lane: ClaimedLane) -> list[UUID]:
    return [UUID(job.payload["request_id"]) for job in lane.jobs]


def split_history(history: Sequence[LoggedMessage]) -> tuple[list[LoggedMessage], list[LoggedMessage]]:
    """What lies behind, and what is to be answered: what the customer wrote since they were last answered, or their
    last message where nothing is open. That somebody takes over is no answer."""
    answers = [place for place, one in enumerate(history) if one.author != "customer" and one.kind != "handoff"]
    theirs = [place for place, one in enumerate(history) if one.author == "customer"]
    due = [place for place in theirs if not answers or place > answers[-1]] or theirs[-1:]
    behind = [one for place, one in enumerate(history) if place not in due]
    return behind, [history[place] for place in due]


def read_logged(message: LoggedMessage, opened: OpenRequest) -> ReadMessage:
    """A message of the log as one that has just come in."""
    words, unread = read_marks(message.body)
    turn = opened.turn
    return ReadMessage(
        InboundMessage(
            channel=turn.config["channel"],
            thread_key=opened.thread_key,
            external_id=str(message.id),
            body=message.body,
            subject=turn.subject,
            category=None,
            trust=turn.trust,
            sent_at=message.sent_at,
            customer=None,
            words=words,
        ),
        unread,
    )


def explain(refusal: Escalate, limit: str | None) -> str:
    """Why there is no draft, for whoever asked."""
    if limit is not None:
        return NOTES[cast(Limit, limit)]
    found = NOTHING_FOUND if refusal.reason == "no_answer" else "It would have handed this over."
    return f"{found} {refusal.handoff_note}"
