"""Promises about the past: a matter that is over is not read again, and every turn names the policy it was under."""

from datetime import timedelta
from uuid import uuid4

import pytest

from agent.models.base import ModelFailure, ModelReply, ModelRequest, Text
from agent.models.scripted import ScriptedModel
from agent.prompt import PROMPT_VERSION
from db import handover
from db.pool import Connection, Pool
from tests.fakes import claim_now, claim_one, hand_over, make_runner, reply_with, submit, write_again
from tests.worker.long_talk import hold_long_talk, summarise

COMPLAINT = "This is the third time that your import ate my list of volunteers. Let me talk to a person!"
REMEDY = "Jane here: your list is back, all 212 names."
ANSWER = "Thank you for writing."


async def read_shown(pool: Pool, conn: Connection, reference: str, text: str) -> str:
    """What the model is shown of a conversation in which the customer writes again."""
    await write_again(conn, reference, text)
    model = ScriptedModel([reply_with(ANSWER)])
    await make_runner(pool, model).run(await claim_now(conn, "web:"))
    return show(model.requests[0])


def show(request: ModelRequest) -> str:
    [item] = request.items[:1]
    assert isinstance(item, Text)
    return item.text


async def complain(pool: Pool, conn: Connection) -> str:
    reference = await submit(conn, COMPLAINT)
    await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_one(pool))
    assert await conn.fetchval("select handler from conversations") == "human"
    return reference


async def let_pass(conn: Connection, time: timedelta) -> None:
    """As if everything had happened so much earlier."""
    await conn.execute("update messages set sent_at = sent_at - $1::interval", time)
    await conn.execute(
        """
        update conversations set context_from = context_from - $1::interval, settled_at = settled_at - $1::interval,
               waiting_since = null
        """,
        time,
    )


async def settle_by_person(pool: Pool, conn: Connection) -> str:
    reference = await complain(pool, conn)
    await handover.add_person_message(conn, reference, REMEDY, idempotency=uuid4())
    assert await handover.hand_back(conn, reference) == "accepted"
    return reference


async def test_after_a_person_handed_back_the_agent_reads_their_answer_and_not_the_complaint(
    pool: Pool, conn: Connection
) -> None:
    reference = await settle_by_person(pool, conn)
    shown = await read_shown(pool, conn, reference, "One name is missing")
    assert REMEDY in shown
    assert COMPLAINT not in shown
    assert "escalated" not in shown


async def test_a_customer_who_comes_back_a_week_after_a_resolved_matter_is_not_met_with_the_old_escalation(
    pool: Pool, conn: Connection
) -> None:
    reference = await hold_long_talk(pool, conn)
    await write_again(conn, reference, COMPLAINT)
    await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_now(conn, "web:"))
    assert "volunteers" in await conn.fetchval("select string_agg(body, '') from messages")
    assert await summarise(pool, conn) != ""
    await handover.add_person_message(conn, reference, REMEDY, idempotency=uuid4())
    assert await handover.hand_back(conn, reference) == "accepted"
    await let_pass(conn, timedelta(days=7))
    shown = await read_shown(pool, conn, reference, "How do I invite somebody?")
    assert "volunteers" not in shown
    assert "<summary>" not in shown
    assert "invoice" not in shown
    assert await conn.fetchval("select escalated from agent_metrics order by finished_at desc limit 1") is False


@pytest.mark.parametrize(("days", "is_read"), [(0, True), (7, False)])
async def test_what_the_agent_resolved_itself_is_read_for_another_day_and_then_no_more_than_its_last_word(
    pool: Pool, conn: Connection, days: int, is_read: bool
) -> None:
    reference = await submit(conn, "My list of volunteers is gone")
    await make_runner(pool, ScriptedModel([reply_with("Is it in the bin?", kind="clarifying_question")])).run(
        await claim_one(pool)
    )
    await write_again(conn, reference, "It was, I have it back")
    await make_runner(pool, ScriptedModel([reply_with("We are glad to hear that.")])).run(await claim_now(conn, "web:"))
    await write_again(conn, reference, "Thank you!")
    await make_runner(pool, ScriptedModel([])).run(await claim_now(conn, "web:"))
    assert await conn.fetchval("select status from conversations") == "resolved"
    await let_pass(conn, timedelta(days=days))
    shown = await read_shown(pool, conn, reference, "It is gone again")
    assert ("volunteers" in shown) is is_read
    assert "We are glad to hear that." in shown
    assert "It is gone again" in await read_shown(pool, conn, reference, "Are you there?")


async def test_a_matter_that_is_open_is_read_however_long_it_rested(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "My list of volunteers is gone")
    await make_runner(pool, ScriptedModel([reply_with("Is it in the bin?", kind="clarifying_question")])).run(
        await claim_one(pool)
    )
    await let_pass(conn, timedelta(days=60))
    assert "volunteers" in await read_shown(pool, conn, reference, "It is not")


async def test_what_was_settled_by_telephone_leaves_nothing_behind(pool: Pool, conn: Connection) -> None:
    reference = await complain(pool, conn)
    assert await handover.settle_elsewhere(conn, reference) == "accepted"
    shown = await read_shown(pool, conn, reference, "How do I invite somebody?")
    assert "volunteers" not in shown
    assert "A colleague takes over" not in shown


async def test_who_took_over_and_said_nothing_has_settled_nothing(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "My list of volunteers is gone")
    await make_runner(pool, ScriptedModel([reply_with(ANSWER)])).run(await claim_one(pool))
    await handover.take_over(conn, reference)
    assert await handover.hand_back(conn, reference) == "accepted"
    assert "volunteers" in await read_shown(pool, conn, reference, "And now?")


async def test_every_turn_names_its_prompt_version_however_it_ended(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Hello there")
    await make_runner(pool, ScriptedModel([reply_with(ANSWER)])).run(await claim_one(pool))
    await write_again(conn, reference, "Thank you!")
    await make_runner(pool, ScriptedModel([])).run(await claim_now(conn, "web:"))  # closed
    await write_again(conn, reference, "Let me talk to a person")
    lane = await claim_now(conn, "web:")
    await handover.take_over(conn, reference)
    await make_runner(pool, ScriptedModel([])).run(lane)  # silent
    broken = await submit(conn, "Hello there", email="bo@example.com")
    await make_runner(pool, ScriptedModel([ModelFailure("refused", "")])).run(await claim_now(conn, f"web:{broken}"))
    dead = await submit(conn, "Hello there", email="cy@example.com")
    await make_runner(pool, ScriptedModel([])).give_up(await claim_now(conn, f"web:{dead}"), "TimeoutError")
    late = await submit(conn, "Hello there", email="di@example.com")

    class TakenOver:
        name = "scripted"

        async def reply(self, _: ModelRequest) -> ModelReply:
            await handover.take_over(conn, late)
            return ModelReply("scripted", tuple(reply_with(ANSWER)))

    await make_runner(pool, TakenOver()).run(await claim_now(conn, f"web:{late}"))
    ended = await conn.fetch("select state, outcome, model, prompt_version from turns order by started_at")
    assert [(row["state"], row["outcome"], row["model"]) for row in ended] == [
        ("done", "acknowledged", "scripted"),
        ("done", "closed", None),
        ("done", "silent", None),
        ("done", "escalated", "policy"),
        ("done", "escalated", "policy"),
        ("silenced", None, None),
    ]
    assert {row["prompt_version"] for row in ended} == {PROMPT_VERSION}
