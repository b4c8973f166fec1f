"""kill -9 of the real command in the middle of a turn leaves exactly one answer. All other points: tests/crash."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from db.pool import Connection, open_connection
from tests.e2e.desk import ModelServer, process, tool_call, until
from tests.fakes import list_replies, submit

ANSWER = "Thank you for writing to us."
SCRIPT = [
    tool_call(0, "search_knowledge_base", query="boards", category=None),
    tool_call(1, "get_customer_history", scope="open_tickets"),
    tool_call(2, "send_response", body=ANSWER, citations=[], kind="acknowledgement", resolves=False, language="en"),
]
LEASE = "5"

MODEL_STEPS = {"the last model call": 2}
STATEMENTS = {"the commit": ("agent_metrics", "share", None)}
"""The table whose lock stops the worker there, and the model step that must have begun before it is locked."""


@pytest.mark.parametrize("point", [*MODEL_STEPS, *STATEMENTS])
async def test_worker_killed_in_the_middle_of_a_turn_leaves_exactly_one_answer(
    database_url: str, conn: Connection, point: str
) -> None:
    async with ModelServer(SCRIPT).serving() as model:
        settings = {
            "OPENAI_BASE_URL": model.url,
            "OPENAI_API_KEY": "none",
            "OPENAI_MODEL": "script",
            "OPENAI_WIRE": "chat",
            "WORKER_LEASE_SECONDS": LEASE,
        }
        reference = await submit(conn, "Something about my boards")
        async with (
            stop_at(point, database_url, model) as stopped,
            process("worker", database_url, **settings) as victim,
        ):
            await stopped()
            victim.kill()
            await victim.wait()
        model.hold_step = None
        async with process("worker", database_url, **settings):
            replies = await until(lambda: list_replies(conn, reference))
            await until(lambda: is_empty(conn))
            await asyncio.sleep(1)
        assert replies == await list_replies(conn, reference) == [ANSWER]
        steps = await conn.fetchval("select array_agg(step order by step) from turn_steps")
        assert steps == [1, 2, 3, 4], "the search before the first call, and the script"
        assert len(model.asked) <= len(SCRIPT) + 1, "at most the call in flight is paid for twice"


@asynccontextmanager
async def stop_at(point: str, database_url: str, model: ModelServer) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    """Makes a worker hang at this point of its turn, in a model call or in a statement that waits for a lock, as long
    as the block lasts; gives what waits until it does."""
    if point in MODEL_STEPS:
        model.hold_step = MODEL_STEPS[point]
        yield model.holding.wait
        return
    table, mode, model.hold_step = STATEMENTS[point]
    blocker = await open_connection(database_url)

    async def stopped() -> None:
        if model.hold_step is not None:
            await model.holding.wait()
            await lock()
            model.release.set()
        await until(lambda: somebody_waits(blocker))

    async def lock() -> None:
        await blocker.execute(f"lock table {table} in {mode} mode")

    async with blocker.transaction():
        if model.hold_step is None:
            await lock()
        yield stopped
    await blocker.close()


async def somebody_waits(conn: Connection) -> bool:
    return bool(await conn.fetchval("select true from pg_locks where not granted limit 1"))


async def is_empty(conn: Connection) -> bool:
    return not await conn.fetchval("select count(*) from message_queue")
