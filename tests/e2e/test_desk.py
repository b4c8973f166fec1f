"""The product as a customer and a manager meet it: real processes, over HTTP, with the offline model."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from app.knowledge_files import SAMPLE_COMPANY, import_files
from app.settings import Settings
from db.pool import Connection, Pool
from tests.e2e.desk import ModelServer, ask, find_free_port, process, tool_call, until, wait_for_health
from tests.fakes import list_replies, submit


@asynccontextmanager
async def open_desk(database_url: str, pool: Pool) -> AsyncIterator[int]:
    """Web and worker on the sample company's articles; gives the port."""
    port = find_free_port()
    await import_files(pool, [SAMPLE_COMPANY])
    async with process("web", database_url, PORT=str(port)), process("worker", database_url):
        await wait_for_health(port)
        yield port


async def write(port: int, message: str, plan: str | None = "pro") -> str:
    """Send a form in; gives the path of the ticket with its token."""
    body = {"name": "Ana Lima", "email": "ana@example.com", "subject": "A question", "message": message, "plan": plan}
    answer = await ask(port, "POST", "/support/submit", body)
    assert answer.status == 202
    url = urlsplit(answer.body["status_url"])
    return f"{url.path}?{url.query}"


async def read_replies(port: int, path: str, count: int = 1) -> list[dict[str, Any]]:
    """What the ticket page shows of ours, once there is so much of it."""

    async def look() -> list[dict[str, Any]]:
        ticket = (await ask(port, "GET", path)).body
        ours = [message for message in ticket["messages"] if message["direction"] == "outbound"]
        return ours if len(ours) >= count else []

    return list(await until(look))


async def test_a_question_the_articles_answer_is_answered_with_the_article_and_its_version(
    database_url: str, pool: Pool
) -> None:
    async with open_desk(database_url, pool) as port:
        path = await write(port, "I forgot my password. How do I reset it?")
        [reply] = await read_replies(port, path)
        assert [(c["title"], c["version"]) for c in reply["citations"]] == [("Reset a forgotten password", 1)]
        assert reply["author"] == "agent"
        assert reply["delivery"] == "sent"

        added = path.replace("?", "/messages?")
        assert (
            await ask(port, "POST", added, {"message": "And how do I turn on two-factor authentication?"})
        ).status == 202
        replies = await read_replies(port, path, 2)
        assert "two-factor" in replies[1]["citations"][0]["url"]

        metrics = (await ask(port, "GET", "/metrics/channels", staff=True)).body
        web = metrics["channels"]["web"]
        assert (web["received"], web["answered"], web["waiting"]) == (2, 2, 0)
        assert web["latency_ms"]["total"]["p50"] > 0


async def test_a_refund_with_a_lawyer_reaches_a_person_with_priority_and_the_customer_is_told(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    async with open_desk(database_url, pool) as port:
        path = await write(port, "I want a refund, this is the third time I ask, I'll call my lawyer")
        [reply] = await read_replies(port, path)
        ticket = (await ask(port, "GET", path)).body
    assert ticket["status"] == "escalated"
    assert ticket["priority"] >= 8
    assert reply["citations"] == []
    route = await conn.fetchval("select team from escalation_routes where category = $1", ticket["category"])
    assert await conn.fetchval("select team from tickets") == route
    assert ticket["category"] in ("billing", "legal")
    assert await conn.fetchval("select is_unseen from waiting_customers") is False


async def test_a_question_outside_the_articles_gets_no_invented_answer(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    async with open_desk(database_url, pool) as port:
        for question in ("Are you HIPAA compliant?", "What is the weather in Oslo?", "Can I connect Zapier?"):
            await read_replies(port, await write(port, question))
    kinds = await conn.fetch("select distinct kind from messages where direction = 'outbound'")
    assert {row["kind"] for row in kinds} <= {"clarifying_question", "refusal", "handoff", "acknowledgement"}


async def test_the_queue_can_be_tried_without_leaving_a_customer_behind(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    async with open_desk(database_url, pool) as port:
        answer = await ask(port, "POST", "/test/queue", {"timeout_seconds": 10}, staff=True)
        metrics = (await ask(port, "GET", "/metrics/channels", staff=True)).body
    assert (answer.status, answer.body["ok"]) == (200, True)
    assert metrics["total"]["received"] == 0
    for table in ("customers", "conversations", "messages", "tickets", "turns", "turn_steps"):
        assert await conn.fetchval(f"select count(*) from {table}") == 0, table  # noqa: S608 (our own tables)
    assert await conn.fetchval("select count(*) from message_queue where kind = 'inbound'") == 0


async def test_a_worker_told_to_stop_in_the_middle_of_a_turn_gives_it_back_and_another_answers(
    database_url: str, conn: Connection
) -> None:
    reply = {"body": "Thank you.", "citations": [], "kind": "acknowledgement", "resolves": False, "language": "en"}
    bye = tool_call(0, "send_response", **reply)
    async with ModelServer([bye]).serving() as model:
        model.hold_step = 0
        settings = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "x", "OPENAI_MODEL": "m", "OPENAI_WIRE": "chat"}
        reference = await submit(conn, "Something about my boards")
        async with process("worker", database_url, **settings) as worker:
            await asyncio.wait_for(model.holding.wait(), 30)
            worker.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(worker.wait(), 20) == 0
        assert await conn.fetchval("select lease_until is null and pending = 1 from lanes where lane like 'web:%'")
        model.hold_step = None
        async with process("worker", database_url, **settings):
            replies = await until(lambda: list_replies(conn, reference))
    assert replies == ["Thank you."]


def test_a_killed_worker_is_replaced_within_fifteen_seconds() -> None:
    settings = Settings()
    assert settings.worker_lease_seconds + settings.poll_seconds <= 15
