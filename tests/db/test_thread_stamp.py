"""Promises about the stamp of a conversation's page: all that is said with its customer changes it, cheaply."""

import json
import re
from typing import Any
from uuid import UUID

import pytest

from db.pool import Connection
from db.threads import (
    MOST_CONVERSATIONS,
    MOST_WATCHED,
    NEWEST_WORDS,
    PRESENT_SECONDS,
    THREAD_STAMP,
    find_thread_stamp,
    note_presence,
)

TALK = UUID(int=1)
FILLING = """
insert into customers (id, name) select md5('u' || n)::uuid, 'Ana' from generate_series(1, 2000) n;
insert into conversations (id, channel, thread_key, customer_id)
select case when n = 1 then $talk$ else md5('c' || n)::uuid end, 'gmail', n::text,
       case when n <= 400 then md5('u1')::uuid else md5('u' || n)::uuid end from generate_series(1, 2000) n;
insert into messages (conversation_id, channel, direction, author, body, sent_at, idempotency_token, delivery)
select c.id, 'gmail', 'outbound', 'agent', 'Hello there.', now() - n * interval '1 hour', gen_random_uuid(), 'sent'
  from conversations c cross join generate_series(1, 20) n;
analyze customers, conversations, messages, tickets, drafts, message_queue, presences
""".replace("$talk$", f"'{TALK}'::uuid")


async def read(conn: Connection) -> str | None:
    return await find_thread_stamp(conn, TALK, viewer="kim@example.com")


async def open_two(conn: Connection) -> UUID:
    """A customer with two conversations, one of which is the page; the other one."""
    customer: UUID = await conn.fetchval("insert into customers (name) values ('Ana') returning id")
    await conn.execute(
        "insert into conversations (id, channel, thread_key, customer_id) values ($1, 'web', 'a', $2)", TALK, customer
    )
    other: UUID = await conn.fetchval(
        "insert into conversations (channel, thread_key, customer_id) values ('whatsapp', 'b', $1) returning id",
        customer,
    )
    return other


async def tell(conn: Connection, talk: UUID) -> None:
    await conn.execute(
        """
        insert into messages (conversation_id, channel, direction, author, body, idempotency_token, delivery)
        values ($1, 'whatsapp', 'outbound', 'agent', 'Here you are.', gen_random_uuid(), 'pending')
        """,
        talk,
    )


async def test_what_is_said_with_the_customer_elsewhere_changes_the_page(conn: Connection) -> None:
    other = await open_two(conn)
    stamps = [await read(conn), await read(conn)]
    await tell(conn, other)
    stamps.append(await read(conn))
    await conn.execute("update messages set delivery = 'failed', delivery_error = '63016'")
    stamps.append(await read(conn))
    await conn.execute("update conversations set customer_id = null where id = $1", other)
    stamps.append(await read(conn))
    assert stamps[0] == stamps[1]
    assert len(set(stamps[1:])) == 4


HIDDEN = [
    "update conversations set is_test = true where id = $1",
    "update conversations set customer_id = null where id = $1",
]


@pytest.mark.parametrize("change", HIDDEN)
async def test_what_the_page_does_not_show_does_not_change_it(conn: Connection, change: str) -> None:
    other = await open_two(conn)
    await conn.execute(change, other)
    before = await read(conn)
    await tell(conn, other)
    assert await read(conn) == before


async def test_a_customer_of_many_conversations_costs_a_bounded_number_of_rows_by_index(conn: Connection) -> None:
    await conn.execute(FILLING)
    await note_presence(conn, TALK, "lee@example.com")
    plan = await explain(conn)
    assert not {"conversations", "messages", "customers"} & set(re.findall(r"Seq Scan on (\w+)", name_scans(plan)))
    read = sum(node["Actual Rows"] * node["Actual Loops"] for node in list_scans(plan))
    assert read <= MOST_WATCHED + MOST_CONVERSATIONS * (NEWEST_WORDS + 2) + 100


async def explain(conn: Connection) -> Any:
    bounds = (TALK, "kim@example.com", PRESENT_SECONDS, MOST_CONVERSATIONS, MOST_WATCHED, NEWEST_WORDS)
    text = await conn.fetchval("explain (analyze, format json) " + THREAD_STAMP, *bounds)
    return json.loads(text)[0]["Plan"] if isinstance(text, str) else text[0]["Plan"]


def list_scans(node: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes of a plan that read a table."""
    below = [scan for child in node.get("Plans", []) for scan in list_scans(child)]
    return [node, *below] if "Relation Name" in node else below


def name_scans(plan: dict[str, Any]) -> str:
    return " ".join(f"{node['Node Type']} on {node['Relation Name']}" for node in list_scans(plan))
