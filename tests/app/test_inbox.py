"""Promises about the list: everyone who waits is on it once, the most urgent first, and counts match their rows."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from typing import Any

import asyncpg
import httpx2
import pytest

from app.inbox import Filters, InboxReader
from db.inbox import MOST_LOOKED_AT
from db.pool import Connection, Pool, acquire, set_up_connection
from tests.app.desk import FORM, HTML, STAFF, Answer, answer_waiting, find_conversation, open_desk

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
        assert found["counts"] == {"people": 2, "mine": 0, "unassigned": 2, "drafts": 0, "assistant": 1, "snoozed": 0}
        assert names(await read_list(desk, "?box=assistant")) == ["Queued"]
        assert names(await read_list(desk, "?box=waiting")) == ["Done", "Eva"]
        narrowed = await read_list(desk, "?channel=gmail")
        assert (narrowed["lines"], set(narrowed["counts"].values())) == ([], {0})


async def test_what_somebody_has_and_has_not_finished_stays_theirs_when_nobody_waits(
    database_url: str, conn: Connection
) -> None:
    async with open_desk(database_url) as desk:
        reference = await write(desk, "Ana")
        await escalate(conn)
        talk = await find_conversation(desk, reference)
        await desk.post(f"{talk}/take-over", headers=STAFF)
        await desk.post(f"{talk}/answer", json={"message": "I look into it now."}, headers=STAFF)
        await conn.execute("update conversations set waiting_since = null")  # as when it has reached them
        await conn.execute("update tickets set assignee = 'ADMIN_TOKEN'")
        mine = await read_list(desk, "?box=mine")
        assert (names(mine), mine["counts"]["mine"], mine["counts"]["people"]) == (["Ana"], 1, 0)
        await desk.post(f"{talk}/resolve", headers=STAFF)
        assert names(await read_list(desk, "?box=mine")) == []


async def test_a_suggestion_waits_in_a_box_of_its_own_also_where_no_customer_waits(
    database_url: str, conn: Connection
) -> None:
    async with open_desk(database_url) as desk:
        await write(desk, "Told")
        await answer_waiting(conn)
        assert names(await read_list(desk, "?box=drafts")) == []
        await conn.execute(
            """
            insert into drafts (conversation_id, channel, category, source, body)
            select id, channel, 'general', 'correction', 'It is 30 minutes.' from conversations
            """
        )
        found = await read_list(desk, "?box=drafts")
        assert (names(found), found["counts"]["drafts"], found["counts"]["people"]) == (["Told"], 1, 0)
        page = (await desk.get("/inbox?box=drafts", headers=STAFF | HTML)).text
        assert "a correction is suggested" in page
        await conn.execute("update drafts set state = 'rejected'")
        assert names(await read_list(desk, "?box=drafts")) == []


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


class Readings:
    """Counts the connections that were taken from a pool: a reading takes one."""

    count = 0

    async def add(self, _: object) -> None:
        self.count += 1


@asynccontextmanager
async def count_readings(database_url: str) -> AsyncIterator[tuple[InboxReader, Readings]]:
    made = Readings()
    async with asyncpg.create_pool(
        database_url, min_size=0, max_size=60, init=set_up_connection, setup=made.add
    ) as counted:
        yield InboxReader(counted), made


async def until_held(conn: Connection) -> None:
    """Until a statement waits for a lock on a table."""
    while not await conn.fetchval("select exists (select from pg_locks where not granted and relation is not null)"):
        await asyncio.sleep(0.01)


ADD_WAITING = """
insert into conversations (channel, thread_key, waiting_since, handler) values ('web', 'X', now(), 'human')
"""


async def test_many_pages_that_look_at_once_read_the_list_once_and_never_see_the_past(
    database_url: str, conn: Connection
) -> None:
    async with count_readings(database_url) as (reader, made):
        first = await asyncio.gather(*(reader.read() for _ in range(50)))
        assert (len({id(reading) for reading in first}), made.count) == (1, 1)
        await conn.execute(ADD_WAITING)
        assert len((await reader.read()).lines) == len(first[0].lines) + 1
        assert (await reader.read()).stamp != first[0].stamp


async def test_pages_that_look_while_the_list_is_read_share_the_next_reading(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    """They may have seen what the reading under way has not."""
    async with count_readings(database_url) as (reader, made), acquire(pool) as own, asyncio.timeout(30):
        async with own.transaction():
            await own.execute("lock table conversations in access exclusive mode")
            early = asyncio.create_task(reader.read())
            await until_held(conn)
            late = [asyncio.create_task(reader.read()) for _ in range(5)]
            await asyncio.sleep(0)  # all five have asked
            await own.execute(ADD_WAITING)
        await early
        found = await asyncio.gather(*late)
    assert [len(reading.lines) for reading in found] == [1] * 5
    assert made.count == 2


@pytest.mark.parametrize("box", ["all", "resolved"])
async def test_older_ones_go_on_where_the_page_ended_also_among_those_that_changed_in_the_same_moment(
    database_url: str, conn: Connection, box: str
) -> None:
    await conn.execute(
        "insert into conversations (channel, thread_key, status)"
        " select 'web', n, 'resolved' from generate_series(1, 120) n"
    )
    read: list[str] = []
    async with open_desk(database_url) as desk:
        address: str | None = f"/inbox?box={box}&channel=web"
        while address:
            read += list_ids(await read_list(desk, address.removeprefix("/inbox")))
            page = (await desk.get(address, headers=STAFF | HTML)).text
            found = re.search(r'href="([^"]*)">Older ones', page)
            address = unescape(found[1]) if found else None
    assert (len(read), len(set(read))) == (120, 120)


def list_ids(found: dict[str, Any]) -> list[str]:
    return [line["conversation_id"] for line in found["lines"]]


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
