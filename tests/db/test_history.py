"""Whose past the agent may see: as much as was proven, and never more."""

from uuid import UUID

import pytest

from db import history
from db.pool import Connection


async def add_conversation(conn: Connection, customer: UUID, channel: str, trust: int) -> UUID:
    """A conversation with one open ticket named after its channel and trust."""
    conversation: UUID = await conn.fetchval(
        """
        insert into conversations (channel, thread_key, customer_id, trust, subject)
        values ($1, new_id()::text, $2, $3, $4) returning id
        """,
        channel,
        customer,
        trust,
        f"{channel}{trust}",
    )
    await conn.execute(
        """
        insert into tickets (reference, conversation_id, customer_id, subject)
        values (new_reference('TF'), $1, $2, $3)
        """,
        conversation,
        customer,
        f"{channel}{trust}",
    )
    return conversation


@pytest.fixture
async def past(conn: Connection) -> UUID:
    """A customer with a past on two channels, partly unproven; and a stranger with a past of their own."""
    customer: UUID = await conn.fetchval("insert into customers default values returning id")
    for channel, trust in (("gmail", 0), ("gmail", 1), ("whatsapp", 3)):
        await add_conversation(conn, customer, channel, trust)
    stranger: UUID = await conn.fetchval("insert into customers default values returning id")
    await add_conversation(conn, stranger, "gmail", 4)
    return customer


@pytest.mark.parametrize(
    ("trust", "tickets", "conversations"),
    [
        (0, {"gmail0"}, set()),
        (1, {"gmail1"}, {"gmail1"}),
        (4, {"gmail4", "gmail1", "whatsapp3"}, {"gmail1", "whatsapp3"}),
    ],
)
async def test_the_past_is_shown_as_far_as_identity_is_proven(
    conn: Connection, past: UUID, trust: int, tickets: set[str], conversations: set[str]
) -> None:
    mine = await add_conversation(conn, past, "gmail", trust)
    shown = await history.list_open_tickets(conn, conversation_id=mine, trust=trust)
    earlier = await history.list_earlier_conversations(conn, conversation_id=mine, trust=trust)
    assert {row["subject"] for row in shown} == tickets
    assert {row["summary"] for row in earlier} == conversations


async def test_whoever_only_claims_to_be_somebody_sees_no_other_conversation(conn: Connection, past: UUID) -> None:
    mine = await add_conversation(conn, past, "gmail", 0)
    assert len(await history.list_open_tickets(conn, conversation_id=mine, trust=0)) == 1
    assert await history.list_earlier_conversations(conn, conversation_id=mine, trust=0) == []
