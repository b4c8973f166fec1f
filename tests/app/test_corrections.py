"""A person says what a message should have been taken for: a new example, the right queue, nothing for strangers."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from db.examples import find_stamp, list_examples
from db.pool import Connection
from tests.app.desk import FORM, HTML, STAFF, Answer, answer_waiting, find_conversation, open_desk

ASSESSED = {"kind": "assess", "category": "technical", "priority": 5, "priority_why": "technical question"}
RIGHT = {"category": "legal", "sentiment": "negative", "reason": "legal"}


async def submit(desk: httpx2.AsyncClient) -> tuple[str, str]:
    """The reference of a new ticket, and the address of its conversation."""
    reference = (await desk.post("/support/submit", json=FORM)).json()["ticket"]
    return reference, await find_conversation(desk, reference)


async def correct(desk: httpx2.AsyncClient, talk: str, expected: int, **changed: Any) -> Any:
    answer = await desk.post(f"{talk}/correction", json=RIGHT | changed, headers=STAFF)
    assert answer.status_code == expected, answer.text
    return answer.json()


async def test_a_correction_becomes_an_example_and_moves_the_ticket(database_url: str, conn: Connection) -> None:
    before = await find_stamp(conn)
    async with open_desk(database_url) as desk:
        reference, talk = await submit(desk)
        await answer_waiting(conn)
        assert (await correct(desk, talk, 200)) == {"conversation": talk.split("/")[-1], "outcome": "accepted"}
    learnt = {example.text: example for example in await list_examples(conn)}[FORM["message"]]
    assert (learnt.category, learnt.sentiment, learnt.reasons) == ("legal", "negative", ("legal",))
    assert await conn.fetchval("select category from tickets where reference = $1", reference) == "legal"
    assert await find_stamp(conn) != before


async def test_the_last_correction_of_the_same_words_counts(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        await answer_waiting(conn)
        await correct(desk, talk, 200)
        await correct(desk, talk, 200, category="billing", reason="none")
    rows = await conn.fetch("select category, reasons from examples where source = 'person'")
    assert [tuple(row) for row in rows] == [("billing", [])]


async def test_what_a_person_said_stays_when_the_customer_writes_again(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        submitted = (await desk.post("/support/submit", json=FORM)).json()
        reference = submitted["ticket"]
        await answer_waiting(conn)
        talk = await find_conversation(desk, reference)
        await correct(desk, talk, 200)
        path, _, token = submitted["status_url"].removeprefix("http://localhost:8000").partition("?")
        assert (await desk.post(f"{path}/messages?{token}", json={"message": "And now?"})).status_code == 202
        await conn.execute("update lanes set run_at = now() - interval '1 s'")
        assert await answer_waiting(conn, Answer(effects=[ASSESSED])) == 1
        page = (await desk.get(talk, headers=STAFF | HTML)).text
    assert await conn.fetchval("select category from tickets where reference = $1", reference) == "legal"
    for chosen in ("legal", "negative"):
        assert f'<option value="{chosen}" selected>' in page


async def test_a_shipped_example_stays_when_the_message_that_corrected_it_goes(
    database_url: str, conn: Connection
) -> None:
    await conn.execute(
        "insert into examples (text, category, sentiment, source) values ($1, 'billing', 'neutral', 'shipped')",
        FORM["message"],
    )
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        await answer_waiting(conn)
        await correct(desk, talk, 200)
    assert {one.text: one.category for one in await list_examples(conn)}[FORM["message"]] == "legal"
    await conn.execute("delete from messages where direction = 'inbound'")
    assert {one.text: one.category for one in await list_examples(conn)}[FORM["message"]] == "billing"


async def test_an_example_goes_with_the_message_it_was_made_from(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        await answer_waiting(conn)
        await correct(desk, talk, 200)
    await conn.execute("delete from messages where direction = 'inbound'")
    assert await conn.fetchval("select count(*) from examples where source = 'person'") == 0


async def test_what_cannot_be_corrected_is_said(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        problem = await correct(desk, talk, 422, category="sales", reason="bored")
        assert {error["field"] for error in problem["errors"]} == {"category", "reason"}
        await correct(desk, talk, 409)
        for nobody in (f"/conversations/{uuid4()}", "/conversations/TF-20260101-0001"):
            await correct(desk, nobody, 404)
    assert await conn.fetchval("select count(*) from examples where source = 'person'") == 0


async def test_a_test_of_the_queue_teaches_nothing(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        await answer_waiting(conn)
        await conn.execute("update conversations set is_test = true")
        await correct(desk, talk, 404)


async def test_only_the_team_may_teach_the_agent(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        submitted = (await desk.post("/support/submit", json=FORM)).json()
        await answer_waiting(conn)
        path, _, token = submitted["status_url"].removeprefix("http://localhost:8000").partition("?")
        talk = await find_conversation(desk, submitted["ticket"])
        for query in ("", f"?{token}"):
            answer = await desk.post(f"{talk}/correction{query}", json=RIGHT)
            assert answer.status_code == 401
        page = (await desk.get(f"{path}?{token}", headers=HTML)).text
    assert "Teach the assistant" not in page
    assert await conn.fetchval("select count(*) from examples where source = 'person'") == 0


async def test_the_page_offers_what_the_assistant_made_of_it(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        await answer_waiting(conn)
        page = await desk.get(talk, headers=STAFF | HTML)
        sent = await desk.post(f"{talk}/correction", data=RIGHT, headers=STAFF | HTML)
    assert page.text.split('id="correction"')[1].count("selected>") == 3
    assert (sent.status_code, sent.headers["location"]) == (303, talk)


@pytest.mark.parametrize("missing", sorted(RIGHT))
async def test_a_correction_names_queue_mood_and_reason(database_url: str, conn: Connection, missing: str) -> None:
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        await answer_waiting(conn)
        body = {name: value for name, value in RIGHT.items() if name != missing}
        answer = await desk.post(f"{talk}/correction", json=body, headers=STAFF)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [missing]
