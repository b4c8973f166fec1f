"""A message that can never be answered: it ends at a person, beside everybody else's, and can be taken up again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from agent.models.base import ModelReply, ModelRequest
from db.pool import Connection, Pool
from tests.app.test_command_line import run
from tests.db.test_waiting import Vendor
from tests.e2e.desk import until
from tests.fakes import make_runner, reply_with, write_on_a_channel_without_tickets
from worker.deliver import Deliver
from worker.loop import Handler, Worker, WorkerSettings

POISON = "+4915100000000"
GOOD = 50


class Polite:
    """A model with an answer for everybody, which breaks on one word until it is mended."""

    name = "polite"

    def __init__(self) -> None:
        self.is_mended = False

    async def reply(self, request: ModelRequest) -> ModelReply:
        if not self.is_mended and any("riddle" in line.text for line in request.brief.burst):
            raise ZeroDivisionError
        return ModelReply(self.name, tuple(reply_with("Hello.")))


@asynccontextmanager
async def working(pool: Pool, model: Polite) -> AsyncIterator[None]:
    """A worker of the product, with a vendor that takes everything."""
    vendor = Vendor()
    handlers: dict[str, Handler] = {
        "inbound": make_runner(pool, model, channels=[vendor]),
        "deliver": Deliver(pool, {vendor.name: vendor}, "TF"),
    }
    settings = WorkerSettings("w", poll=timedelta(milliseconds=50), lease=timedelta(seconds=5))
    worker = Worker(pool=pool, handlers=handlers, settings=settings)
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await task


BREAK = {
    "the model breaks on it": "payload",
    "it cannot be read": "payload - 'sent_at'",
    "its turn cannot be opened": "jsonb_set(payload, '{trust}', '9')",
    "its writer is no customer": "jsonb_set(payload, '{customer}', '{\"kind\": \"fax\"}')",
}
"""What is wrong with it, and how the row on the queue is spoilt for that."""
MEND = """
update dead_letters set payload = payload || jsonb_build_object('trust', 3, 'sent_at', now(), 'customer',
  jsonb_build_object('kind', 'phone', 'value', $1::text, 'proof', 'provider', 'name', 'Ana', 'plan', null))
"""


async def is_answered(conn: Connection, expected: int) -> bool:
    answers = await conn.fetchval("select count(*) from messages where direction = 'outbound' and body = 'Hello.'")
    return bool(answers == expected)


async def has_died(conn: Connection) -> bool:
    """Shortens every wait for another try, so that the test waits for none."""
    await conn.execute("update lanes set run_at = now() where run_at > now()")
    return bool(await conn.fetchval("select count(*) from dead_letters"))


@pytest.mark.parametrize("why", BREAK)
async def test_a_poisoned_message_ends_at_a_person_and_slows_nobody(
    database_url: str, pool: Pool, conn: Connection, why: str
) -> None:
    lane = await write_on_a_channel_without_tickets(conn, "Hello, a riddle", number=POISON)
    await conn.execute(f"update message_queue set payload = {BREAK[why]} where lane = $1", lane)  # noqa: S608
    for number in range(GOOD):
        await write_on_a_channel_without_tickets(conn, "Hello", number=f"+49152{number:08}")
    model = Polite()
    async with working(pool, model):
        await until(lambda: is_answered(conn, GOOD))
        await until(lambda: has_died(conn))
    [letter] = await conn.fetch("select id, attempts, error from dead_letters")
    assert letter["attempts"] > 5
    assert letter["error"]
    waiting = await conn.fetchrow("select * from waiting_customers where waits_for = 'person'")
    assert waiting is not None
    assert (waiting["owner"], waiting["is_unseen"]) == ("support", False)
    assert waiting["due_at"] is not None
    [said] = await conn.fetch(
        "select body from messages where direction = 'inbound' and conversation_id = $1", waiting["conversation_id"]
    )
    assert said["body"] == "Hello, a riddle"

    code, listed, _ = await run("dead", "list", DATABASE_URL=database_url)
    assert code == 0
    assert str(letter["error"]) in listed
    assert "riddle" not in listed
    code, shown, _ = await run("dead", "show", str(letter["id"]), DATABASE_URL=database_url)
    assert (code, "Hello, a riddle" in shown) == (0, True)

    model.is_mended = True
    await conn.execute(MEND, POISON)
    code, said_so, _ = await run("dead", "retry", str(letter["id"]), DATABASE_URL=database_url)
    assert (code, said_so) == (0, "1 of 1 dead letters queued again\n")
    async with working(pool, model):
        await until(lambda: is_answered(conn, GOOD + 1))
    assert await conn.fetchval("select count(*) from dead_letters") == 0
    assert await conn.fetchval("select count(*) from waiting_customers where waits_for = 'person'") == 0
