"""Promises of the queue, on a real Postgres."""

import asyncio
from datetime import timedelta
from typing import Any

from db import dead_letters, queue
from db.pool import Connection, Pool
from db.queue import ClaimedLane

LEASE = timedelta(minutes=2)


async def add_message(conn: Connection, lane: str, text: str = "hello") -> int | None:
    payload = {"version": 1, "channel": "web", "thread_key": lane, "external_id": f"{lane}/{text}", "body": text}
    return await queue.add_work(conn, f"web:{lane}", "inbound", payload, dedupe_key=f"web:{lane}/{text}")


async def claim(conn: Connection, *, lanes: int = 10, lease: timedelta = LEASE, worker: str = "w") -> list[ClaimedLane]:
    return await queue.claim_lanes(conn, worker=worker, lanes=lanes, messages=20, lease=lease)


def bodies(lane: ClaimedLane) -> list[str]:
    return [job.payload["body"] for job in lane.jobs]


async def pending_agrees(conn: Connection) -> bool:
    counted = await conn.fetchval(
        "select bool_and(pending = (select count(*) from message_queue q where q.lane = l.lane)) from lanes l"
    )
    return bool(counted)


async def test_message_delivered_twice_is_queued_once(conn: Connection) -> None:
    assert await add_message(conn, "a") is not None
    assert await add_message(conn, "a") is None
    [lane] = await claim(conn)
    assert bodies(lane) == ["hello"]
    assert await pending_agrees(conn)


async def test_a_storm_of_one_message_leaves_one_row(pool: Pool) -> None:
    async def add() -> int | None:
        async with pool.acquire() as conn:
            return await add_message(conn, "a")

    added = await asyncio.gather(*(add() for _ in range(40)))
    assert len([row for row in added if row is not None]) == 1
    async with pool.acquire() as conn:
        assert await pending_agrees(conn)


async def test_message_that_was_already_answered_is_not_taken_in_again(conn: Connection) -> None:
    await conn.execute(
        """
        insert into messages (conversation_id, channel, direction, author, external_id, body)
        values (new_id(), 'web', 'inbound', 'customer', 'a/hello', 'hello')
        """
    )
    assert await add_message(conn, "a") is None
    assert await claim(conn) == []


async def test_all_that_waits_in_a_lane_is_claimed_together_in_order(conn: Connection) -> None:
    for text in ("first", "second", "third"):
        await add_message(conn, "a", text)
    [lane] = await claim(conn)
    assert bodies(lane) == ["first", "second", "third"]


async def test_a_claimed_lane_is_nobody_elses(conn: Connection) -> None:
    await add_message(conn, "a")
    assert len(await claim(conn)) == 1
    await add_message(conn, "a", "more")
    assert await claim(conn, worker="other") == []


async def test_lane_of_a_crashed_worker_is_claimed_again(conn: Connection) -> None:
    await add_message(conn, "a")
    [crashed] = await claim(conn, worker="a", lease=timedelta(0))
    [claimed] = await claim(conn, worker="b")
    assert (claimed.lane, claimed.attempts) == (crashed.lane, 2)
    assert claimed.token > crashed.token


async def test_work_of_a_crashed_worker_goes_before_fresh_work(conn: Connection) -> None:
    await add_message(conn, "crashed")
    await claim(conn, lease=timedelta(0))
    await add_message(conn, "fresh")
    await conn.execute("update lanes set priority = 0 where lane = 'web:fresh'")
    [claimed] = await claim(conn, lanes=1)
    assert claimed.lane == "web:crashed"


async def test_replies_go_before_intake_and_intake_before_upkeep(conn: Connection) -> None:
    for name, priority in (("upkeep", 2), ("intake", 1), ("reply", 0)):
        await queue.add_work(conn, name, "sweep", {}, dedupe_key=name, priority=priority)
    order = [(await claim(conn, lanes=1))[0].lane for _ in range(3)]
    assert order == ["reply", "intake", "upkeep"]


async def test_a_worker_that_lost_its_lease_can_finish_nothing(conn: Connection) -> None:
    await add_message(conn, "a")
    [late] = await claim(conn, worker="late", lease=timedelta(0))
    [held] = await claim(conn, worker="holder")
    assert not await queue.finish_work(conn, late)
    assert not await queue.release_lane(conn, late)
    assert not await queue.bury_work(conn, late, error="late")
    assert await queue.extend_leases(conn, worker="late", held=[late], lease=LEASE) == set()
    assert await queue.finish_work(conn, held)
    assert await conn.fetchval("select count(*) from message_queue") == 0


async def test_a_heartbeat_keeps_the_lease(conn: Connection) -> None:
    await add_message(conn, "a")
    [lane] = await claim(conn, lease=timedelta(seconds=1))
    assert await queue.extend_leases(conn, worker="w", held=[lane], lease=LEASE) == {(lane.lane, lane.token)}
    kept = await conn.fetchval("select lease_until > now() + interval '1 minute' from lanes")
    assert kept
    assert await conn.fetchval("select running from workers where name = 'w'") == 1


async def test_finished_rows_are_gone_and_the_lane_is_free_for_the_next(conn: Connection) -> None:
    await add_message(conn, "a", "first")
    [lane] = await claim(conn)
    await add_message(conn, "a", "second")
    assert await queue.finish_work(conn, lane)
    [again] = await claim(conn)
    assert bodies(again) == ["second"]
    assert again.attempts == 1
    assert await pending_agrees(conn)


async def test_failed_work_waits_and_counts_the_try(conn: Connection) -> None:
    await add_message(conn, "a")
    [lane] = await claim(conn)
    await queue.release_lane(conn, lane, pause=timedelta(minutes=1), failure="Broken")
    assert await claim(conn) == []
    await conn.execute("update lanes set run_at = now()")
    [again] = await claim(conn)
    assert (again.attempts, again.failure) == (2, "Broken")


async def test_work_given_back_at_a_shutdown_can_be_claimed_at_once_and_costs_no_try(conn: Connection) -> None:
    await add_message(conn, "a")
    [lane] = await claim(conn)
    await queue.release_lane(conn, lane)
    [again] = await claim(conn)
    assert again.attempts == 1


async def test_a_quiet_time_holds_a_burst_back_but_not_for_ever(conn: Connection) -> None:
    quiet: dict[str, Any] = {"quiet": timedelta(seconds=30), "cap": timedelta(seconds=40)}
    for text in ("one", "two", "three"):
        await conn.execute(
            "select add_work('web:a', 'inbound', 1, $1, jsonb_build_object('body', $1::text), $2, $3)",
            text,
            quiet["quiet"],
            quiet["cap"],
        )
        await conn.execute("update lanes set waiting_since = waiting_since - interval '15 s'")
    assert await claim(conn) == []
    held = await conn.fetchval("select extract(epoch from run_at - waiting_since) from lanes")
    assert held <= 75
    await conn.execute("update lanes set run_at = now()")
    [lane] = await claim(conn)
    assert len(lane.jobs) == 3


async def test_buried_work_can_be_looked_at_and_requeued(conn: Connection) -> None:
    await add_message(conn, "a")
    [lane] = await claim(conn)
    await queue.bury_work(conn, lane, error="cannot be read")
    assert await claim(conn) == []
    [dead] = await dead_letters.list_dead(conn)
    assert (dead.error, dead.payload["body"], dead.attempts) == ("cannot be read", "hello", 1)
    assert await add_message(conn, "a") is None, "a repetition of dead work is not taken in again"
    assert await dead_letters.revive_dead(conn, dead.id)
    assert not await dead_letters.revive_dead(conn, dead.id)
    [again] = await claim(conn)
    assert bodies(again) == ["hello"]
    assert await pending_agrees(conn)


async def test_upkeep_is_queued_once_by_many_workers(pool: Pool) -> None:
    async def look() -> list[str]:
        async with pool.acquire() as conn:
            return await queue.add_scheduled(conn)

    due = await pool.fetchval("select array_agg(name order by name) from schedules where next_run_at <= now()")
    assert {"gmail_watch", "remind", "sweep", "whatsapp_sync"} <= set(due)
    queued = await asyncio.gather(*(look() for _ in range(6)))
    assert sorted(name for names in queued for name in names) == due


async def test_a_floor_hides_older_lanes_and_none_hides_nothing(conn: Connection) -> None:
    await add_message(conn, "old")
    await conn.execute("update lanes set run_at = now() - interval '1 hour'")
    await add_message(conn, "new")
    floor = await conn.fetchval("select now() - interval '1 minute'")
    lanes = await queue.claim_lanes(conn, worker="w", lanes=10, messages=9, lease=LEASE, floor=floor)
    assert [lane.lane for lane in lanes] == ["web:new"]
    assert [lane.lane for lane in await claim(conn)] == ["web:old"]


async def test_workers_never_hold_one_lane_together(pool: Pool) -> None:
    async with pool.acquire() as conn:
        for number in range(60):
            await add_message(conn, f"lane{number}")

    async def work(name: str) -> list[str]:
        mine = []
        async with pool.acquire() as conn:
            while lanes := await claim(conn, lanes=3, worker=name):
                mine += [lane.lane for lane in lanes]
        return mine

    claimed = await asyncio.gather(*(work(f"w{n}") for n in range(6)))
    taken = [lane for lanes in claimed for lane in lanes]
    assert sorted(taken) == sorted({f"web:lane{n}" for n in range(60)})


async def test_a_lost_lane_that_another_worker_is_just_taking_holds_up_nobody(pool: Pool, conn: Connection) -> None:
    await add_message(conn, "a")
    await claim(conn, lease=timedelta(0))
    async with pool.acquire() as other, other.transaction():
        await other.execute("select from lanes for update")
        await conn.execute("set statement_timeout = '5s'")
        assert await claim(conn) == []
    assert len(await claim(conn)) == 1


async def test_a_requeued_letter_is_counted_with_what_waits_in_its_lane(conn: Connection) -> None:
    await add_message(conn, "a", "first")
    [lane] = await claim(conn)
    await queue.bury_work(conn, lane, error="broken")
    await add_message(conn, "a", "second")
    [dead] = await dead_letters.list_dead(conn)
    await dead_letters.revive_dead(conn, dead.id)
    assert await pending_agrees(conn)


async def test_upkeep_that_was_buried_once_can_be_queued_again(conn: Connection) -> None:
    for _ in range(2):
        assert await queue.add_work(conn, "job:sweep", "sweep", {}, dedupe_key="job:sweep", priority=2) is not None
        [lane] = await claim(conn)
        await queue.bury_work(conn, lane, error="broken")
    assert len(await dead_letters.list_dead(conn)) == 1


async def test_whoever_waits_is_seen_before_any_worker_has_looked(conn: Connection) -> None:
    await add_message(conn, "a")
    row = await conn.fetchrow("select waits_for, is_unseen from waiting_customers")
    assert row is not None
    assert tuple(row) == ("queue", False)


GAP = "from lanes l\n     where l.priority = 1 and"
ONE_STATEMENT_CLAIM = """
  with c as materialized (
    select l.lane from (select pg_sleep(0.4)) gap, lanes l
     where l.pending > 0 and l.lease_until is null and l.run_at <= now() order by l.run_at, l.lane limit 10
       for update of l skip locked),
  u as (update lanes l set lease_until = now() + interval '1 minute', token = 1, attempts = l.attempts + 1
          from c where l.lane = c.lane returning l.lane)
  select q.id from u cross join lateral (select id from message_queue m where m.lane = u.lane order by id limit 20) q
"""


async def refill_in_the_gap(pool: Pool) -> int:
    """Serve and refill the lane while a claim sleeps between its snapshot and its row lock; returns the new id."""
    await asyncio.sleep(0.15)
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("delete from message_queue")
        await conn.execute("update lanes set pending = 0")
        # as an enqueue by a request that began earlier: due at once in the eyes of the sleeping claim
        await conn.execute("update lanes set pending = 1, run_at = now() - interval '1 second'")
        return int(
            await conn.fetchval(
                "insert into message_queue (lane, kind, dedupe_key, payload) "
                "values ('web:a', 'inbound', 'new', '{}') returning id"
            )
        )


async def test_a_claim_never_hands_out_what_was_answered_between_its_snapshot_and_its_lock(pool: Pool) -> None:
    async with pool.acquire() as conn:
        source = await conn.fetchval("select pg_get_functiondef('claim_lanes'::regproc)")
        assert GAP in source
        before, after = source.split(GAP)
        slow = f"{before}from (select pg_sleep(0.4)) gap, lanes l where l.priority = 1 and"
        await conn.execute(slow + after.replace("for update skip locked", "for update of l skip locked", 1))
        await add_message(conn, "a")
        await conn.execute("update lanes set run_at = now() - interval '1 second'")
        claimed, new_id = await asyncio.gather(claim(conn), refill_in_the_gap(pool))
        assert [lane.job_ids for lane in claimed] == [[new_id]]


async def test_a_claim_in_one_statement_would_hand_it_out(pool: Pool) -> None:
    async with pool.acquire() as conn:
        answered = await add_message(conn, "a")
        await conn.execute("update lanes set run_at = now() - interval '1 second'")
        rows, _ = await asyncio.gather(conn.fetch(ONE_STATEMENT_CLAIM), refill_in_the_gap(pool))
        assert [row["id"] for row in rows] != []
        assert rows[0]["id"] == answered, "the fault this queue avoids is gone from Postgres: simplify the claim"
