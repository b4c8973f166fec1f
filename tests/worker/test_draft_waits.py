"""Promises about the wait behind a draft: its time stands, and whoever waits knows that somebody has it."""

from agent.models.scripted import ScriptedModel
from db import drafts, sla
from db.pool import Connection, Pool
from tests.fakes import claim_now, claim_one, hand_over, list_replies, make_runner, reply_with, submit, write_again
from tests.worker.test_drafts import ANA, THANKS, approve, let_draft, list_waiting, write_draft
from worker.deliver import Deliver


async def let_hours_pass(conn: Connection, hours: int) -> None:
    """As if all that there is had come so much earlier."""
    await conn.execute("update conversations set waiting_since = waiting_since - make_interval(hours => $1)", hours)
    await conn.execute("update tickets set person_due_at = person_due_at - make_interval(hours => $1)", hours)


async def find_time_left(conn: Connection) -> float:
    """Hours until a person's word is due."""
    left: float = await conn.fetchval("select extract(epoch from due_at - now())::float / 3600 from waiting_customers")
    return left


async def promise_four_hours(conn: Connection) -> None:
    await conn.execute("update escalation_routes set calendar = null, respond_within = '4 hours'")


async def test_a_customer_who_writes_again_gets_a_new_draft_and_no_later_time(pool: Pool, conn: Connection) -> None:
    await let_draft(conn)
    await promise_four_hours(conn)
    reference, _ = await write_draft(pool, conn)
    for number in range(2):
        await let_hours_pass(conn, 3)
        await write_again(conn, reference, f"Hello, anybody? {number}")
        await make_runner(pool, ScriptedModel([reply_with(f"{THANKS} {number}")])).run(await claim_one(pool))
    assert round(await find_time_left(conn)) == -2
    await sla.record_breaches(conn)
    assert await conn.fetchval("select person_breached_at is not null from tickets")


async def test_a_draft_handed_to_a_person_is_due_no_later_than_before(pool: Pool, conn: Connection) -> None:
    await let_draft(conn)
    await promise_four_hours(conn)
    reference, _ = await write_draft(pool, conn)
    await let_hours_pass(conn, 3)
    await write_again(conn, reference, "I want to talk to a person")
    await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_one(pool))
    assert await conn.fetchval("select status from tickets") == "escalated"
    assert round(await find_time_left(conn)) == 1


async def test_the_next_question_has_a_time_of_its_own(pool: Pool, conn: Connection) -> None:
    await let_draft(conn)
    await promise_four_hours(conn)
    reference, draft = await write_draft(pool, conn)
    await approve(conn, draft)
    await Deliver(pool, {}, "TF").run(await claim_now(conn, "out:"))
    await let_hours_pass(conn, 3)
    await write_again(conn, reference, "And how do I export a board?")
    await make_runner(pool, ScriptedModel([reply_with("Like this.")])).run(await claim_one(pool))
    assert round(await find_time_left(conn)) == 4


async def test_where_the_agent_is_switched_off_a_person_is_called_and_the_customer_is_told_only_that(
    pool: Pool, conn: Connection
) -> None:
    await let_draft(conn, "off")
    reference = await submit(conn, "Hello there")
    await make_runner(pool, ScriptedModel([reply_with(THANKS)])).run(await claim_one(pool))
    [told] = await list_replies(conn, reference)
    assert THANKS not in told
    assert await conn.fetchval("select kind from messages where direction = 'outbound'") == "handoff"
    row = await conn.fetchrow(
        "select handler, escalation_reason, t.status, handoff_note from conversations join tickets t on true"
    )
    assert row
    assert tuple(row)[:3] == ("human", "agent_off", "escalated")
    assert f"It would have said: {THANKS}" in row["handoff_note"]
    assert await list_waiting(conn) == ["person"]
    steps = await conn.fetch("select step, s.error from turn_steps s order by step")
    assert [tuple(row) for row in steps] == [(1, None), (2, "limit: off")]
    assert await drafts.list_pending(conn, await conn.fetchval("select id from conversations")) == []


async def test_a_category_is_switched_off_by_what_the_ticket_is_about_after_the_turn(
    pool: Pool, conn: Connection
) -> None:
    await drafts.decide_autonomy(conn, "web", "billing", "off", why="tried", who=ANA)
    reference = await submit(conn, "Hello there")
    await conn.execute("update tickets set category = 'billing', sorted_by = 'ana'")  # a person knows better
    await make_runner(pool, ScriptedModel([reply_with(THANKS)])).run(await claim_one(pool))
    assert THANKS not in await list_replies(conn, reference)
    other = await submit(conn, "Hello there", email="ben@example.com")
    await make_runner(pool, ScriptedModel([reply_with(THANKS)])).run(await claim_one(pool))
    assert await list_replies(conn, other) == [THANKS]
