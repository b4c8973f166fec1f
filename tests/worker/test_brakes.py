"""Promises about limits that are rows: two machines that answer each other are stopped, and money has an end."""

import asyncio
from uuid import uuid4

from agent.models.scripted import ScriptedModel
from db.pool import Connection, Pool
from db.queue import ClaimedLane
from tests.fakes import claim_one, list_replies, make_runner, reply_with, submit, write_again


async def limit_replies(conn: Connection, *, thread: int = 30, domain: int | None = None) -> None:
    await conn.execute("update channel_configs set replies_per_thread = $1, replies_per_domain = $2", thread, domain)


async def test_a_conversation_with_too_many_replies_goes_to_a_person_who_knows_why(
    pool: Pool, conn: Connection
) -> None:
    await limit_replies(conn, thread=2)
    reference = await submit(conn, "Your message was received.")
    for _ in range(4):
        await make_runner(pool, ScriptedModel([reply_with("We have received yours.")])).run(await claim_one(pool))
        await write_again(conn, reference, "Your message was received.")
    replies = await list_replies(conn, reference)
    assert replies[:2] == ["We have received yours."] * 2
    assert len(replies) == 3  # and one last word: a person takes over
    row = await conn.fetchrow("select t.status, t.handoff_note, c.handler from tickets t, conversations c")
    assert row is not None
    assert (row["status"], row["handler"]) == ("escalated", "human")
    assert "a machine is writing" in row["handoff_note"]
    assert await conn.fetchval("select array_agg(error order by started_at) from turns where error is not null") == [
        "limit: replies"
    ]


async def test_what_a_braked_turn_was_told_and_paid_is_in_the_ledger_once(pool: Pool, conn: Connection) -> None:
    await limit_replies(conn, thread=1)
    reference = await submit(conn, "Hello there")
    for _ in range(2):
        await make_runner(pool, ScriptedModel([reply_with("Hello.")])).run(await claim_one(pool))
        await write_again(conn, reference, "Hello there")
    rows = await conn.fetch(
        "select step, s.error from turn_steps s join turns t on t.id = turn_id and outcome = 'escalated' order by step"
    )
    assert [tuple(row) for row in rows] == [(1, None), (2, "limit: replies")]


async def test_addresses_of_one_domain_share_a_limit_and_cannot_both_win_the_last_reply(
    pool: Pool, conn: Connection
) -> None:
    await limit_replies(conn, domain=1)
    lanes: list[ClaimedLane] = []
    for _ in range(4):
        await submit(conn, "Your message was received.", email=f"{uuid4().hex[:8]}@robots.example")
        lanes.append(await claim_one(pool))

    async def answer(lane: ClaimedLane) -> None:
        await make_runner(pool, ScriptedModel([reply_with("Received.")])).run(lane)

    await asyncio.gather(*(answer(lane) for lane in lanes))
    kinds = await conn.fetch("select kind, count(*) from messages where direction = 'outbound' group by 1")
    assert dict(map(tuple, kinds)) == {"acknowledgement": 1, "handoff": 3}


async def test_the_brake_leaves_other_conversations_alone(pool: Pool, conn: Connection) -> None:
    await limit_replies(conn, thread=1)
    references = [await submit(conn, "Hello there") for _ in range(3)]
    for _ in references:
        await make_runner(pool, ScriptedModel([reply_with("Hello.")])).run(await claim_one(pool))
    assert [await list_replies(conn, reference) for reference in references] == [["Hello."]] * 3


async def test_one_customer_gets_only_so_many_replies_a_day_over_all_their_conversations(
    pool: Pool, conn: Connection
) -> None:
    await conn.execute("update channel_configs set replies_per_address = 2")
    references = []
    for _ in range(3):
        references.append(await submit(conn, "Your message was received."))
        await make_runner(pool, ScriptedModel([reply_with("Received.")])).run(await claim_one(pool))
    told = [await list_replies(conn, reference) for reference in references]
    assert told[:2] == [["Received."]] * 2
    assert told[2] != ["Received."]
    assert await conn.fetchval("select handler from conversations order by created_at desc limit 1") == "human"
