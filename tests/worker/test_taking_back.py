"""Promises about the ten seconds in which an answer may be taken back, and about what is left when it is."""

from datetime import timedelta
from uuid import UUID, uuid4

from agent.models.scripted import ScriptedModel
from db import drafts, handover, queue
from db.pool import Connection, Pool
from tests.fakes import claim_now, claim_one, hand_over, make_runner, reply_with, submit, write_again
from tests.worker.test_drafts import ANA, HOLD, THANKS, approve, find_talk, let_draft, list_waiting, write_draft
from worker.deliver import Deliver
from worker.loop import Worker, WorkerSettings


async def draft_correction(conn: Connection) -> tuple[UUID, UUID]:
    """A correction that waits for approval: the conversation and the draft."""
    talk = await conn.fetchval("select id from conversations")
    draft = await conn.fetchval(
        "insert into drafts (conversation_id, channel, category, source, body) "
        "values ($1, 'web', 'general', 'correction', 'It is 30 days.') returning id",
        talk,
    )
    return talk, draft


async def test_whoever_only_said_thanks_does_not_wait_when_a_correction_is_taken_back(
    pool: Pool, conn: Connection
) -> None:
    reference = await submit(conn, "Hello there")
    await make_runner(pool, ScriptedModel([reply_with(THANKS)])).run(await claim_one(pool))
    await write_again(conn, reference, "Thanks!")
    await make_runner(pool, ScriptedModel([])).run(await claim_one(pool))
    talk, correction = await draft_correction(conn)
    token = uuid4()
    await drafts.approve_draft(
        conn, talk, correction, "It is 30 days.", distance=0, idempotency=token, who=ANA, hold=HOLD
    )
    assert await handover.take_back(conn, reference, token, ANA) == "accepted"
    assert await list_waiting(conn) == []
    row = await conn.fetchrow("select c.handler, c.status, t.status from conversations c join tickets t on true")
    assert row
    assert tuple(row) == ("agent", "resolved", "resolved")


async def test_an_approval_taken_back_after_another_draft_came_counts_for_nothing(pool: Pool, conn: Connection) -> None:
    await let_draft(conn)
    reference, draft = await write_draft(pool, conn)
    token = await approve(conn, draft, hold=HOLD)
    await write_again(conn, reference, "Are you there?")
    await make_runner(pool, ScriptedModel([reply_with("Yes, we are.")])).run(await claim_one(pool))
    assert await handover.take_back(conn, reference, token, ANA) == "accepted"
    assert [one.body for one in await drafts.list_pending(conn, await find_talk(conn, draft))] == ["Yes, we are."]
    row = await conn.fetchrow("select state, distance, sent_reply from drafts where id = $1", draft.id)
    assert row
    assert tuple(row) == ("superseded", None, None)
    assert [one.decided for one in await drafts.list_evidence(conn)] in ([], [0])


async def test_what_may_still_be_taken_back_is_not_sent_by_whoever_inherits_the_lane(
    pool: Pool, conn: Connection
) -> None:
    reference = await submit(conn, "I want a person")
    await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_one(pool))
    await handover.add_person_message(conn, reference, "First.", idempotency=uuid4(), who=ANA, hold=HOLD)
    await claim_now(conn, "out:")
    token = uuid4()
    await handover.add_person_message(conn, reference, "Second.", idempotency=token, who=ANA, hold=HOLD)
    await conn.execute("update lanes set lease_until = now() - interval '1 second' where lane like 'out:%'")
    heir = Worker(pool, {"deliver": Deliver(pool, {}, "TF")}, WorkerSettings(name="heir"))
    [lane] = await queue.claim_lanes(conn, worker="heir", lanes=1, messages=9, lease=timedelta(minutes=1))
    await heir.run_lane(lane)
    said = await conn.fetch("select body, delivery from messages where author = 'person' order by sent_at")
    assert [tuple(row) for row in said] == [("First.", "sent"), ("Second.", "pending")]
    row = await conn.fetchrow(
        "select pending, lease_until is null as is_free, run_at > now(), attempts from lanes where lane like 'out:%'"
    )
    assert row
    assert tuple(row) == (1, True, True, 0)
    assert await handover.take_back(conn, reference, token, ANA) == "accepted"


async def test_what_nobody_took_back_in_time_is_sent(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "I want a person")
    await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_one(pool))
    await handover.add_person_message(conn, reference, "Here.", idempotency=uuid4(), who=ANA, hold=HOLD)
    await Deliver(pool, {}, "TF").run(await claim_now(conn, "out:"))
    assert await conn.fetchval("select delivery from messages where author = 'person'") == "sent"
