"""The desk that the bench of the inbox fills: as many wait as it says, for what it says."""

from collections import Counter

import pytest

from bench.inbox_filling import WAITING, Size, choose, fill
from bench.inbox_words import cut_texts
from db.inbox import list_lines, search_messages
from db.pool import Connection, open_connection

SIZE = Size(2_000, 600)


@pytest.fixture
async def filled(database_url: str) -> Connection:
    conn = await open_connection(database_url)
    await fill(conn, SIZE, cut_texts(500, 1), 1)
    return conn


async def test_a_filled_desk_is_what_the_bench_says_of_it(filled: Connection) -> None:
    waiting = await list_lines(filled)
    assert len(waiting) == WAITING
    assert Counter(line.waits_for for line in waiting) == {"person": 300, "queue": 50, "turn": 25, "delivery": 25}
    chosen = await choose(filled, 5)
    assert [len(ids) for ids in (chosen.long, chosen.usual)] == [2, 5]
    assert await filled.fetchval("select count(*) from messages where conversation_id = $1", chosen.long[0]) == 400
    assert len(await search_messages(filled, chosen.number, limit=50)) == 1
    assert len(await search_messages(filled, chosen.reference, limit=50)) == 1
    for table in ("turns", "turn_steps", "notes", "lanes"):
        assert await filled.fetchval(f"select count(*) from {table}") > 500  # noqa: S608
    names = {row[0] for row in await filled.fetch("select indexname from pg_indexes where tablename = 'messages'")}
    assert {"messages_words", "messages_conversation", "messages_sent_at"} <= names, "they were made anew"
    await filled.close()
