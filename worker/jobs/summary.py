"""Long conversations in short, between their turns: no customer waits for it, and no turn."""

import logging
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from agent.budget import allow
from agent.digest import write_digest
from agent.models.base import ModelFailure, Prompt, Remote
from agent.prices import Prices, cost_usd
from agent.summary import read_summary, write_request
from db import summaries, turns
from db.pool import acquire
from db.queue import ClaimedLane
from db.summaries import Past
from db.turns import Budgets
from worker.jobs.upkeep import Upkeep

log = logging.getLogger(__name__)

BATCH = 40  # messages that a model is given at once


@dataclass(frozen=True, slots=True)
class Summarise(Upkeep):
    """Brings the summary of a conversation up to the messages that the agent still reads word for word."""

    model: Remote | None
    """Asked once for each summary; where there is none, or it fails, the log is put together without one."""
    prices: Prices
    budgets: Budgets
    usd: Decimal
    """What one summary may cost."""

    async def run(self, lane: ClaimedLane) -> None:
        """Summarise batch by batch until nothing is left."""
        for job in lane.jobs:
            while await self.take_batch(UUID(job.payload["conversation_id"])):
                pass
        await self.completer.finish(lane)

    async def take_batch(self, conversation_id: UUID) -> bool:
        """Whether there may be more to do."""
        async with acquire(self.pool) as conn:
            past = await summaries.load_past(conn, conversation_id, most=BATCH)
        if past is None:
            return False
        text = None if self.model is None else await self.ask(self.model, past)
        by = self.model.name if self.model is not None and text is not None else None
        async with acquire(self.pool) as conn:
            kept = await summaries.keep_summary(conn, past, text or write_digest(past), by=by)
        log.info("conversation summarised", extra={"conversation_id": conversation_id, "model": by, "kept": kept})
        return kept and len(past.fresh) == BATCH

    async def ask(self, model: Remote, past: Past) -> str | None:
        """What the model wrote, None where that is nothing to keep. No connection is held meanwhile."""
        request, price = write_request(past), self.prices.get(model.name)
        if price is None:
            return await self.ask_within(model, past, request, Decimal(0))
        allowance = allow(request, price, self.usd)
        if allowance is None:
            return None
        async with acquire(self.pool) as conn:
            exhausted = await turns.reserve_spend(conn, past.conversation_id, allowance.usd, self.budgets)
        if exhausted is not None:
            return None
        request = replace(request, max_output_tokens=allowance.output_tokens)
        return await self.ask_within(model, past, request, allowance.usd)

    async def ask_within(self, model: Remote, past: Past, request: Prompt, reserved: Decimal) -> str | None:
        try:
            reply = await model.reply(request)
        except ModelFailure as failure:
            log.info("no summary from the model", extra={"model": model.name, "failure": failure.code})
            # an answer that nobody waited for may have cost all of it
            cost = cost_usd(model.name, failure.usage, self.prices)
            await self.settle(past, reserved, cost or (reserved if failure.code == "timeout" else Decimal(0)))
            return None
        usd = cost_usd(reply.model, reply.usage, self.prices)
        await self.settle(past, reserved, reserved if usd is None else usd)
        text = read_summary(reply, past)
        if text is None:
            log.info("a summary was thrown away", extra={"model": model.name})
        return text

    async def settle(self, past: Past, reserved: Decimal, usd: Decimal) -> None:
        async with acquire(self.pool) as conn:
            await summaries.settle_cost(conn, past.conversation_id, reserved=reserved, usd=usd)
