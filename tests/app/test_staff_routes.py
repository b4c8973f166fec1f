"""What the team reads: a conversation, a customer, the numbers, the health, and the test of the queue."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from app.access import make_token
from app.settings import read_settings
from db import queue
from db.pool import Connection, Pool
from tests.app.desk import FORM, HTML, STAFF, Answer, answer_waiting, make_settings, open_desk

ESCALATION = {
    "kind": "escalate", "category": "billing", "team": "billing", "assignee": None, "priority": 7,
    "priority_why": "rule", "reason": "billing_dispute", "handoff_note": "note", "due_at": "2099-01-05T10:00:00Z",
}  # fmt: skip


async def submit(desk: httpx2.AsyncClient, **changed: Any) -> str:
    return str((await desk.post("/support/submit", json=FORM | changed)).json()["ticket"])


async def ask(desk: httpx2.AsyncClient, path: str, expected: int = 200) -> Any:
    answer = await desk.get(path, headers=STAFF)
    assert answer.status_code == expected, answer.text
    return answer.json()


async def test_conversation_shows_all_that_led_to_it(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        reference = await submit(desk)
        await answer_waiting(conn)
        turn_id: UUID = await conn.fetchval("select id from turns")
        await conn.execute(
            """
            insert into turn_steps (turn_id, step, model, items, results, passages, cost_usd, latency_ms)
            values ($1, 1, 'scripted', $2, $3, $4, 0.0021, 812)
            """,
            turn_id,
            [{"type": "tool_call", "id": "c1", "name": "search_knowledge_base", "arguments": '{"query": "pro"}'}],
            [{"call_id": "c1", "output": "found", "refused": False}],
            [{"k": "K1", "slug": "plans-and-prices", "version": 1, "score": 0.9}],
        )
        await conn.execute("update turns set cost_usd = 0.0021")
        found: UUID = await conn.fetchval("select conversation_id from tickets where reference = $1", reference)
        token = make_token(make_settings(), reference)
        await desk.post(f"/support/ticket/{reference}/messages?token={token}", json={"message": "More"})
        shown = await ask(desk, f"/conversations/{found}")
    assert {
        "customer", "channel", "status", "handler", "sentiment", "messages", "tickets", "turns", "cost_usd",
    } <= set(shown)  # fmt: skip
    assert shown["customer"]["identifiers"] == [
        {"kind": "email", "value": "ana@example.com", "proof": "claimed", "proven_at": None}
    ]
    assert [message["author"] for message in shown["messages"]] == ["customer", "agent"]
    assert [message["text"] for message in shown["queued"]] == ["More"]
    assert shown["tickets"][0]["reference"] == reference
    [turn] = shown["turns"]
    [step] = turn["steps"]
    assert step["tool_calls"] == [
        {"name": "search_knowledge_base", "arguments": '{"query": "pro"}', "output": "found", "refused": False}
    ]
    assert step["passages"][0]["slug"] == "plans-and-prices"
    assert (turn["cost_usd"], step["cost_usd"], shown["cost_usd"]) == (0.0021, 0.0021, 0.0021)


async def test_unknown_cost_is_null(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        await submit(desk)
        await answer_waiting(conn)
        conversation_id = await conn.fetchval("select id from conversations")
        shown = await ask(desk, f"/conversations/{conversation_id}")
    assert (shown["cost_usd"], shown["turns"][0]["cost_usd"]) == (None, None)


@pytest.mark.parametrize("name", ["nonsense", "1", "018f0000-0000-7000-8000-000000000000", "%00", "018f"])
async def test_unknown_conversation_is_not_found(database_url: str, name: str) -> None:
    async with open_desk(database_url) as desk:
        await ask(desk, f"/conversations/{name}", 404)


async def test_customer_is_found_by_any_spelling_of_the_address(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        await submit(desk)
        await answer_waiting(conn)
        customer = await conn.fetchval("select id from customers")
        await conn.execute(
            "insert into customer_identifiers (kind, value, customer_id, proof) values ('phone', $1, $2, 'provider')",
            "+4930123456",
            customer,
        )
        for query in ("email=Ana@Example.com", "phone=%2B49 30/123-456", "phone=+4930123456", "phone=4930123456"):
            found = await ask(desk, f"/customers/lookup?{query}")
            assert found["id"] == str(customer)
            assert set(found) >= {"id", "name", "identifiers", "conversations"}
            assert len(found["identifiers"]) == 2
            assert found["conversations"][0]["status"] == "waiting"


async def test_looking_for_somebody_creates_nobody(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        await ask(desk, "/customers/lookup?email=nobody@example.com", 404)
    assert await conn.fetchval("select count(*) from customers") == 0


@pytest.mark.parametrize(
    "query",
    ["", "?email=", "?email=nope", "?email=%00", "?phone=12", "?phone=abc", "?email=a@b.co&phone=%2B4930123456"],
)
async def test_lookup_without_one_good_address_is_refused(database_url: str, query: str) -> None:
    async with open_desk(database_url) as desk:
        assert (await ask(desk, f"/customers/lookup{query}", 422))["errors"]


NUMBERS = {
    "received", "answered", "waiting", "escalation_rate", "latency_ms", "sentiment", "cost_usd", "resolution_rate",
    "outcomes", "sla", "csat", "n",
}  # fmt: skip


async def test_without_traffic_there_are_no_rates(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        body = await ask(desk, "/metrics/channels")
        page = (await desk.get("/metrics/channels", headers=STAFF | HTML)).text
    assert set(body["total"]) == NUMBERS
    assert (body["total"]["received"], body["total"]["n"]) == (0, 0)
    for name in ("escalation_rate", "cost_usd", "resolution_rate"):
        assert body["total"][name] is None
    assert body["total"]["latency_ms"] == {
        stage: {"p50": None, "p95": None} for stage in ("queue", "thinking", "delivery", "total")
    }
    assert body["total"]["sentiment"] == {"average": None, "change": None}
    assert "no data" in page


async def test_numbers_are_those_of_the_traffic_and_each_is_defined(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        await submit(desk)
        await answer_waiting(conn, Answer(sentiment=0.5, thinking_ms=1000, waiting_ms=20))
        await submit(desk, email="ben@example.com")
        escalated = Answer(outcome="escalated", kind="handoff", sentiment=-0.5, thinking_ms=3000, effects=[ESCALATION])
        await answer_waiting(conn, escalated)
        await submit(desk, email="cy@example.com")
        body = await ask(desk, "/metrics/channels?hours=1")
        page = (await desk.get("/metrics/channels?hours=1", headers=STAFF | HTML)).text
    web = body["channels"]["web"]
    assert set(web) == NUMBERS
    assert (web["received"], web["answered"], web["waiting"], web["n"]) == (3, 1, 2, 2)
    assert web["escalation_rate"] == 0.5
    assert web["latency_ms"]["thinking"]["p50"] == 2000
    assert web["latency_ms"]["delivery"] == {"p50": 0, "p95": 0}
    assert web["sentiment"]["average"] == pytest.approx(0)
    assert web["resolution_rate"] == 0.5
    assert web["outcomes"] == {"answered": 1, "escalated": 1}
    assert web == body["total"]
    for name in NUMBERS - {"latency_ms", "sentiment", "sla", "csat"}:
        assert body["definitions"][name]
    for name in ("latency_ms.queue", "sentiment.change", "p95"):
        assert body["definitions"][name]
    assert "<svg" in page
    assert "style=" not in page


@pytest.mark.parametrize("hours", ["0", "8761", "-1", "1.5", "x", "", "9" * 30, "٣"])
async def test_hours_must_be_a_whole_number_within_a_year(database_url: str, hours: str) -> None:
    async with open_desk(database_url) as desk:
        assert (await ask(desk, f"/metrics/channels?hours={hours}", 422))["errors"][0]["field"] == "hours"


async def test_gauges_are_prometheus_text(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        await submit(desk)
        answer = await desk.get("/metrics", headers=STAFF)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'deskhand_queue_messages{kind="inbound"} 1\n' in answer.text
    assert "# TYPE deskhand_customers_unseen gauge\ndeskhand_customers_unseen 0\n" in answer.text
    assert 'deskhand_alarms{alarm="no_worker"} 1\n' in answer.text
    for line in answer.text.splitlines():
        assert line.startswith("#") or len(line.rsplit(" ", 1)) == 2


async def test_health_asks_for_a_person_when_one_is_needed(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        body = await ask(desk, "/health/detailed", 503)
        assert any("worker" in trouble for trouble in body["needs_attention"])
        [alarm] = body["alarms"]
        assert (alarm["alarm"], alarm["needs_person"], alarm["since"]) == ("no_worker", True, None)
        assert "python -m app worker" in alarm["what_to_do"]
        await conn.execute("insert into workers (name) values ('w')")
        body = await ask(desk, "/health/detailed")
        assert (body["status"], body["alarms"]) == ("ok", [])
        assert {"database", "schema", "queue", "workers", "channels", "providers", "embedder", "waiting"} <= set(body)
        assert body["schema"]["version"] == body["schema"]["expected"]
        await submit(desk)
        await answer_waiting(conn, Answer(outcome="escalated", kind="handoff"))
        body = await ask(desk, "/health/detailed", 503)
        assert body["waiting"][0]["is_unseen"]
        assert (await desk.get("/health")).json() == {"status": "ok"}


async def test_an_alarm_that_can_wait_is_shown_but_calls_nobody(database_url: str, conn: Connection) -> None:
    await conn.execute(
        "insert into workers (name, heartbeat_at) values ('w', now()), ('gone', now() - interval '2 minutes')"
    )
    async with open_desk(database_url) as desk:
        body = await ask(desk, "/health/detailed")
    assert body["needs_attention"] == []
    [alarm] = body["alarms"]
    assert (alarm["about"], alarm["needs_person"]) == ("gone", False)
    assert alarm["since"] == next(one["heartbeat_at"] for one in body["workers"] if one["name"] == "gone")


async def count_rows(conn: Connection) -> dict[str, int]:
    tables = await conn.fetch("select tablename as name from pg_tables where schemaname = 'public'")
    return {row["name"]: await conn.fetchval(f"select count(*) from {row['name']}") for row in tables}  # noqa: S608


async def answer_soon(pool: Pool, answer: Answer) -> None:
    async with pool.acquire() as conn:
        while not await answer_waiting(conn, answer):
            await asyncio.sleep(0.01)


async def test_queue_test_says_how_it_went_and_leaves_nothing_behind(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    before = await count_rows(conn)
    async with open_desk(database_url) as desk:
        working = asyncio.create_task(answer_soon(pool, Answer("All is well.", effects=[ESCALATION])))
        answer = await desk.post("/test/queue", json={"timeout_seconds": 20}, headers=STAFF)
        await working
        metrics = await ask(desk, "/metrics/channels")
    body = answer.json()
    assert answer.status_code == 200
    assert (body["ok"], body["reply"], body["queue_ms"]) == (True, "All is well.", 40)
    assert body["total_ms"] > 0
    assert await count_rows(conn) == before
    assert (metrics["total"]["received"], metrics["total"]["n"]) == (0, 0)


async def test_queue_test_nobody_answers_leaves_nothing_behind_either(database_url: str, conn: Connection) -> None:
    before = await count_rows(conn)
    async with open_desk(database_url) as desk:
        body = (await desk.post("/test/queue", json={"timeout_seconds": 0.2}, headers=STAFF)).json()
        assert (body["ok"], body["reply"], body["queue_ms"]) == (False, None, None)
        assert (await desk.post("/test/queue", json={"timeout_seconds": "x"}, headers=STAFF)).status_code == 422
        assert (await desk.post("/test/queue", json={"timeout_seconds": 1e9}, headers=STAFF)).status_code == 422
    assert await count_rows(conn) == before


async def test_worker_that_holds_a_removed_test_keeps_nothing(database_url: str, pool: Pool, conn: Connection) -> None:
    before = await count_rows(conn)
    async with open_desk(database_url) as desk:
        test = asyncio.create_task(desk.post("/test/queue", json={"timeout_seconds": 0.5}, headers=STAFF))
        lanes: list[queue.ClaimedLane] = []
        while not lanes:
            lanes = await queue.claim_lanes(conn, worker="w", lanes=1, messages=1, lease=timedelta(seconds=30))
            await asyncio.sleep(0.01)
        await test
    assert not await queue.finish_work(conn, lanes[0])
    assert await count_rows(conn) == before


async def test_real_customers_survive_a_queue_test(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        reference = await submit(desk)
        await answer_waiting(conn)
        await desk.post("/test/queue", json={"timeout_seconds": 0.1}, headers=STAFF)
        assert (await ask(desk, f"/support/ticket/{reference}"))["status"] == "answered"
        await ask(desk, "/customers/lookup?email=ana@example.com")


async def test_missing_staff_token_is_told_on_the_log_in_page(database_url: str) -> None:
    async with open_desk(database_url, settings=read_settings({"APP_SECRET": "s"})) as desk:
        page = await desk.post("/login", data={"token": "x"})
    assert page.status_code == 401
    assert "Set ADMIN_TOKEN" in page.text
