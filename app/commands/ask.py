"""One turn in the terminal: the real agent on the real database, and nothing of it kept."""

import argparse
import sys
import time
from datetime import UTC, datetime
from uuid import uuid4

from agent import loop
from agent.brief import Brief, ChannelLimits, Line
from agent.effects import Escalate
from agent.prompt import build_instructions, lay_out_turn
from agent.toolbox import ToolContext
from agent.turn import AgentTurn, Ending
from app.database import find_database
from app.settings import Settings
from app.wiring import Agent, make_turn_runner, open_agent
from db.migrate import check_schema
from db.pool import Pool, acquire, open_pool
from db.turns import StepRow

LIMITS = {"web": (2500, 900), "gmail": (6000, 2000), "whatsapp": (1600, 300)}
"""Longest and preferred reply, in characters."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Ask the agent one question. Nothing is stored and nobody is told."
    parser.add_argument("question", help="what a customer would write")
    parser.add_argument("--channel", choices=sorted(LIMITS), default="web", help="whose limits a reply must keep")
    parser.add_argument("--plan", default=None, help="the plan the customer is on")


async def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print the answer, its citations, the steps, the time and the cost. Exit code 1 when the question is empty."""
    if not args.question.strip():
        print("ask: the question is empty", file=sys.stderr)
        return 1
    async with find_database(settings) as database, open_pool(database.query_url, size=2) as pool:
        async with acquire(pool) as conn:
            await check_schema(conn)
        agent = await open_agent(settings, pool)
        if agent.learner is not None:
            await agent.learner.look(agent.assessor)
        steps: list[StepRow] = []
        began = time.perf_counter()
        ending = await loop.run_turn(await make_turn(args, settings, pool, agent, steps))
        print_ending(ending, steps, time.perf_counter() - began)
    return 0


async def make_turn(
    args: argparse.Namespace, settings: Settings, pool: Pool, agent: Agent, steps: list[StepRow]
) -> AgentTurn:
    """A turn about one message of nobody; its journal is a list in memory."""
    runner = make_turn_runner(settings, pool, agent)
    now = datetime.now(UTC)
    most, preferred = LIMITS[args.channel]
    brief = Brief(
        company=settings.company_name,
        limits=ChannelLimits(args.channel, most, preferred),
        today=now.date(),
        customer_name=None,
        plan=args.plan,
        trust=0,
        subject="",
        summary="",
        history=(),
        burst=(Line("m1", "customer", args.question, now),),
        open_ticket=None,
        assessment=agent.assessor.assess(
            [args.question],
            previous=(),
            language=None,
            category_hint=None,
            vector=await agent.assessor.find_vector([args.question]),
        ),
    )

    async def keep_step(step: StepRow) -> None:
        steps.append(step)

    return AgentTurn(
        models=agent.models,
        instructions=build_instructions(settings.company_name),
        transcript=lay_out_turn(brief, "terminal"),
        context=ToolContext(
            pool=pool,
            embedder=agent.embedder,
            brief=brief,
            conversation_id=uuid4(),
            ticket_prefix=settings.ticket_prefix,
            allowed_links=runner.allowed_links,
        ),
        limits=runner.limits,
        prices=runner.prices,
        record_step=keep_step,
    )


def print_ending(ending: Ending, steps: list[StepRow], seconds: float) -> None:
    terminal = ending.terminal
    if isinstance(terminal, Escalate):
        print(f"{terminal.customer_message}\n")
        print(
            f"Handed to {terminal.team}, priority {terminal.priority} ({terminal.priority_why}), due {terminal.due_at}"
        )
        print(f"Reason    {terminal.reason}: {terminal.handoff_note}")
    else:
        print(f"{terminal.body}\n")
        for citation in terminal.citations:
            print(f"Source    {citation['title']} ({citation['slug']}, version {citation['version']})")
    for step in [*steps, *([ending.last_step] if ending.last_step else [])]:
        calls = ", ".join(
            f"{item['name']} {item['arguments']}"[:160] for item in step.items if item["type"] == "tool_call"
        )
        print(f"Step {step.step}    {step.model}: {calls or step.error} ({step.latency_ms:.0f} ms)")
        for passage in step.passages:
            where = f"{passage['slug']} v{passage['version']}: {passage['title']}"
            print(f"          {passage['k']} {passage['score']:.3f} {where}")
    spent = ending.spent
    tokens = f"{spent.input_tokens} in, {spent.output_tokens} out" if spent.input_tokens is not None else "not counted"
    cost = f"${spent.usd:.6f}" if spent.usd is not None else "none known"
    print(f"Time      {seconds * 1000:.0f} ms, tokens {tokens}, cost {cost}")
