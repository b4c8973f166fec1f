"""Promises about limits: each ends at a person, and the customer is told."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from agent.models.base import Item, ModelFailure, ModelReply, ModelRequest, Text, ToolResult, Usage
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
    write_again,
)

THANKS = "Thank you for writing."
DEAR = {"dear": Price(input=Decimal(1), output=Decimal(3))}
QUICK = Limits(turn=timedelta(seconds=20))
"""Too little time for a second try."""

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


class TalkativeModel:
    """Says as much as it may in each step and counts it as a provider does. Searches so often, then thanks."""

    name = "dear"

    def __init__(self, searches: int) -> None:
        self.searches = searches
        self.allowed: list[int] = []

    async def reply(self, request: ModelRequest) -> ModelReply:
        self.allowed.append(request.max_output_tokens)
        done = sum(isinstance(item, ToolResult) for item in request.items)
        said = search_for(f"words {done}") if done < self.searches else reply_with(THANKS)
        read = len(request.instructions) + sum(len(repr(item)) for item in request.items)
        return ModelReply(self.name, tuple(said), usage=Usage(read // 4, request.max_output_tokens))


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


@pytest.mark.parametrize("about", ["", ":{conversation}", ":customer:{customer}"])
async def test_when_the_money_of_the_day_is_spent_the_last_model_answers(
    pool: Pool, conn: Connection, about: str
) -> None:
    reference = await submit(conn, "Hello there")
    await make_runner(pool, ScriptedModel([reply_with(THANKS)])).run(await claim_one(pool))
    talk = await conn.fetchrow("select id, customer_id from conversations")
    assert talk
    await conn.execute(
        """
        insert into quotas (key, level, is_won)
        select spend_day(now() + n * interval '1 day') || $1, 7, true from generate_series(0, 1) n
        """,  # midnight may come before the next turn
        about.format(conversation=talk["id"], customer=talk["customer_id"]),
    )
    await write_again(conn, reference, "Are you there?")
    dear, free = ScriptedModel([reply_with("Good.")], name="dear"), ScriptedModel([reply_with("Sorry.")])
    await make_runner(pool, dear, free, prices=DEAR).run(await claim_one(pool))
    assert (len(dear.requests), len(free.requests)) == (0, 1)
    assert await conn.fetchval("select degraded from messages where body = 'Sorry.'")


async def test_a_model_that_loops_never_costs_more_than_a_turn_may(pool: Pool, conn: Connection) -> None:
    await submit(conn, "Something about my boards")
    looping = TalkativeModel(searches=20)
    limits = Limits(steps=20, tool_calls=20, usd=Decimal("0.02"))
    await make_runner(pool, looping, limits=limits, prices=DEAR).run(await claim_one(pool))
    assert await conn.fetchval("select error from turns") == "limit: usd"
    spent = await conn.fetchval("select cost_usd from turns")
    assert Decimal(0) < spent <= limits.usd
    assert looping.allowed[0] == 4096 > looping.allowed[-1], "the last answer may use only what is left"
    assert await conn.fetchval("select level from quotas where key like 'spend:____-__-__'") == pytest.approx(
        float(spent)
    )


class CutOffModel(TalkativeModel):
    """Never comes to an end: each answer is cut off, and paid for."""

    async def reply(self, request: ModelRequest) -> ModelReply:
        usage = (await super().reply(request)).usage
        failure = ModelFailure("truncated", "too long")
        failure.usage = usage
        raise failure


async def test_answers_that_are_cut_off_never_cost_more_than_a_turn_may_either(pool: Pool, conn: Connection) -> None:
    await submit(conn, "Something about my boards")
    limits = Limits(usd=Decimal("0.02"))
    endless, free = CutOffModel(searches=0), ScriptedModel([reply_with(THANKS)])
    await make_runner(pool, endless, free, limits=limits, prices=DEAR).run(await claim_one(pool))
    spent = await conn.fetchval("select cost_usd from turns")
    assert Decimal("0.01") < spent <= limits.usd
    assert await conn.fetchval("select level from quotas where key like 'spend:____-__-__'") == pytest.approx(
        float(spent)
    )


async def test_many_turns_at_once_do_not_spend_more_than_the_day_allows(pool: Pool, conn: Connection) -> None:
    for number in range(12):
        await submit(conn, "Something about my boards", email=f"ana{number}@example.com")
    lanes = [await claim_one(pool) for _ in range(12)]
    runner = make_runner(
        pool, TalkativeModel(searches=1), ScriptedModel([reply_with("free")] * 12), prices=DEAR, daily_budget="0.1"
    )
    await asyncio.gather(*(runner.run(lane) for lane in lanes))
    spent = await conn.fetchval("select sum(cost_usd) from turns")
    assert Decimal("0.05") < spent <= Decimal("0.1")
    assert await conn.fetchval("select count(*) from messages where direction = 'outbound'") == 12


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
    answer = ModelReply("dear", tuple(reply_with(THANKS)), usage=Usage(1000, 1000))
    await make_runner(pool, ScriptedModel([answer], name="dear"), prices=DEAR).run(await claim_one(pool))
    assert await conn.fetchval("select cost_usd from turns") == Decimal("0.004")
    levels = await conn.fetch("select level from quotas where key like 'spend:%'")
    assert [row["level"] for row in levels] == [pytest.approx(0.004)] * 3


async def test_an_answer_nobody_waited_for_is_taken_to_have_cost_what_was_set_aside(
    pool: Pool, conn: Connection
) -> None:
    await submit(conn, "Hello there")
    slow = ScriptedModel([ModelFailure("timeout", "too slow")] * 2, name="dear")
    down = ScriptedModel([ModelFailure("unauthorised", "no")], name="cheap")
    free = ScriptedModel([reply_with(THANKS)])
    prices = DEAR | {"cheap": DEAR["dear"]}
    await make_runner(pool, slow, down, free, prices=prices, limits=QUICK).run(await claim_one(pool))
    steps = await conn.fetch("select error, reserved_usd from turn_steps order by step")
    assert [(row["error"], row["reserved_usd"] is not None) for row in steps] == [
        ("timeout", True),
        ("unauthorised", True),
        (None, False),
    ]
    assert await conn.fetchval("select level from quotas where key like 'spend:____-__-__'") == pytest.approx(
        float(steps[0]["reserved_usd"])
    )


async def test_the_views_tell_what_a_turn_a_ticket_and_a_resolution_cost(pool: Pool, conn: Connection) -> None:
    references = [await submit(conn, "Hello there", email=f"ana{number}@example.com") for number in range(2)]
    answer = ModelReply("dear", tuple(reply_with(THANKS)), usage=Usage(1000, 1000, 600), request_id="req-1")
    for _ in references:
        await make_runner(pool, ScriptedModel([answer], name="dear"), prices=DEAR).run(await claim_one(pool))
    await write_again(conn, references[0], "And another thing?")
    unpriced = ModelReply("other", tuple(reply_with(THANKS)), usage=Usage(10, 10))
    await make_runner(pool, ScriptedModel([unpriced])).run(await claim_one(pool))
    await conn.execute("update tickets set status = 'resolved' where reference = $1", references[0])
    costs = await conn.fetch("select turns, cost_usd, turns_of_unknown_cost from ticket_costs order by turns desc")
    assert [tuple(row) for row in costs] == [(2, Decimal("0.004"), 1), (1, Decimal("0.004"), 0)]
    await conn.execute("update conversations set status = 'resolved' where thread_key = $1", references[0])
    per = await conn.fetchrow("select cost_usd, cost_per_conversation, cost_per_resolution from channel_costs")
    assert per
    assert tuple(per) == (Decimal("0.008"), Decimal("0.004"), Decimal("0.008"))
    step = await conn.fetchrow("select * from turn_explained where model = 'dear' limit 1")
    assert step
    assert (step["request_id"], step["input_tokens"], step["cached_tokens"]) == ("req-1", 1000, 600)
    assert step["cost_usd"] < step["reserved_usd"]


async def test_a_refused_reply_and_its_repair_are_explained(pool: Pool, conn: Connection) -> None:
    await submit(conn, "How much is it?")
    model = ScriptedModel([reply_with("It costs $991 a year.", kind="answer"), reply_with(THANKS)])
    await make_runner(pool, model).run(await claim_one(pool))
    refused = [row["refused"] for row in await conn.fetch("select refused from turn_explained order by step")]
    assert [bool(code) for code in refused] == [True, False]


async def test_a_day_whose_money_is_nearly_spent_is_an_alarm(pool: Pool, conn: Connection) -> None:
    await submit(conn, "Hello there")
    answer = ModelReply("dear", tuple(reply_with(THANKS)), usage=Usage(1000, 4000))
    await make_runner(pool, ScriptedModel([answer], name="dear"), prices=DEAR).run(await claim_one(pool))
    await conn.execute("update quotas set level = ceiling * 0.9 where key like 'spend:____-__-__'")
    [alarm] = await conn.fetch("select needs_person, round(value) as percent from alarms where alarm = 'budget_used'")
    assert (alarm["needs_person"], alarm["percent"]) == (False, 90)
    await submit(conn, "Hello there", email="ben@example.com")
    runner = make_runner(pool, TalkativeModel(searches=0), ScriptedModel([reply_with(THANKS)]), prices=DEAR)
    await replace(runner, budgets=replace(runner.budgets, day=Decimal("0.016"))).run(await claim_one(pool))
    assert await conn.fetchval("select needs_person from alarms where alarm = 'budget_used'")


async def test_what_a_worker_set_aside_and_never_settled_is_given_back_by_whoever_takes_over(
    pool: Pool, conn: Connection
) -> None:
    await submit(conn, "Hello there")

    def die(_: ModelRequest) -> list[Item]:
        raise ConnectionResetError

    lane = await claim_one(pool, lease=timedelta(0))
    with pytest.raises(ConnectionResetError):
        await make_runner(pool, ScriptedModel([die], name="dear"), prices=DEAR).run(lane)
    assert await conn.fetchval("select reserved_usd from turns") > 0
    answer = ModelReply("dear", tuple(reply_with(THANKS)), usage=Usage(1000, 1000))
    await make_runner(pool, ScriptedModel([answer], name="dear"), prices=DEAR).run(await claim_one(pool))
    levels = await conn.fetch("select level from quotas where key like 'spend:%'")
    assert [row["level"] for row in levels] == [pytest.approx(0.004)] * 3
    assert await conn.fetchval("select reserved_usd from turns") == 0


async def test_what_was_set_aside_before_midnight_is_never_given_back_to_the_day_after(
    pool: Pool, conn: Connection
) -> None:
    await submit(conn, "Hello there")

    def die(_: ModelRequest) -> list[Item]:
        raise ConnectionResetError

    lane = await claim_one(pool, lease=timedelta(0))
    with pytest.raises(ConnectionResetError):
        await make_runner(pool, ScriptedModel([die], name="dear"), prices=DEAR).run(lane)
    day = await conn.fetchval("select spend_day(started_at) from turns")
    await conn.execute("update turns set started_at = started_at - interval '1 day'")
    await conn.execute("update quotas set key = replace(key, $1, (select spend_day(started_at) from turns))", day)
    await conn.execute("insert into quotas (key, level, is_won) values ($1, 0.3, true)", day)
    answer = ModelReply("dear", tuple(reply_with(THANKS)), usage=Usage(1000, 1000))
    await make_runner(pool, ScriptedModel([answer], name="dear"), prices=DEAR).run(await claim_one(pool))
    levels = await conn.fetch("select level from quotas where key like 'spend:____-__-__' order by key")
    assert [row["level"] for row in levels] == [pytest.approx(0.004), pytest.approx(0.3)]


async def test_an_answer_that_was_cut_off_is_paid_for_and_counted(pool: Pool, conn: Connection) -> None:
    await submit(conn, "Hello there")
    cut = ModelFailure("truncated", "too long")
    cut.usage = Usage(1000, 2000)
    answer = ModelReply("dear", tuple(reply_with(THANKS)), usage=Usage(1000, 1000))
    await make_runner(pool, ScriptedModel([cut, answer], name="dear"), prices=DEAR).run(await claim_one(pool))
    turn = await conn.fetchrow("select input_tokens, output_tokens, cost_usd from turns")
    assert turn
    assert tuple(turn) == (2000, 3000, Decimal("0.011"))
    assert await conn.fetchval("select level from quotas where key like 'spend:____-__-__'") == pytest.approx(0.011)


HUNG = ModelFailure("timeout", "no answer")
LIKE_A_LARGE_MODEL = Price(input=Decimal("1.25"), output=Decimal(10))


@pytest.mark.parametrize("names", [("dear", "cheap"), ("dear",)])
async def test_a_model_that_hangs_leaves_money_for_the_next_and_the_free_one_is_asked_in_any_case(
    pool: Pool, conn: Connection, names: tuple[str, ...]
) -> None:
    await submit(conn, "Hello there")
    hanging = ScriptedModel([HUNG] * 2, name="dear")
    answer = ModelReply("cheap", tuple(reply_with(THANKS)), usage=Usage(1000, 100))
    spare = ScriptedModel([answer], name="cheap")
    free = ScriptedModel([reply_with("I am the last one.")])
    chain = [hanging, *([spare] if "cheap" in names else []), free]
    prices = dict.fromkeys(names, LIKE_A_LARGE_MODEL)
    await make_runner(pool, *chain, prices=prices, limits=replace(Limits(), turn=timedelta(seconds=20))).run(
        await claim_one(pool)
    )
    said = await conn.fetchval("select body from messages where direction = 'outbound'")
    assert said == (THANKS if "cheap" in names else "I am the last one.")
    assert await conn.fetchval("select cost_usd <= 0.05 from turns")


async def test_a_budget_with_room_again_is_no_alarm_any_more(pool: Pool, conn: Connection) -> None:
    answer = ModelReply("dear", tuple(reply_with(THANKS)), usage=Usage(1000, 1000))
    for day, expected in (("0.001", True), ("5", None)):
        await submit(conn, "Hello there", email=f"ana{day}@example.com")
        runner = make_runner(
            pool,
            ScriptedModel([answer], name="dear"),
            ScriptedModel([reply_with(THANKS)]),
            prices=DEAR,
            daily_budget=day,
        )
        await runner.run(await claim_one(pool))
        assert await conn.fetchval("select needs_person from alarms where alarm = 'budget_used'") is expected
