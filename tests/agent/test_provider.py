"""A provider is one for all workers: what one of them finds out, the others know."""

import asyncio
from datetime import timedelta

import httpx2
import pytest

from agent.models.base import ModelFailure
from agent.models.provider import BUSY, PATIENCE, Board, Gate, Provider
from db.pool import Connection, Pool, open_pool
from tests.agent.samples import Server, ask, refuse, said, serve

DOWN = refuse(503, message="Overloaded")
GOOD = said("chat")
MINUTE = timedelta(minutes=1)


def open_provider(pool: Pool, *answers: httpx2.Response | Exception, worker: str = "a") -> tuple[Provider, Server]:
    """A worker's view of the provider, whose server gives `answers` in turn."""
    model, server = serve("chat", *answers)
    return Provider(model, Board(pool, worker), Gate(10)), server


async def fail(provider: Provider, times: int = 1) -> ModelFailure:
    for _ in range(times):
        with pytest.raises(ModelFailure) as caught:
            await provider.reply(ask())
    return caught.value


async def pass_time(conn: Connection) -> None:
    """As if all that was set to come had come."""
    await conn.execute(
        "update provider_health set (opened_until, not_before) = (now() - interval '1 s', now() - interval '1 s')"
    )


async def test_a_provider_that_failed_in_a_row_is_left_alone_by_all_workers(pool: Pool) -> None:
    first, _ = open_provider(pool, DOWN)
    assert (await fail(first, PATIENCE)).code == "unavailable"
    assert (await fail(first)).code == "left_alone"
    other, server = open_provider(pool, GOOD, worker="b")
    assert (await fail(other)).code == "left_alone"
    assert server.seen == []


async def test_failures_that_are_not_in_a_row_leave_it_in_use(pool: Pool) -> None:
    provider, server = open_provider(pool, *[DOWN, GOOD] * PATIENCE, GOOD)
    for _ in range(PATIENCE):
        await fail(provider)
        await provider.reply(ask())
    await provider.reply(ask())
    assert len(server.seen) == 2 * PATIENCE + 1


@pytest.mark.parametrize(
    "refusal", [refuse(401, message="Incorrect API key"), refuse(429, message="x", code="insufficient_quota")]
)
async def test_a_refused_key_or_an_empty_account_is_not_tried_again_for_a_quarter_of_an_hour(
    pool: Pool, conn: Connection, refusal: httpx2.Response
) -> None:
    provider, server = open_provider(pool, refusal)
    await fail(provider, 2)
    assert len(server.seen) == 1
    minutes = "select round(extract(epoch from opened_until - updated_at) / 60) from provider_health"
    assert await conn.fetchval(minutes) == 15


async def test_whoever_mends_the_key_and_starts_again_is_not_made_to_wait(pool: Pool, conn: Connection) -> None:
    refused, _ = open_provider(pool, refuse(401, message="Incorrect API key"))
    await fail(refused)
    mended, server = open_provider(pool, GOOD, worker="the next process")
    await mended.reply(ask())
    assert len(server.seen) == 1
    assert await conn.fetchval("select count(*) from alarms where alarm like 'provider%'") == 0


async def test_a_provider_that_is_left_alone_is_an_alarm_and_a_refused_key_one_for_a_person(
    pool: Pool, conn: Connection
) -> None:
    down, _ = open_provider(pool, DOWN)
    await fail(down, PATIENCE)
    alarms = "select alarm, about, needs_person from alarms where alarm like 'provider%'"
    assert [tuple(row) for row in await conn.fetch(alarms)] == [("provider_open", "model.test/gpt-test", False)]
    await conn.execute("delete from provider_health")
    refused, _ = open_provider(pool, refuse(401, message="Incorrect API key"))
    await fail(refused)
    assert [tuple(row) for row in await conn.fetch(alarms)] == [("provider_refused", "model.test/gpt-test", True)]


async def test_after_its_time_one_worker_tries_and_its_answer_lets_all_in_again(pool: Pool, conn: Connection) -> None:
    broken, _ = open_provider(pool, DOWN)
    await fail(broken, PATIENCE)
    await pass_time(conn)
    boards = [Board(pool, name) for name in "abc"]
    admitted = await asyncio.gather(*(board.admit("model.test/gpt-test") for board in boards), return_exceptions=True)
    assert sum(not isinstance(found, ModelFailure) for found in admitted) == 1
    await pass_time(conn)
    mended, _ = open_provider(pool, GOOD)
    await mended.reply(ask())
    other, server = open_provider(pool, GOOD, worker="b")
    await other.reply(ask())
    assert len(server.seen) == 1
    assert await conn.fetchval("select (state, failures) = ('closed', 0) from provider_health")


async def test_each_failed_try_doubles_the_time_it_is_left_alone(pool: Pool, conn: Connection) -> None:
    provider, _ = open_provider(pool, DOWN)
    await fail(provider, PATIENCE)
    pauses = []
    for _ in range(7):
        pauses.append(await conn.fetchval("select extract(epoch from opened_until - updated_at) from provider_health"))
        await pass_time(conn)
        provider.board.forget()
        await fail(provider)
    assert [round(pause) for pause in pauses] == [15, 30, 60, 120, 240, 300, 300]


async def test_a_wait_that_it_asks_for_is_kept_by_all_and_passed_on(pool: Pool, conn: Connection) -> None:
    first, _ = open_provider(pool, refuse(429, {"retry-after": "30"}, message="slow down"))
    assert (await fail(first)).retry_after == timedelta(seconds=30)
    other, server = open_provider(pool, GOOD, worker="b")
    failure = await fail(other)
    assert (failure.code, server.seen) == ("rate_limited", [])
    assert failure.retry_after is not None
    assert timedelta(seconds=20) < failure.retry_after <= timedelta(seconds=30)
    await pass_time(conn)
    other.board.forget()
    await other.reply(ask())


async def test_a_rate_limit_without_a_time_is_given_some_seconds(pool: Pool, conn: Connection) -> None:
    provider, _ = open_provider(pool, refuse(429, message="slow down"))
    await fail(provider)
    assert await conn.fetchval("select not_before - updated_at from provider_health") == BUSY
    assert await conn.fetchval("select state from provider_health") == "closed"


@pytest.mark.parametrize(
    "answer",
    [
        refuse(400, message="Too long", code="context_length_exceeded"),
        refuse(403, message="Your input was flagged"),
        refuse(400, message="Failed to call a function", code="tool_use_failed"),
        httpx2.Response(200, json={"choices": [{"finish_reason": "length", "message": {"content": "cut"}}]}),
    ],
)
async def test_what_one_customer_wrote_never_shuts_the_provider_for_the_others(
    pool: Pool, conn: Connection, answer: httpx2.Response
) -> None:
    provider, server = open_provider(pool, answer)
    await fail(provider, PATIENCE + 2)
    assert len(server.seen) == PATIENCE + 2
    assert await conn.fetchval("select count(*) from provider_health") == 0


async def test_what_it_does_not_know_is_never_asked_of_it_again_by_anyone(pool: Pool) -> None:
    first, _ = open_provider(pool, refuse(400, param="tool_choice", message="Unknown"), GOOD)
    await first.reply(ask(must_call_tool=True))
    other, server = open_provider(pool, GOOD, worker="b")
    await other.reply(ask(must_call_tool=True))
    assert "tool_choice" not in server.bodies[0]


async def test_while_all_is_well_nothing_is_written_and_the_database_is_asked_once_for_many_calls(
    database_url: str,
) -> None:
    statements: list[object] = []
    async with open_pool(database_url, size=1) as own:
        async with own.acquire() as conn:
            conn.add_query_logger(statements.append)
        provider, server = open_provider(own, GOOD)
        await asyncio.gather(*(provider.reply(ask()) for _ in range(20)))
    assert (len(server.seen), len(statements)) == (20, 1)


async def test_no_more_calls_than_it_bears_are_made_at_once_and_they_are_let_in_in_order() -> None:
    gate, entered, leave = Gate(2), [], asyncio.Event()

    async def call(number: int) -> None:
        async with gate.hold(MINUTE):
            entered.append(number)
            await leave.wait()

    calls = [asyncio.create_task(call(number)) for number in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert entered == [0, 1]
    leave.set()
    calls[2].cancel()  # in the very moment in which a place becomes free
    await asyncio.gather(*calls, return_exceptions=True)
    assert (entered, gate.inside) == ([0, 1, 3, 4], 0)


async def test_too_many_at_once_halves_how_many_are_let_in() -> None:
    gate = Gate(100)
    async with gate.hold(MINUTE), gate.hold(MINUTE), gate.hold(MINUTE), gate.hold(MINUTE):
        gate.narrow()
        assert gate.width == 2
    gate.since -= 60
    assert gate.width == 5, "one more every twenty seconds"
    gate.since -= 10_000
    assert gate.width == 100


async def test_who_finds_no_place_in_time_is_told_so_and_the_provider_is_not_blamed(
    pool: Pool, conn: Connection
) -> None:
    model, server = serve("chat", GOOD)
    provider = Provider(model, Board(pool, "a"), Gate(1))
    async with provider.gate.hold(MINUTE):
        with pytest.raises(ModelFailure) as caught:
            await provider.reply(ask(seconds=0.05))
    assert (caught.value.code, server.seen) == ("crowded", [])
    assert await conn.fetchval("select count(*) from provider_health") == 0
    await provider.reply(ask())


async def test_a_place_given_to_whoever_just_left_goes_to_the_next() -> None:
    gate = Gate(1)
    async with gate.hold(MINUTE):
        leaving = asyncio.create_task(gate.enter())
        staying = asyncio.create_task(gate.enter())
        await asyncio.sleep(0)
    leaving.cancel()  # its place was given a moment ago
    await asyncio.gather(leaving, return_exceptions=True)
    await asyncio.wait_for(staying, timeout=5)
    assert gate.inside == 1
