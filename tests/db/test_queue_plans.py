"""Promises about how the queue is read, whatever the statistics say of it."""

import re
from typing import Any

import pytest

from db import queue
from db.pool import Connection
from tests.db.test_queue import LEASE, add_message, claim

SETTINGS = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")
PARAMETERS = {"lane_limit": "100", "floor": "'-infinity'::timestamptz"}


async def fill_lanes(conn: Connection, count: int) -> None:
    """Lanes of which every tenth has something to do and the others are idle."""
    await conn.execute(
        """
        insert into lanes (lane, pending, run_at)
        select 'web:' || n, (n % 10 = 0)::int, now() - n * interval '1 ms' from generate_series(1, $1::int) n
        """,
        count,
    )


async def explain_claim(conn: Connection) -> str:
    """The plan of the statement that chooses, taken from the function itself, under the function's own settings."""
    source: str = await conn.fetchval("select pg_get_functiondef('claim_lanes'::regproc)")
    for setting in SETTINGS:
        assert re.search(rf"SET {setting} TO 'off'", source), f"claim_lanes no longer sets {setting}"
        await conn.execute(f"set {setting} = off")
    statement = source[source.index("with lost as") : source.index("-- Second statement")]
    statement = statement.replace("into taken ", "").rstrip().rstrip(";")
    for name, value in PARAMETERS.items():
        statement = re.sub(rf"(?<![.\w]){name}\b", value, statement)
    rows = await conn.fetch(f"explain {statement}")
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize(
    ("analysed", "there"),
    [(0, 0), (0, 50_000), (50_000, 50_000)],
    ids=["empty", "filled since the statistics", "full"],
)
async def test_the_claim_reads_only_what_it_takes(conn: Connection, analysed: int, there: int) -> None:
    await fill_lanes(conn, analysed)
    await conn.execute("analyze lanes")
    if there > analysed:
        await fill_lanes(conn, there)
    plan = await explain_claim(conn)
    assert plan.count("using lanes_ready") == 3, "one for each priority"
    assert plan.count("(priority = ") == plan.count("AND (run_at <= now())") == 3, "the index knows what is not due yet"
    assert "using lanes_leased" in plan
    assert "Sort" not in plan
    assert "Seq Scan" not in plan


async def test_no_statement_of_the_queue_reads_a_table_as_a_whole(conn: Connection) -> None:
    await conn.execute("analyze lanes, message_queue")
    for _ in range(7):  # long enough for plans to be kept, made while everything was empty
        await add_message(conn, "first")
        await queue.finish_lanes(conn, await claim(conn))
    await fill_lanes(conn, 5_000)
    await conn.execute("update lanes set pending = 0")
    before = await count_whole_reads(conn)
    await add_message(conn, "a")
    lanes = await queue.claim_lanes(conn, worker="w", lanes=100, messages=20, lease=LEASE)
    assert len(await queue.finish_lanes(conn, lanes)) == 1
    assert await count_whole_reads(conn) == before


async def count_whole_reads(conn: Connection) -> dict[str, Any]:
    await conn.execute("select pg_stat_force_next_flush()")
    rows = await conn.fetch(
        "select relname, seq_scan from pg_stat_user_tables where relname in ('lanes', 'message_queue')"
    )
    return {row["relname"]: row["seq_scan"] for row in rows}


async def test_a_poisoned_lane_is_out_of_the_claims_sight_until_its_time_comes(conn: Connection) -> None:
    await add_message(conn, "poisoned")
    [poisoned] = await claim(conn)
    await queue.release_lane(conn, poisoned, pause=LEASE, failure="Broken")
    for number in range(5):
        await add_message(conn, f"healthy{number}")
    assert len(await claim(conn, lanes=5)) == 5, "the one that failed takes nobody's place"
    await add_message(conn, "poisoned", "more")
    assert await claim(conn) == [], "another message does not end the wait of the one that failed"
