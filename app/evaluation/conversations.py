"""Turns of the desk's own customers, run once more with today's model, prompt and articles: read, never written."""

import argparse
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from agent.effects import Escalate
from agent.models.offline import OfflineModel
from agent.models.replay import find_limit
from agent.prompt import build_instructions, lay_out_turn
from agent.replay import CALLED_BY_WORKER
from agent.replay_brief import Given, NotRecorded, rebuild
from agent.replay_dry import Journal, run_dry
from agent.replay_file import find_terminal
from agent.toolbox import ToolContext
from agent.turn import AgentTurn, Ending
from app.database import find_database
from app.evaluation.trial import Progress
from app.settings import Settings
from app.wiring import Agent, make_turn_runner, open_agent
from db.errors import RetryLater
from db.migrate import check_schema
from db.pool import Pool, acquire, open_pool
from db.recordings import RecordedTurn, list_recorded
from worker.turn import OUTCOMES, TurnRunner

SPAN = re.compile(r"([1-9][0-9]{0,3})([hd])")
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1)}
NONCE = "runsagain"


def read_span(text: str) -> timedelta:
    """24h, 7d. Raises ArgumentTypeError."""
    match = SPAN.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no span of time: write 24h or 7d")
    return int(match[1]) * UNITS[match[2]]


@dataclass(frozen=True, slots=True)
class Side:
    """What came of a turn."""

    outcome: str
    text: str
    """What the customer read, without greeting and signature."""
    cited: tuple[str, ...]
    """Slugs."""
    model: str | None
    cost_usd: Decimal | None
    tokens: int | None
    limit: str | None = None

    @property
    def is_escalated(self) -> bool:
        return self.outcome == "escalated"


@dataclass(frozen=True, slots=True)
class Compared:
    """A turn then and now."""

    turn: RecordedTurn
    given: Given
    then: Side
    now: Side
    seconds: float


@dataclass(frozen=True, slots=True)
class Rerun:
    """All turns of the time that could be run again."""

    models: tuple[str, ...]
    compared: tuple[Compared, ...]
    left_out: tuple[tuple[RecordedTurn, str], ...]
    """Turns that could not be, and why."""
    is_out_of_money: bool
    """Whether the rest was left out because a day's budget was used up."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where turns are run again."""

    settings: Settings
    pool: Pool
    """Of connections that only read."""
    agent: Agent
    runner: TurnRunner


@asynccontextmanager
async def open_ground(settings: Settings, *, is_offline: bool) -> AsyncIterator[Ground]:
    """The desk's own database, in which only what a provider can do and what the examples teach may be noted."""
    async with (
        find_database(settings) as database,
        open_pool(database.query_url, size=2) as pool,
        open_pool(database.listen_url, size=2, is_read_only=True) as reader,
    ):
        async with acquire(pool) as conn:
            await check_schema(conn)
        agent = await open_agent(settings, pool)
        agent = replace(agent, models=(OfflineModel(),)) if is_offline else agent
        yield Ground(settings, reader, agent, make_turn_runner(settings, reader, agent))


async def list_turns(ground: Ground, span: timedelta, limit: int) -> list[RecordedTurn]:
    """The newest turns of that time, oldest first."""
    async with acquire(ground.pool) as conn:
        return await list_recorded(conn, since=datetime.now(UTC) - span, limit=limit)


async def run_again(ground: Ground, turns: list[RecordedTurn], on_progress: Progress) -> Rerun:
    """One after the other, until a day's budget is used up."""
    compared: list[Compared] = []
    left_out: list[tuple[RecordedTurn, str]] = []
    spent, budget = Decimal(0), Decimal(str(ground.settings.daily_budget_usd))
    for turn in turns:
        if spent >= budget:
            break
        try:
            compared.append(await compare(ground, turn))
        except (NotRecorded, RetryLater) as error:
            left_out.append((turn, str(error)))
        else:
            spent += compared[-1].now.cost_usd or 0
        on_progress(len(compared) + len(left_out), len(turns))
    models = tuple(model.name for model in ground.agent.models)
    return Rerun(models, tuple(compared), tuple(left_out), len(compared) + len(left_out) < len(turns))


async def compare(ground: Ground, turn: RecordedTurn) -> Compared:
    """Raises NotRecorded, and RetryLater where a model wants to be waited for."""
    given, then = rebuild(turn), describe_then(turn)
    if find_limit(turn.steps[-1]) in CALLED_BY_WORKER:
        raise NotRecorded("a person was called without a model's say")
    began = time.perf_counter()
    ending = await run_dry(make_turn(ground, turn, given), turn.steps)
    return Compared(turn, given, then, describe_now(ending), time.perf_counter() - began)


def make_turn(ground: Ground, turn: RecordedTurn, given: Given) -> AgentTurn:
    """The turn as the worker would make it now, about what was written then."""
    runner, brief = ground.runner, given.brief
    return AgentTurn(
        models=ground.agent.models,
        instructions=build_instructions(runner.company),
        transcript=lay_out_turn(brief, NONCE),
        context=ToolContext(
            pool=ground.pool,
            embedder=ground.agent.embedder,
            brief=brief,
            conversation_id=turn.conversation_id,
            ticket_prefix=runner.ticket_prefix,
            allowed_links=runner.allowed_links,
            guard=runner.guard,
        ),
        limits=runner.limits,
        prices=runner.prices,
        record_step=Journal().keep,
    )


def describe_then(turn: RecordedTurn) -> Side:
    """Raises NotRecorded where the journal has no end."""
    terminal = find_terminal(turn.steps)
    return Side(
        outcome=turn.outcome,
        text=terminal.get("customer_message") or terminal.get("body") or "",
        cited=tuple(dict.fromkeys(one["slug"] for one in terminal.get("citations", ()))),
        model=turn.model,
        cost_usd=turn.cost_usd,
        tokens=None if turn.input_tokens is None else turn.input_tokens + (turn.output_tokens or 0),
        limit=turn.error,
    )


def describe_now(ending: Ending) -> Side:
    terminal, spent = ending.terminal, ending.spent
    return Side(
        outcome="escalated" if isinstance(terminal, Escalate) else OUTCOMES[terminal.response_kind],
        text=terminal.customer_message if isinstance(terminal, Escalate) else terminal.body,
        cited=() if isinstance(terminal, Escalate) else tuple(dict.fromkeys(one["slug"] for one in terminal.citations)),
        model=ending.model,
        cost_usd=spent.usd,
        tokens=None if spent.input_tokens is None else spent.input_tokens + (spent.output_tokens or 0),
        limit=ending.limit and f"limit: {ending.limit}",
    )
