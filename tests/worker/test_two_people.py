"""Promises about people who answer: two at once send one message, and what was sent too soon can be taken back."""

import asyncio
import random
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from agent.models.scripted import ScriptedModel
from db import handover, tickets
from db.people import Actor
from db.pool import Connection, Pool, acquire
from tests.fakes import claim_now, claim_one, hand_over, make_runner, reply_with, submit, write_again
from worker.deliver import Deliver

ANA = Actor("person", UUID(int=1), "ana@team.example", "agent")
BEN = Actor("person", UUID(int=2), "ben@team.example", "agent")
HOLD = timedelta(seconds=10)


async def escalate(pool: Pool, conn: Connection) -> str:
    """A customer whom the agent handed to a person; the reference."""
    reference = await submit(conn, "I want to talk to a person")
    await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_one(pool))
    return reference


async def count_messages(conn: Connection) -> int:
    count: int = await conn.fetchval("select count(*) from messages")
    return count


async def answer(
    pool: Pool, reference: str, text: str, who: Actor, seen: int | None, *, hold: timedelta = timedelta(0)
) -> str:
    async with acquire(pool) as conn:
        return await handover.add_person_message(
            conn, reference, text, idempotency=uuid4(), who=who, seen=seen, hold=hold
        )


async def list_answers(conn: Connection) -> list[tuple[str, str]]:
    rows = await conn.fetch(
        "select sent_by, body from messages where author = 'person' and delivery <> 'cancelled' order by sent_at"
    )
    return [(row["sent_by"], row["body"]) for row in rows]


@pytest.mark.parametrize("start", range(0, 100, 20))
async def test_of_two_people_who_answer_at_once_one_is_sent_and_the_other_is_told(
    pool: Pool, conn: Connection, start: int
) -> None:
    for seed in range(start, start + 20):
        chance = random.Random(seed)
        reference = await submit(conn, "A person, please", email=f"ana{seed}@example.com")
        await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_one(pool))
        about = "from messages m join tickets t using (conversation_id) where t.reference = $1"
        seen = await conn.fetchval(f"select count(*) {about}", reference)

        async def act(who: Actor, pause: float, takes: bool, reference: str = reference, seen: int = seen) -> str:
            await asyncio.sleep(pause)
            if takes:
                async with acquire(pool) as own:
                    await handover.take_over(own, reference, who)
            return await answer(pool, reference, f"by {who.name}", who, seen, hold=HOLD)

        outcomes = await asyncio.gather(
            *(act(who, chance.choice((0, 0, 0.001, 0.003)), chance.random() < 0.5) for who in (ANA, BEN))
        )
        assert sorted(outcomes) == ["accepted", "conflict"]
        said = await conn.fetchval(f"select count(*) {about} and m.author = 'person'", reference)
        assert said == 1


async def test_whoever_answers_what_the_customer_has_added_to_meanwhile_is_told_first(
    pool: Pool, conn: Connection
) -> None:
    reference = await escalate(pool, conn)
    seen = await count_messages(conn)
    await write_again(conn, reference, "And one more thing")
    await make_runner(pool, ScriptedModel([])).run(await claim_one(pool))
    assert await answer(pool, reference, "Done.", ANA, seen) == "conflict"
    assert await list_answers(conn) == []
    assert await answer(pool, reference, "Done.", ANA, await count_messages(conn)) == "accepted"


async def test_the_same_answer_sent_twice_is_one_message_however_much_was_said_since(
    pool: Pool, conn: Connection
) -> None:
    reference = await escalate(pool, conn)
    token, seen = uuid4(), await count_messages(conn)
    for outcome in ("accepted", "repeated"):
        assert outcome == await handover.add_person_message(
            conn, reference, "Done.", idempotency=token, who=ANA, seen=seen
        )
    assert await list_answers(conn) == [("ana@team.example", "Done.")]


async def test_an_answer_that_was_taken_back_is_never_sent_and_the_customer_still_waits(
    pool: Pool, conn: Connection
) -> None:
    reference = await escalate(pool, conn)
    waiting_since = await conn.fetchval("select waiting_since from conversations")
    await answer(pool, reference, "Wrong words.", ANA, None, hold=HOLD)
    [reply] = [row["reply_id"] for row in await conn.fetch("select reply_id from messages where author = 'person'")]
    assert await handover.take_back(conn, reference, reply, ANA) == "accepted"
    assert await handover.load_taken_back(conn, await find_talk(conn), reply) == "Wrong words."
    await Deliver(pool, {}, "TF").run(await claim_now(conn, "out:"))
    assert [one.text for one in await tickets.list_ticket_messages(conn, reference) if one.author == "person"] == []
    row = await conn.fetchrow("select status, handler, waiting_since from conversations")
    assert row
    assert tuple(row) == ("open", "human", waiting_since)
    assert await conn.fetchval("select waits_for from waiting_customers") == "person"


async def find_talk(conn: Connection) -> UUID:
    talk: UUID = await conn.fetchval("select id from conversations")
    return talk


async def test_what_can_be_taken_back_is_not_shown_to_the_customer_before_its_time_is_over(
    pool: Pool, conn: Connection
) -> None:
    reference = await escalate(pool, conn)
    await answer(pool, reference, "Here you are.", ANA, None, hold=HOLD)
    held = await conn.fetchval(
        """
        select l.run_at >= m.held_until and m.held_until >= m.sent_at + $1::interval
          from lanes l, messages m where l.lane like 'out:%' and m.author = 'person'
        """,
        HOLD,
    )
    shown = [one.author for one in await tickets.list_ticket_messages(conn, reference)]
    assert (held, "person" in shown) == (True, False)
    assert await conn.fetchval("select waits_for from waiting_customers") == "delivery"
    await Deliver(pool, {}, "TF").run(await claim_now(conn, "out:"))
    assert [one.text for one in await tickets.list_ticket_messages(conn, reference)][-1] == "Here you are."
    assert await conn.fetchval("select count(*) from waiting_customers") == 0
    assert await conn.fetchval("select first_response_met_at is not null from tickets")
    assert await conn.fetchval("select count(*) from message_queue") == 0


async def test_what_has_been_sent_cannot_be_taken_back(pool: Pool, conn: Connection) -> None:
    reference = await escalate(pool, conn)
    await answer(pool, reference, "Here you are.", ANA, None, hold=HOLD)
    reply = await conn.fetchval("select reply_id from messages where author = 'person'")
    await Deliver(pool, {}, "TF").run(await claim_now(conn, "out:"))
    assert await handover.take_back(conn, reference, reply, ANA) == "late"
    assert await handover.take_back(conn, reference, uuid4(), ANA) == "missing"
    assert await list_answers(conn) == [("ana@team.example", "Here you are.")]


async def test_a_conversation_put_aside_comes_back_when_the_customer_writes(pool: Pool, conn: Connection) -> None:
    reference = await escalate(pool, conn)
    tomorrow = await conn.fetchval("select now() + interval '1 day'")
    assert await handover.snooze(conn, reference, tomorrow, ANA) == "accepted"
    assert await conn.fetchval("select snoozed_until from inbox") == tomorrow
    await write_again(conn, reference, "Is anybody there?")
    await make_runner(pool, ScriptedModel([])).run(await claim_one(pool))
    assert await conn.fetchval("select snoozed_until from inbox") is None
    assert await conn.fetchval("select words from inbox") == "Is anybody there?"


async def test_nothing_is_put_aside_where_nobody_waits(pool: Pool, conn: Connection) -> None:
    reference = await escalate(pool, conn)
    await answer(pool, reference, "Done.", ANA, None)
    assert await handover.snooze(conn, reference, await conn.fetchval("select now()"), ANA) == "idle"


async def test_whoever_takes_a_conversation_has_its_ticket_and_the_next_may_take_it_from_them(
    pool: Pool, conn: Connection
) -> None:
    reference = await escalate(pool, conn)
    for who, outcome in ((ANA, "accepted"), (ANA, "repeated"), (BEN, "accepted")):
        assert await handover.take_over(conn, reference, who) == outcome
        assert await conn.fetchval("select assignee from tickets") == who.name
    assert [row["actor_name"] for row in await conn.fetch("select actor_name from audit order by id")] == [
        ANA.name,
        BEN.name,
    ]


async def test_an_answer_taken_back_after_its_conversation_was_resolved_is_owed_again(
    pool: Pool, conn: Connection
) -> None:
    reference = await escalate(pool, conn)
    await answer(pool, reference, "Wrong words.", ANA, None, hold=HOLD)
    reply = await conn.fetchval("select reply_id from messages where author = 'person'")
    await handover.settle_elsewhere(conn, reference, ANA)
    assert await handover.take_back(conn, reference, reply, ANA) == "accepted"
    row = await conn.fetchrow("select waits_for, is_unseen, due_at is not null as has_time from waiting_customers")
    assert row
    assert tuple(row) == ("person", False, True)


async def test_what_a_person_sorted_stays_sorted_when_the_customer_writes_again(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "How do I export a board?")
    await make_runner(pool, ScriptedModel([reply_with("Thank you for writing.")])).run(await claim_one(pool))
    await handover.sort_ticket(conn, reference, category="legal", priority=9, tags=["vip"], who=ANA)
    await write_again(conn, reference, "How do I export a board?")
    await make_runner(pool, ScriptedModel([reply_with("Thank you for writing.")])).run(await claim_one(pool))
    row = await conn.fetchrow("select category, priority from tickets")
    assert row
    assert tuple(row) == ("legal", 9)


async def test_what_was_put_aside_is_back_when_the_answer_could_not_be_delivered(pool: Pool, conn: Connection) -> None:
    reference = await escalate(pool, conn)
    await handover.snooze(conn, reference, await conn.fetchval("select now() + interval '1 day'"), ANA)
    await conn.execute("select call_person(id, 'delivery_failed', '', 'TF') from conversations")
    assert await conn.fetchval("select snoozed_until from inbox") is None


async def test_a_turn_that_has_read_an_answer_as_said_begins_anew_once_it_is_taken_back(
    pool: Pool, conn: Connection
) -> None:
    reference = await submit(conn, "Hello there")
    await make_runner(pool, ScriptedModel([reply_with("Thank you for writing.")])).run(await claim_one(pool))
    epoch = await conn.fetchval("select epoch from conversations")
    await answer(pool, reference, "Wrong words.", ANA, None, hold=HOLD)
    reply = await conn.fetchval("select reply_id from messages where author = 'person'")
    held = await conn.fetchval("select epoch from conversations")
    assert await handover.take_back(conn, reference, reply, ANA) == "accepted"
    assert epoch < held < await conn.fetchval("select epoch from conversations")
