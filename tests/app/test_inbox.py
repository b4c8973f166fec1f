"""Promises about the list: everyone who waits is on it once, the most urgent first, and counts match their rows."""

import asyncio
from typing import Any

import httpx2
import pytest

from app.inbox import Filters, InboxReader
from db.inbox import MOST_LOOKED_AT
from db.pool import Connection, Pool, acquire
from tests.app.desk import FORM, HTML, STAFF, Answer, answer_waiting, open_desk

ESCALATION = {
    "kind": "escalate", "category": "billing", "team": "billing", "assignee": None, "priority": 7,
    "priority_why": "rule", "reason": "billing_dispute", "handoff_note": "Two invoices",
}  # fmt: skip


async def write(desk: httpx2.AsyncClient, name: str, message: str = "Hello there") -> str:
    form = FORM | {"name": name, "email": f"{name.lower()}@example.com", "message": message}
    reference: str = (await desk.post("/support/submit", json=form)).json()["ticket"]
    return reference


async def escalate(
    conn: Connection, *, due_at: str = "2099-01-05T10:00:00Z", sentiment: float = 0, **effect: Any
) -> None:
    """Hand over whoever waits for the agent."""
    change = ESCALATION | {"due_at": due_at} | effect
    said = Answer("Handed over.", kind="handoff", outcome="escalated", effects=[change], sentiment=sentiment)
    await answer_waiting(conn, said)


async def read_list(desk: httpx2.AsyncClient, query: str = "") -> dict[str, Any]:
    answer = await desk.get(f"/inbox{query}", headers=STAFF)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def names(found: dict[str, Any]) -> list[str]:
    return [line["customer"] for line in found["lines"]]


async def test_those_who_wait_for_the_team_come_by_due_time_then_priority_then_anger(
    database_url: str, conn: Connection
) -> None:
    async with open_desk(database_url) as desk:
        for name, due_at, priority, sentiment in (
            ("Calm", "2099-01-01T10:00:00Z", 7, 0.0),
            ("Angry", "2099-01-01T10:00:00Z", 7, -0.9),
            ("Urgent", "2099-01-01T10:00:00Z", 10, 0.0),
            ("Sooner", "2098-01-01T10:00:00Z", 7, 0.5),
        ):
            await write(desk, name)
            await escalate(conn, due_at=due_at, priority=priority, sentiment=sentiment)
        assert names(await read_list(desk)) == ["Sooner", "Urgent", "Angry", "Calm"]


async def test_every_count_is_the_number_of_rows_of_its_box(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        for name in ("Ana", "Ben"):
            await write(desk, name)
        await escalate(conn)
        await write(desk, "Eva")
        await write(desk, "Done")
        await answer_waiting(conn)
        await write(desk, "Queued")
        found = await read_list(desk)
        for box, count in found["counts"].items():
            assert len((await read_list(desk, f"?box={box}"))["lines"]) == count
        assert found["counts"] == {"people": 2, "mine": 0, "unassigned": 2, "assistant": 1, "snoozed": 0}
        assert names(await read_list(desk, "?box=assistant")) == ["Queued"]
        assert names(await read_list(desk, "?box=waiting")) == ["Done", "Eva"]
        narrowed = await read_list(desk, "?channel=gmail")
        assert (narrowed["lines"], set(narrowed["counts"].values())) == ([], {0})


async def test_a_customer_whom_no_worker_has_read_yet_is_on_the_list_with_their_words(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        await write(desk, "Ana", "Where is my invoice?")
        [line] = (await read_list(desk, "?box=assistant"))["lines"]
        assert (line["customer"], line["subject"], line["words"]) == ("Ana", FORM["subject"], "Where is my invoice?")


@pytest.mark.parametrize("words", ["invoice", '"my invoice"', "ana@example.com", "{reference}", "invoice -refund"])
async def test_what_was_said_is_found_by_its_words_its_author_and_its_reference(
    database_url: str, conn: Connection, words: str
) -> None:
    async with open_desk(database_url) as desk:
        reference = await write(desk, "Ana", "Where is my invoice?")
        await write(desk, "Ben", "I want a refund")
        await answer_waiting(conn)
        answer = await desk.get("/inbox", params={"words": words.format(reference=reference)}, headers=STAFF)
        assert names(answer.json()) == ["Ana"]


@pytest.mark.parametrize(
    "query", ["?words=%00", "?box=nothing", "?before=yesterday&box=all", "?words=%22", "?language=%ff"]
)
async def test_no_address_of_the_list_is_an_error(database_url: str, query: str) -> None:
    async with open_desk(database_url) as desk:
        for headers in (STAFF, STAFF | HTML):
            assert (await desk.get(f"/inbox{query}", headers=headers)).status_code == 200


async def test_what_customers_write_stays_text_on_the_list(database_url: str, conn: Connection) -> None:
    attack = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    async with open_desk(database_url) as desk:
        await desk.post("/support/submit", json=FORM | {"name": attack, "subject": attack, "message": attack})
        await escalate(conn)
        page = (await desk.get("/inbox", headers=STAFF | HTML)).text
        assert "<img src=x" not in page
        assert "<script>alert" not in page
        assert "&lt;img src=x" in page


async def test_many_pages_that_look_at_once_read_the_list_once_and_never_see_the_past(
    pool: Pool, conn: Connection
) -> None:
    reader = InboxReader(pool)
    first = await asyncio.gather(*(reader.read() for _ in range(50)))
    assert len({id(reading) for reading in first}) == 1
    await conn.execute(
        "insert into conversations (channel, thread_key, waiting_since, handler) values ('web', 'X', now(), 'human')"
    )
    assert len((await reader.read()).lines) == len(first[0].lines) + 1
    assert (await reader.read()).stamp != first[0].stamp


async def test_the_list_is_read_while_another_reading_is_under_way(pool: Pool, conn: Connection) -> None:
    reader = InboxReader(pool)
    early = asyncio.create_task(reader.read())
    await asyncio.sleep(0.001)
    async with acquire(pool) as own:
        await own.execute(
            "insert into conversations (channel, thread_key, waiting_since, handler)"
            " values ('web', 'X', now(), 'human')"
        )
    late = await reader.read()
    await early
    assert len(late.lines) == 1


async def test_whoever_waits_for_the_team_is_read_before_those_the_agent_has_and_the_page_says_what_was_left_out(
    database_url: str, conn: Connection, pool: Pool
) -> None:
    async with open_desk(database_url) as desk:
        await write(desk, "Ana")
        await escalate(conn)
        for name in ("Ben", "Eva"):
            await write(desk, name)
        few = await InboxReader(pool, 2).read()
        assert (few.lines[0].customer, len(few.lines), few.is_cut) == ("Ana", 2, True)
        assert not (await InboxReader(pool, 3).read()).is_cut
        assert (await read_list(desk))["is_cut"] is False
        assert "Not everyone" not in (await desk.get("/inbox", headers=STAFF | HTML)).text


def test_only_categories_and_languages_that_there_can_be_narrow_the_list_down() -> None:
    known = Filters.read({"category": "billing", "language": "pt-BR"})
    assert (known.category, known.language) == ("billing", "pt-BR")
    for category, language in (("parrots", "x"), ("Billing", "en' or 1"), ("", "english-of-old")):
        dropped = Filters.read({"category": category, "language": language})
        assert (dropped.category, dropped.language) == ("", "")


async def test_the_page_says_when_it_did_not_look_through_everybody(database_url: str, conn: Connection) -> None:
    await conn.execute(
        f"insert into conversations (channel, thread_key, language) select 'web', n, 'en' "  # noqa: S608
        f"from generate_series(1, {MOST_LOOKED_AT + 1}) n"
    )
    async with open_desk(database_url) as desk:
        for query, is_cut in (("language=sv", True), ("language=en", False), ("", False)):
            path = f"/inbox?box=all&{query}"
            assert (await desk.get(path, headers=STAFF)).json()["is_cut"] is is_cut
            assert ("were looked through" in (await desk.get(path, headers=STAFF | HTML)).text) is is_cut
