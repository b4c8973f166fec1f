"""The messages of POST /test/queue: how one went, and how every trace of it is removed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class TestReply:
    """What the agent answered. Milliseconds from acceptance to claim, and to delivery."""

    __test__ = False

    text: str
    queue_ms: float
    total_ms: float | None


async def find_test_reply(conn: Connection, reference: str) -> TestReply | None:
    """The reply to a test message, once its turn is committed."""
    row = await conn.fetchrow(
        """
        select m.body as text, a.waiting_ms as queue_ms, a.total_ms
          from conversations c join messages m on m.conversation_id = c.id and m.direction = 'outbound'
          join agent_metrics a on a.turn_id = m.turn_id
         where c.channel = 'web' and c.thread_key = $1 and c.is_test order by m.sent_at limit 1
        """,
        reference,
    )
    return TestReply(**row) if row else None


async def list_stale_tests(conn: Connection, *, older_than: timedelta) -> list[str]:
    """References of test messages that a killed process left behind."""
    rows = await conn.fetch(
        "select thread_key from conversations where is_test and channel = 'web' and created_at < now() - $1::interval",
        older_than,
    )
    return [row["thread_key"] for row in rows]


async def remove_test(conn: Connection, reference: str) -> None:
    """Remove a test message and all that came of it, also from a worker's hands. No other conversation matches."""
    async with conn.transaction():
        # waits for a commit that is under way; a turn that comes later finds that its lease is gone
        await conn.execute("select 1 from lanes where lane = 'web:' || $1 for update", reference)
        await conn.execute(
            """
            with talk as (
              select id, customer_id from conversations where channel = 'web' and thread_key = $1 and is_test),
            lane as (delete from lanes where lane = 'web:' || $1 and exists (select from talk)),
            queued as (delete from message_queue where lane = 'web:' || $1 and exists (select from talk)),
            dead as (delete from dead_letters where lane = 'web:' || $1 and exists (select from talk)),
            steps as (delete from turn_steps where turn_id in (
              select t.id from turns t join talk on t.conversation_id = talk.id)),
            tried as (delete from turns where conversation_id in (select id from talk)),
            measured as (delete from agent_metrics where conversation_id in (select id from talk)),
            reports as (delete from delivery_events where message_id in (
              select m.id from messages m join talk on m.conversation_id = talk.id)),
            said as (delete from messages where conversation_id in (select id from talk)),
            opened as (delete from tickets where conversation_id in (select id from talk)),
            known as (delete from customer_identifiers where customer_id in (select customer_id from talk)),
            counted as (delete from quotas where key in (
              select about || talk.id from talk, unnest(array['replies:', 'spend:' || $2 || ':']) about
              union all select 'spend:' || $2 || ':customer:' || customer_id from talk)),
            people as (delete from customers where id in (select customer_id from talk))
            delete from conversations where id in (select id from talk)
            """,
            reference,
            datetime.now(UTC).date().isoformat(),
        )


async def remove_test_quotas(conn: Connection, key: str) -> None:
    """Remove the rate limits a test message was counted under."""
    await conn.execute("delete from quotas where key = any($1)", [f"web:ip:{key}", f"web:address:{key}"])
