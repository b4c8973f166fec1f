"""Promises about how the team's list is read, on a desk of which few wait."""

import re

import pytest

from db.inbox import list_lines, list_recent, search_messages
from db.pool import Connection

FILLING = """
insert into customers (id, name) select md5('u' || n)::uuid, 'Ana' from generate_series(1, 5000) n;
insert into conversations (id, channel, thread_key, customer_id, handler, waiting_since)
select md5('c' || n)::uuid, 'whatsapp', '+49' || n, md5('u' || n)::uuid, 'human', case when n % 20 = 0 then now() end
  from generate_series(1, 5000) n;
insert into tickets (reference, conversation_id, status)
select 'TF-' || n, md5('c' || n)::uuid, 'escalated' from generate_series(1, 5000) n;
insert into lanes (lane) select 'whatsapp:+49' || n from generate_series(1, 5000) n
union all select 'out:' || md5('c' || n)::uuid from generate_series(1, 5000) n;
insert into messages (conversation_id, channel, direction, author, body, sent_at)
select md5('c' || n % 5000)::uuid, 'whatsapp', 'inbound', 'customer',
       'Hello there, ' || case when n in (777, 778) then 'zebra' else 'board' end, now() - n * interval '1 hour'
  from generate_series(1, 20000) n;
analyze customers, conversations, tickets, lanes, messages, message_queue, drafts
"""


@pytest.fixture(autouse=True)
async def filled(conn: Connection) -> None:
    await conn.execute(FILLING)


async def explain_list(conn: Connection) -> str:
    rows = await conn.fetch("explain select * from inbox")
    return "\n".join(row[0] for row in rows)


async def test_the_list_reads_only_those_who_wait_however_many_there_are(conn: Connection) -> None:
    assert len(await list_lines(conn)) == 250
    whole = re.findall(r"Seq Scan on (\w+)", await explain_list(conn))
    assert not {"customers", "conversations", "tickets", "lanes", "messages"} & set(whole)


async def test_a_search_gives_the_newest_and_finds_what_was_said_once_long_ago(conn: Connection) -> None:
    common = await search_messages(conn, "hello", limit=5)
    assert [line.updated_at for line in common] == await newest(conn, 5)
    assert [line.words for line in await search_messages(conn, "zebra", limit=5)] == ["Hello there, zebra"] * 2
    assert await search_messages(conn, "giraffe", limit=5) == []


async def newest(conn: Connection, count: int) -> list[object]:
    rows = await conn.fetch("select sent_at from messages order by sent_at desc limit $1", count)
    return [row["sent_at"] for row in rows]


async def test_no_message_is_found_twice_or_missed_between_the_spans_that_are_searched(conn: Connection) -> None:
    rows = await conn.fetch("select * from find_said('board', 1000000)")
    assert len(rows) == 19_998
    moments = [row["sent_at"] for row in rows]
    assert moments == sorted(moments, reverse=True)


async def test_a_search_for_what_everybody_says_does_not_read_all_of_it(conn: Connection) -> None:
    await conn.execute("select pg_stat_force_next_flush()")
    before = await count_read(conn)
    await search_messages(conn, "hello", limit=5)
    await conn.execute("select pg_stat_force_next_flush()")
    assert await count_read(conn) - before < 2_000


async def count_read(conn: Connection) -> int:
    """Rows of messages that were fetched, by whatever way."""
    read: int = await conn.fetchval(
        """
        select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)
          from pg_stat_user_tables where relname = 'messages'
        """
    )
    return read


async def test_a_language_that_nobody_writes_is_looked_for_among_the_newest_alone(conn: Connection) -> None:
    await conn.execute("update conversations set language = 'en'")
    await conn.execute("update conversations set language = 'sv', updated_at = '2020-01-01' where thread_key = '+491'")
    await conn.execute("analyze conversations")
    assert await list_recent(conn, None, language="sv", limit=5, most=1_000) == ([], True)
    found, is_cut = await list_recent(conn, None, language="sv", limit=5)
    assert ([line.language for line in found], is_cut) == (["sv"], False)
    everybody, is_cut = await list_recent(conn, None, limit=4_000, most=10)
    assert (len(everybody), is_cut) == (4_000, False), "what is not narrowed down is not cut"
    assert [len((await list_recent(conn, None, channel=one, limit=5))[0]) for one in ("whatsapp", "web")] == [5, 0]
