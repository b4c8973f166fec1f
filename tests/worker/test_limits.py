"""Promises about limits: each ends at a person, and the customer is told."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from agent.models.base import Item, ModelFailure, ModelReply, Text, Usage
from agent.models.scripted import ScriptedModel
from agent.prices import Price
from agent.turn import Limits
from db.pool import Connection, Pool
from tests.fakes import (
    call,
    claim_one,
    list_replies,
    make_runner,
    reply_with,
    search_for,
    submit,
)

THANKS = "Thank you for writing."

SEARCHES = [search_for(f"words {n}") for n in range(20)]
RUBBISH: list[Item] = [Text("assistant", "As of 2031 it costs $991.")]
LIMIT_CASES: dict[str, tuple[list[Any], Limits, str]] = {
    "a model that loops": (SEARCHES, Limits(steps=20), "limit: tool_calls"),
    "a model that repeats itself": ([search_for("same")] * 20, Limits(steps=4), "limit: steps"),
    "a model that calls unknown tools": ([call("refund_everybody")] * 20, Limits(steps=4), "limit: steps"),
    "a model that writes rubbish": ([RUBBISH] * 9, Limits(), "limit: rejected_replies"),
    "a model that says nothing": ([[]] * 9, Limits(), "limit: rejected_replies"),
    "a model that times out": ([ModelFailure("timeout", "too slow")], Limits(), "limit: models"),
    "a turn out of time": (SEARCHES, Limits(turn=timedelta(seconds=1)), "limit: seconds"),
}


@pytest.mark.parametrize("case", LIMIT_CASES)
async def test_every_limit_ends_at_a_person_and_the_customer_is_told(pool: Pool, conn: Connection, case: str) -> None:
    replies, limits, error = LIMIT_CASES[case]
    reference = await submit(conn, "Something about my boards")
    await make_runner(pool, ScriptedModel(list(replies)), limits=limits).run(await claim_one(pool))
    assert len(await list_replies(conn, reference)) == 1
    assert await conn.fetchval("select error from turns") == error
    assert await conn.fetchval("select status from tickets") == "escalated"
    assert await conn.fetchval("select handler from conversations") == "human"


async def test_tokens_and_money_are_limits_too(pool: Pool, conn: Connection) -> None:
    thirsty = ModelReply("scripted", tuple(search_for("boards")), usage=Usage(50_000, 10))
    await submit(conn, "Something about my boards")
    await make_runner(pool, ScriptedModel([thirsty, thirsty])).run(await claim_one(pool))
    assert await conn.fetchval("select error from turns") == "limit: tokens"
    assert await conn.fetchval("select input_tokens from turns") == 50_000
    assert await conn.fetchval("select cost_usd from turns") is None, "an unknown price is null, not 0"


async def test_a_second_model_goes_on_when_the_first_fails_and_the_answer_is_marked(
    pool: Pool, conn: Connection
) -> None:
    reference = await submit(conn, "Hello there")
    broken = ScriptedModel([ModelFailure("unavailable", "503")])
    await make_runner(pool, broken, ScriptedModel([reply_with(THANKS)])).run(await claim_one(pool))
    assert await list_replies(conn, reference) == [THANKS]
    assert await conn.fetchval("select degraded from messages where direction = 'outbound'")


async def test_work_that_failed_too_often_goes_to_a_person_and_to_the_dead_letters(
    pool: Pool, conn: Connection
) -> None:
    reference = await submit(conn, "Hello there")
    await make_runner(pool, ScriptedModel([])).give_up(await claim_one(pool), "TimeoutError")
    assert len(await list_replies(conn, reference)) == 1
    assert await conn.fetchval("select error from dead_letters") == "TimeoutError"
    assert await conn.fetchval("select status from tickets") == "escalated"
    assert await conn.fetchval("select count(*) from message_queue") == 0


async def test_when_the_money_of_the_day_is_spent_the_last_model_answers(pool: Pool, conn: Connection) -> None:
    await conn.execute(
        "insert into quotas (key, level, is_won) "
        "values ('spend:' || to_char(now() at time zone 'UTC', 'YYYY-MM-DD'), 7, true)"
    )
    await submit(conn, "Hello there")
    dear, free = ScriptedModel([reply_with("Good.")]), ScriptedModel([reply_with("free")])
    await make_runner(pool, dear, free).run(await claim_one(pool))
    assert (len(dear.requests), len(free.requests)) == (0, 1)


async def test_a_journal_that_cannot_be_committed_still_ends_at_a_person(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Something about my boards")
    lane = await claim_one(pool, lease=timedelta(0))
    absurd = ModelReply("scripted", tuple(search_for("boards")), usage=Usage(10**12, 1))
    with pytest.raises(Exception, match="out of range"):
        await make_runner(pool, ScriptedModel([absurd])).run(lane)
    await make_runner(pool, ScriptedModel([])).give_up(await claim_one(pool), "NumericValueOutOfRangeError")
    assert len(await list_replies(conn, reference)) == 1
    assert await conn.fetchval("select status from tickets") == "escalated"


async def test_what_a_turn_costs_counts_against_the_day(pool: Pool, conn: Connection) -> None:
    await submit(conn, "Hello there")
    priced = replace(
        make_runner(pool, ScriptedModel([ModelReply("dear", tuple(reply_with(THANKS)), usage=Usage(1000, 1000))])),
        prices={"dear": Price(input=Decimal(1), output=Decimal(3))},
    )
    await priced.run(await claim_one(pool))
    assert await conn.fetchval("select cost_usd from turns") == Decimal("0.004")
    assert await conn.fetchval("select level from quotas where key like 'spend:%'") == pytest.approx(0.004)
