"""The models of one turn in their order: who is asked now, within what time and money, and who is asked next."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from agent.budget import Allowance, allow
from agent.compaction import shorten_results
from agent.models.base import Item, Model, ModelFailure, ModelReply, ModelRequest, Text, Usage
from agent.prices import cost_usd
from agent.retries import ENOUGH, plan_second_try
from agent.tool_schemas import DRAFT_TOOLS, TOOLS
from agent.turn import AgentTurn, Spent
from db.errors import RetryLater
from db.turns import StepRow

HANDOVER_SECONDS = 3.0
"""Kept back of the turn's time, so that a model that hangs still leaves room to call a person."""
LAST_STEP = Text("user", "(This is the last step of this turn: call send_response or escalate_to_human now.)")
LAST_MODEL_SECONDS = 4.0
SHORTEST_TRY = timedelta(seconds=1)
BUDGET = "budget_"
"""How the code of a failure begins that means money, not a model."""


class Chain:
    """Asks the models of a turn. The next one is asked between two steps only, and none is gone back to."""

    def __init__(self, turn: AgentTurn, spent: Spent) -> None:
        self.turn, self.spent = turn, spent
        self.failed = 0
        """How many of the models are not asked any more."""
        self.is_broke = False
        """Whether the rest of the turn's own money pays for no further answer, and nobody is left who costs none."""
        self.reserved: Decimal | None = None
        """US dollars set aside for the step that is being taken."""
        self.wasted: list[Usage] = []
        """Of its answers that could not be used."""
        self.lost = Decimal(0)
        """US dollars for its answers that nobody waited for."""
        self.deadline = time.monotonic() + turn.limits.turn.total_seconds()

    @property
    def model(self) -> Model:
        return self.turn.models[self.failed]

    @property
    def is_used_up(self) -> bool:
        return self.failed >= len(self.turn.models)

    @property
    def is_degraded(self) -> bool:
        """Whether one further down answers than was configured first."""
        return 0 < self.failed < len(self.turn.models)

    @property
    def is_late(self) -> bool:
        return time.monotonic() >= self.deadline - HANDOVER_SECONDS

    @property
    def is_last_model(self) -> bool:
        return self.failed >= len(self.turn.models) - 1

    @property
    def time_left(self) -> timedelta:
        """For the model whose turn it is: the last one, which needs no network, is always left some."""
        kept = HANDOVER_SECONDS + (0 if self.is_last_model else LAST_MODEL_SECONDS)
        return timedelta(seconds=max(0.1, self.deadline - kept - time.monotonic()))

    def resume(self, step: StepRow) -> None:
        """Go on after a step that a crashed worker left in the journal."""
        if step.error is not None and not self.is_used_up:
            self.skip(step.error)

    async def ask(self, items: list[Item]) -> ModelReply:
        """The next step of the model whose turn it is. Raises ModelFailure."""
        self.wasted, self.lost, self.reserved = [], Decimal(0), None
        if self.time_left < SHORTEST_TRY and not self.is_last_model:
            raise ModelFailure("no_time", "too little time is left for a model behind a network")
        request = self.make_request(items)
        try:
            return await self.try_once(request)
        except ModelFailure as failure:
            second = plan_second_try(failure, self.time_left, self.turn.limits.attempt)
            if second is None:
                raise
        await asyncio.sleep(second.pause.total_seconds())
        again = self.shorten(items) if second.is_shorter else request.items
        note = (Text("user", second.note),) if second.note else ()
        timeout = min(request.timeout, self.time_left - ENOUGH)
        return await self.try_once(replace(request, items=(*again, *note), timeout=timeout))

    async def try_once(self, request: ModelRequest) -> ModelReply:
        allowance = await self.set_aside(request)
        if allowance is not None:
            request = replace(request, max_output_tokens=allowance.output_tokens)
        try:
            return await self.model.reply(request)
        except ModelFailure as failure:
            await self.write_off(failure, allowance)
            raise

    async def write_off(self, failure: ModelFailure, allowance: Allowance | None) -> None:
        """What a try has cost that gave nothing; what was set aside for one that cost nothing is given back."""
        if failure.usage is not None:
            self.wasted.append(failure.usage)
        elif failure.code == "timeout" and allowance is not None:
            self.lost += allowance.usd  # nobody waited for the answer, which may have been paid for all the same
        elif allowance is not None:
            await self.turn.reserve(-allowance.usd)
            self.reserved = (self.reserved or Decimal(0)) - allowance.usd

    def make_request(self, items: list[Item]) -> ModelRequest:
        limits, spent = self.turn.limits, self.spent
        is_last = spent.steps == limits.steps - 1 or spent.calls >= limits.tool_calls - 1
        return ModelRequest(
            instructions=self.turn.instructions,
            items=(*items, LAST_STEP) if is_last else tuple(items),
            tools=DRAFT_TOOLS if self.turn.context.brief.is_draft else TOOLS,
            brief=self.turn.context.brief,
            timeout=min(limits.attempt, self.time_left),
            must_call_tool=True,
            is_last=is_last,
            conversation=str(self.turn.context.conversation_id),
        )

    async def set_aside(self, request: ModelRequest) -> Allowance | None:
        """What this try may use, reserved; None where its price is not known. Raises ModelFailure where a budget is
        used up."""
        price = self.turn.prices.get(self.model.name)
        if price is None:
            return None
        left = self.turn.limits.usd - (self.spent.usd or 0) - self.spent_in_vain
        # one that hangs may have cost all of its share: as much is left for each that may have to take its place
        allowance = allow(request, price, left / self.sharers) or allow(request, price, left)
        if allowance is None:
            raise ModelFailure(f"{BUDGET}turn", "the rest of the turn's money pays for no further answer")
        exhausted = await self.turn.reserve(allowance.usd)
        if exhausted is not None:
            raise ModelFailure(BUDGET + exhausted, "this budget is used up")
        self.reserved = (self.reserved or Decimal(0)) + allowance.usd
        return allowance

    @property
    def sharers(self) -> int:
        """The models that cost money, from the one whose turn it is on."""
        return sum(model.name in self.turn.prices for model in self.turn.models[self.failed :])

    @property
    def spent_in_vain(self) -> Decimal:
        """US dollars that the tries of this step have cost which gave nothing, as far as anybody knows."""
        costs = (cost_usd(self.model.name, usage, self.turn.prices) for usage in self.wasted)
        return sum((cost for cost in costs if cost is not None), self.lost)

    def shorten(self, items: list[Item]) -> tuple[Item, ...]:
        """The transcript in less than half the room: fewer earlier messages, less of what was found."""
        write = self.turn.shorten_transcript
        return (Text("user", write()) if write else items[0], *shorten_results(items[1:]))

    async def put_off(self, failure: ModelFailure) -> None:
        """Raises RetryLater where the model asked for a wait that the customer can bear."""
        wait, is_busy = failure.retry_after, failure.code == "rate_limited"
        if is_busy and wait is not None and wait <= self.turn.limits.patience:
            await self.turn.reserve(self.spent_in_vain - (self.reserved or Decimal(0)))
            raise RetryLater("the model asked us to wait", delay=wait)

    def skip(self, code: str) -> None:
        """Go on with the next model; where money is what is missing, with the one that costs none."""
        last = len(self.turn.models) - 1
        self.failed = max(self.failed + 1, last) if code.startswith(BUDGET) else self.failed + 1
        self.is_broke = code == f"{BUDGET}turn" and self.is_used_up
