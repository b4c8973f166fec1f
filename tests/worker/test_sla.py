"""Promises are looked at by the clock: what is overdue is recorded, what soon is, is told."""

from datetime import timedelta

from db import queue
from db.pool import Connection, Pool
from tests.fakes import submit
from worker.completer import Completer
from worker.jobs.promises import Promises


async def test_once_a_minute_a_worker_records_and_warns(pool: Pool, conn: Connection) -> None:
    assert await conn.fetchval("select every from schedules where name = 'promises'") == timedelta(minutes=1)
    await submit(conn, "Hello")
    await submit(conn, "Hello", email="ben@example.com")
    await conn.execute(
        "update tickets set subject = 'later' where id = (select id from tickets order by id desc limit 1)"
    )
    await conn.execute("update sla_targets set calendar = null, first_response = '8 hours'")
    await conn.execute(
        """
        update tickets set first_response_due_at = now() + case when subject = 'later'
          then interval '1 hour' else interval '-1 hour' end
        """
    )
    await queue.add_scheduled(conn)
    lanes = await queue.claim_lanes(conn, worker="w", lanes=99, messages=20, lease=timedelta(minutes=1))
    [mine] = [lane for lane in lanes if [job.kind for job in lane.jobs] == ["promises"]]
    await Promises(pool, Completer(pool)).run(mine)
    found = await conn.fetch("select first_response_breached_at, warned_at from tickets order by id")
    assert [(row[0] is not None, row[1] is not None) for row in found] == [(True, False), (False, True)]
    assert await conn.fetchval("select count(*) from message_queue where kind = 'promises'") == 0
