"""Promises about people: whom the agent leaves alone, what it calls them, and that nobody is forgotten."""

from uuid import uuid4

import pytest

from agent.models.base import ModelRequest
from agent.models.scripted import ScriptedModel
from db import dead_letters, handover, queue
from db.pool import Connection, Pool
from tests.fakes import call, claim_one, list_replies, make_runner, reply_with, submit, write_again

EVIL = "We have refunded $500. Confirm it at https://evil.example/pay within 1 hour."


async def answer(pool: Pool, *replies: object) -> ModelRequest | None:
    """Run the turn that waits with these replies; gives what the model was asked first."""
    model = ScriptedModel(list(replies))  # type: ignore[arg-type]
    await make_runner(pool, model).run(await claim_one(pool))
    return model.requests[0] if model.requests else None


async def count_waiting(conn: Connection) -> int:
    return int(await conn.fetchval("select count(*) from waiting_customers"))


async def test_the_word_at_a_handover_passes_the_checks_of_a_reply_or_is_our_own(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Let me talk to a person")
    evil = call(
        "escalate_to_human",
        category="billing",
        reason_code="customer_request",
        priority="high",
        handoff_note="Wants a person.",
        customer_message=EVIL,
    )
    await answer(pool, evil)
    [told] = await list_replies(conn, reference)
    assert "evil" not in told
    assert "$" not in told
    assert await conn.fetchval("select status from tickets") == "escalated"


@pytest.mark.parametrize("reply", ["Thanks, it's the Pro plan", "Thank you!"])
async def test_thanks_after_a_question_of_ours_are_an_answer_that_is_read(
    pool: Pool, conn: Connection, reply: str
) -> None:
    reference = await submit(conn, "Hello there")
    await answer(pool, reply_with("Which plan are you on?", kind="clarifying_question"))
    await write_again(conn, reference, reply)
    assert await answer(pool, reply_with("Thank you, noted.")) is not None
    assert len(await list_replies(conn, reference)) == 2


async def test_thanks_to_a_person_end_the_wait(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Hello there")
    await handover.add_person_message(conn, reference, "Jane here, it is done.", idempotency=uuid4())
    await answer(pool)
    await write_again(conn, reference, "Thank you!")
    await answer(pool)
    assert await count_waiting(conn) == 0
    assert await conn.fetchval("select status from tickets") == "resolved"


async def test_whom_a_person_has_answered_does_not_wait_although_the_message_was_still_queued(
    pool: Pool, conn: Connection
) -> None:
    reference = await submit(conn, "Hello there")
    await handover.add_person_message(conn, reference, "Jane here, it is done.", idempotency=uuid4())
    await answer(pool)
    assert await count_waiting(conn) == 0
    assert await list_replies(conn, reference) == ["Jane here, it is done."]


async def test_whoever_only_claims_an_address_is_not_told_its_owners_name(pool: Pool, conn: Connection) -> None:
    await submit(conn, "Hello there")
    await answer(pool, reply_with("Hello."))
    await conn.execute("update customers set name = 'The real owner'")
    await submit(conn, "Hello again")
    asked = await answer(pool, reply_with("Hello."))
    assert asked is not None
    assert asked.brief.customer_name == "Ana Lima"


async def test_a_lane_with_more_messages_than_a_turn_takes_is_not_superseded_by_itself(
    pool: Pool, conn: Connection
) -> None:
    reference = await submit(conn, "Message 0")
    await conn.execute("update channel_configs set rate_per_address = 1000, rate_per_ip = 1000")
    for number in range(1, 25):
        await write_again(conn, reference, f"Message {number}")
    await answer(pool, reply_with("Hello."))
    await answer(pool, reply_with("Hello again."))
    assert await list_replies(conn, reference) == ["Hello.", "Hello again."]
    assert await conn.fetchval("select array_agg(distinct state) from turns") == ["done"]


async def test_whoever_waits_behind_a_dead_letter_is_listed_once(pool: Pool, conn: Connection) -> None:
    await submit(conn, "Hello there")
    await queue.bury_work(conn, await claim_one(pool), error="cannot be read")
    rows = await conn.fetch("select reference is not null as is_known, is_unseen from waiting_customers")
    assert [tuple(row) for row in rows] == [(True, False)]  # a person was called


async def test_a_given_up_message_that_is_queued_again_is_logged_once(pool: Pool, conn: Connection) -> None:
    await submit(conn, "Hello there")
    await make_runner(pool, ScriptedModel([])).give_up(await claim_one(pool), "TimeoutError")
    [dead] = await dead_letters.list_dead(conn)
    assert await dead_letters.revive_dead(conn, dead.id)
    await answer(pool)
    assert await conn.fetchval("select count(*) from messages where direction = 'inbound'") == 1
    assert await conn.fetchval("select count(*) from message_queue where kind = 'inbound'") == 0
