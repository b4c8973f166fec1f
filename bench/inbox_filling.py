"""A desk that has been used for two years: fills a fresh database by the statements of inbox_filling.sql."""

import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from db.pool import Connection

STATEMENTS = Path(__file__).with_name("inbox_filling.sql")
WAITING = 400
"""Customers: 300 for a person, 50 on the queue, 25 for a turn in hand, 25 for a delivery."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is filled in; a conversation has ten messages on average, and three of ten a turn."""

    conversations: int
    customers: int


FULL, TENTH = Size(200_000, 60_000), Size(20_000, 6_000)


async def fill(conn: Connection, size: Size, texts: Sequence[str], seed: int) -> None:
    """Everything, and the statistics as autovacuum would have gathered them by then.

    What was drawn stays in the temporary table talks of this connection.
    """
    await conn.execute("set maintenance_work_mem = '512MB'; set work_mem = '256MB'")
    await conn.execute("create temp table texts (n int primary key, body text not null)")
    await conn.copy_records_to_table("texts", records=enumerate(texts, 1), columns=["n", "body"])
    await conn.execute("create temp table size (conversations int, customers int); analyze texts")
    await conn.execute("insert into size values ($1, $2)", size.conversations, size.customers)
    await conn.fetchval("select setseed($1)", 1 / (1 + seed))
    indexes = await drop_indexes(conn, "messages")
    for name, statement in read_statements():
        await tell(conn, name, statement)
    for index in indexes:
        await tell(conn, index.split()[2 + index.startswith("CREATE UNIQUE")], index)
    await tell(conn, "statistics", "vacuum analyze")


def read_statements() -> Iterator[tuple[str, str]]:
    """The parts of the file, each with its name."""
    _, *parts = re.split(r"^---- (\w+)\n", STATEMENTS.read_text(), flags=re.MULTILINE)
    yield from zip(parts[::2], parts[1::2], strict=True)


async def drop_indexes(conn: Connection, table: str) -> list[str]:
    """What makes them anew: filling is several times as fast without. Those of constraints stay."""
    rows = await conn.fetch(
        """
        select i.indexname, i.indexdef from pg_indexes i where i.schemaname = current_schema() and i.tablename = $1
           and not exists (select from pg_constraint k where k.conname = i.indexname and k.conrelid = to_regclass($1))
        """,
        table,
    )
    for row in rows:
        await conn.execute(f"drop index {row['indexname']}")
    return [row["indexdef"] for row in rows]


async def tell(conn: Connection, name: str, statement: str) -> None:
    """Do it, and say on stderr how long it took: filling takes minutes, and somebody may be waiting."""
    began = time.monotonic()
    await conn.execute(statement)
    print(f"{name}: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What to look at."""

    long: list[UUID]
    """Conversations of 400 messages, with a turn for each that the agent wrote."""
    usual: list[UUID]
    many: list[UUID]
    """Of the customers who have the most conversations, the newest of each."""
    number: str
    """Said once."""
    reference: str
    moment: datetime
    """In the middle of all that were resolved."""


async def choose(conn: Connection, count: int) -> Chosen:
    """At most `count` of each, the usual ones from all times, so that few are in the cache; after `fill`."""
    some = await conn.fetchrow("select n, reference from talks where waits_for is null order by hashint4(n) limit 1")
    if some is None:
        raise RuntimeError("nothing was filled in")
    return Chosen(
        long=await list_ids(conn, "select id from talks where is_long order by n", count),
        usual=await list_ids(
            conn, "select id from talks where waits_for is null and not is_long order by hashint4(n)", count
        ),
        many=await list_ids(
            conn,
            "select max(id::text)::uuid as id from talks group by customer_id order by count(*) desc",
            min(count, 20),
        ),
        number=str(some["n"] * 1000 + 1),
        reference=some["reference"],
        moment=await conn.fetchval("select percentile_disc(0.5) within group (order by last_at) from talks"),
    )


async def list_ids(conn: Connection, statement: str, count: int) -> list[UUID]:
    return [row["id"] for row in await conn.fetch(f"{statement} limit {count}")]
