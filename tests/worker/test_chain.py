"""Promises about the models of a turn: who is asked, who answers when one fails, and what the customer notices."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from agent.models.base import Item, ModelFailure, ModelReply, ModelRequest, Text, ToolCall, ToolResult
from agent.models.offline import OfflineModel
from agent.models.scripted import ScriptedModel
from agent.turn import Limits
from app.knowledge_files import SAMPLE_COMPANY, import_files
from db.errors import RetryLater
from db.pool import Connection, Pool
from tests.fakes import (
    call,
    claim_now,
    claim_one,
    list_replies,
    make_runner,
    reply_with,
    submit,
    write_again,
    write_on_a_channel_without_tickets,
)

THANKS = "Thank you for writing."
EARLY = Limits(early_search=True)
QUESTION = "How many projects can be exported at once on the Pro plan?"


def fail(code: str, seconds: float | None = None) -> ModelFailure:
    return ModelFailure(code, "", retry_after=None if seconds is None else timedelta(seconds=seconds))


async def list_steps(conn: Connection) -> list[tuple[str, str | None]]:
    rows = await conn.fetch("select model, error from turn_steps order by turn_id, step")
    return [(row["model"], row["error"]) for row in rows]


@pytest.mark.parametrize("code", ["unavailable", "malformed", "truncated"])
async def test_a_model_that_stumbles_once_still_answers(pool: Pool, conn: Connection, code: str) -> None:
    reference = await submit(conn, "Hello there")
    model = ScriptedModel([fail(code), reply_with(THANKS)])
    await make_runner(pool, model, OfflineModel()).run(await claim_one(pool))
    assert await list_replies(conn, reference) == [THANKS]
    assert await list_steps(conn) == [("scripted", None)]
    assert not await conn.fetchval("select degraded from messages where direction = 'outbound'")


async def test_a_primary_that_dies_in_the_middle_is_taken_over_with_what_it_had_found(
    pool: Pool, conn: Connection
) -> None:
    await import_files(pool, [SAMPLE_COMPANY])
    reference = await submit(conn, QUESTION)
    search = call("search_knowledge_base", query=QUESTION, category=None)
    primary = ScriptedModel([search, fail("unavailable"), fail("timeout")], name="primary")
    second = ScriptedModel([cite_first("On Pro you can export up to 20 projects at once.")], name="second")
    await make_runner(pool, primary, second, OfflineModel()).run(await claim_one(pool))
    [reply] = await list_replies(conn, reference)
    assert "20 projects" in reply
    assert await list_steps(conn) == [("primary", None), ("primary", "timeout"), ("second", None)]
    assert [type(item) for item in second.requests[0].items] == [Text, ToolCall, ToolResult]
    assert await conn.fetchval("select degraded from messages where direction = 'outbound'")


class HangingModel:
    """Takes all the time it is given."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def reply(self, request: ModelRequest) -> ModelReply:
        await asyncio.sleep(request.timeout.total_seconds())
        raise ModelFailure("timeout", "no answer")


async def test_however_many_models_hang_the_last_one_still_has_time_to_answer(pool: Pool, conn: Connection) -> None:
    await import_files(pool, [SAMPLE_COMPANY])
    reference = await submit(conn, QUESTION)
    limits = Limits(turn=timedelta(seconds=10), attempt=timedelta(seconds=2))
    runner = make_runner(pool, HangingModel("primary"), HangingModel("second"), OfflineModel(), limits=limits)
    await runner.run(await claim_one(pool))
    assert "20 projects" in (await list_replies(conn, reference))[0]
    assert await conn.fetchval("select degraded from messages where direction = 'outbound'")


async def test_without_any_model_behind_the_network_the_articles_are_quoted(pool: Pool, conn: Connection) -> None:
    await import_files(pool, [SAMPLE_COMPANY])
    reference = await submit(conn, QUESTION)
    down = ScriptedModel([fail("unauthorised")], name="primary")
    second = ScriptedModel([fail("quota")], name="second")
    await make_runner(pool, down, second, OfflineModel(), limits=EARLY).run(await claim_one(pool))
    [reply] = await list_replies(conn, reference)
    assert "20 projects" in reply
    assert [model for model, _ in await list_steps(conn)] == ["policy", "primary", "second", "offline"]


def cite_first(body: str) -> Callable[[ModelRequest], list[Item]]:
    """A reply that stands on the first result of the searches so far."""

    def say(_: ModelRequest) -> list[Item]:
        return reply_with(body, ("K1",), kind="answer")

    return say


async def test_a_plain_question_takes_one_call_because_the_search_was_made_before(pool: Pool, conn: Connection) -> None:
    await import_files(pool, [SAMPLE_COMPANY])
    reference = await submit(conn, QUESTION)
    model = ScriptedModel([cite_first("On Pro you can export up to 20 projects at once.")])
    await make_runner(pool, model, limits=EARLY).run(await claim_one(pool))
    assert "20 projects" in (await list_replies(conn, reference))[0]
    assert len(model.requests) == 1
    assert await list_steps(conn) == [("policy", None), ("scripted", None)]
    assert await conn.fetchval("select citations->0->>'slug' from messages where direction = 'outbound'") is not None


@pytest.mark.parametrize("text", ["Hello!", "I want my money back", "Let me talk to a person, please"])
async def test_nothing_is_looked_up_for_a_greeting_or_what_a_person_must_see(
    pool: Pool, conn: Connection, text: str
) -> None:
    await write_on_a_channel_without_tickets(conn, text)
    model = ScriptedModel([reply_with(THANKS)] * 3)
    await make_runner(pool, model, limits=EARLY).run(await claim_one(pool))
    assert not any(isinstance(item, ToolResult) for item in model.requests[0].items)


async def test_a_worker_that_takes_over_does_not_look_up_again_what_was_found(pool: Pool, conn: Connection) -> None:
    await import_files(pool, [SAMPLE_COMPANY])
    await submit(conn, QUESTION)

    def die(_: ModelRequest) -> list[Item]:
        raise ConnectionResetError

    lane = await claim_one(pool, lease=timedelta(0))
    with pytest.raises(ConnectionResetError):
        await make_runner(pool, ScriptedModel([die]), limits=EARLY).run(lane)
    heir = ScriptedModel([cite_first("On Pro you can export up to 20 projects at once.")])
    await make_runner(pool, heir, limits=EARLY).run(await claim_one(pool))
    assert await list_steps(conn) == [("policy", None), ("scripted", None)]


async def test_a_transcript_that_is_too_long_is_sent_again_in_less_room(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Why is the board so slow? " + "It takes minutes to open. " * 2000)
    model = ScriptedModel([fail("context_too_long"), reply_with(THANKS)])
    await make_runner(pool, model).run(await claim_one(pool))
    assert await list_replies(conn, reference) == [THANKS]
    lengths = [len(str(request.items)) for request in model.requests]
    assert lengths[1] < lengths[0] / 2
    assert "Why is the board so slow?" in str(model.requests[1].items)


async def receive_mail(conn: Connection) -> None:
    await write_on_a_channel_without_tickets(conn, "Hello there", channel="gmail")


async def run_mail(pool: Pool, conn: Connection, *models: Any) -> None:
    await make_runner(pool, *models).run(await claim_now(conn, "gmail:"))


async def test_a_mail_waits_for_a_busy_model_and_then_gets_its_answer(pool: Pool, conn: Connection) -> None:
    await receive_mail(conn)
    model = ScriptedModel([fail("rate_limited", 40), reply_with(THANKS)])
    with pytest.raises(RetryLater) as caught:
        await run_mail(pool, conn, model, OfflineModel())
    assert caught.value.delay == timedelta(seconds=40)
    assert await list_steps(conn) == []
    await run_mail(pool, conn, model, OfflineModel())
    assert await conn.fetchval("select body like '%' || $1 from messages where direction = 'outbound'", THANKS)
    assert not await conn.fetchval("select degraded from messages where direction = 'outbound'")


async def test_a_mail_does_not_wait_for_ever(pool: Pool, conn: Connection) -> None:
    await receive_mail(conn)
    await conn.execute("update message_queue set created_at = now() - interval '11 minutes'")
    second = ScriptedModel([reply_with(THANKS)], name="second")
    await run_mail(pool, conn, ScriptedModel([fail("rate_limited", 40)]), second)
    assert await conn.fetchval("select body like '%' || $1 from messages where direction = 'outbound'", THANKS)


async def test_whoever_has_a_chat_open_does_not_wait_for_a_busy_model(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Hello there")
    second = ScriptedModel([reply_with(THANKS)], name="second")
    runner = make_runner(pool, ScriptedModel([fail("rate_limited", 40)]), second)
    await runner.run(await claim_one(pool))
    assert await list_replies(conn, reference) == [THANKS]


async def test_the_instructions_and_tools_are_the_same_in_every_turn_of_every_customer(
    pool: Pool, conn: Connection
) -> None:
    model = ScriptedModel([reply_with(THANKS)] * 3)
    runner = make_runner(pool, model)
    reference = await submit(conn, "Hello there")
    await runner.run(await claim_one(pool))
    await write_again(conn, reference, "Where do I change my password?")
    await runner.run(await claim_one(pool))
    await submit(conn, "Guten Tag, wie geht das?", email="ben@example.com", plan="free")
    await runner.run(await claim_one(pool))
    assert len({request.instructions + str(request.tools) for request in model.requests}) == 1


async def test_on_the_last_step_the_model_is_told_so_and_the_tools_stay_what_a_provider_has_read(
    pool: Pool, conn: Connection
) -> None:
    await submit(conn, "Something about my boards")
    model = ScriptedModel([call("search_knowledge_base", query=f"words {n}", category=None) for n in range(3)])
    await make_runner(pool, model, limits=Limits(steps=3)).run(await claim_one(pool))
    assert [request.is_last for request in model.requests] == [False, False, True]
    assert len({str(request.tools) for request in model.requests}) == 1
    assert "last step" in str(model.requests[-1].items[-1])
