"""Two minutes of `python -m bench chaos`: processes die at random, and the vendor's journal says what customers got."""

from bench.chaos.desk import run_chaos
from bench.chaos.plan import Plan

PLAN = Plan(900, seed=7, calm=4.0, rate=11, index_lag=4, true_index_lag=5)


async def test_nothing_is_lost_said_twice_or_out_of_order_while_processes_die_at_random() -> None:
    lines: list[str] = []
    outcome = await run_chaos(PLAN, lines.append)
    account = "\n".join((*lines, str(PLAN), f"blows: {dict(outcome.havoc.blows)}", f"logs: {outcome.folder}"))
    assert outcome.verdict.list_broken() == [], account
    assert outcome.is_drained, f"something waits for ever\n{account}"
    customers = {message.customer for message in outcome.producer.sent}
    assert len(outcome.verdict.parked) < len(customers) / 10, f"a person is called for everybody\n{account}"
    assert outcome.havoc.blows.total() > 5, f"a calm day proves nothing\n{account}"
