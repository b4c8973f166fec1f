"""Promises about canned replies: none is lost to another of its name, and every change is on record."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from db.pool import Connection
from tests.app.desk import HTML, STAFF, open_desk
from tests.app.people import add_person, open_browser


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with open_desk(database_url) as client:
        yield client


async def keep(desk: httpx2.AsyncClient, expected: int = 200, **fields: str) -> Any:
    """As a program with ADMIN_TOKEN."""
    answer = await desk.post("/canned", json=fields, headers=STAFF)
    assert answer.status_code == expected, answer.text
    return answer.json()


async def list_texts(conn: Connection) -> dict[str, str]:
    return {row["name"]: row["body"] for row in await conn.fetch("select name, body from canned_replies")}


async def test_a_new_one_never_takes_the_place_of_another(desk: httpx2.AsyncClient, conn: Connection) -> None:
    await keep(desk, name="Thanks", message="Thank you.")
    said = await keep(desk, 409, name="Thanks", message="Something else.")
    assert said["detail"] == "There is a canned reply of this name already. Change that one, or choose another name."
    assert await list_texts(conn) == {"Thanks": "Thank you."}


async def test_whoever_chose_a_name_that_is_taken_keeps_their_text(desk: httpx2.AsyncClient, conn: Connection) -> None:
    await keep(desk, name="Thanks", message="Thank you.")
    browser = HTML | await open_browser(conn, await add_person(conn))
    page = await desk.post("/canned", data={"name": "Thanks", "message": "Something else."}, headers=browser)
    assert page.status_code == 409
    assert "There is a canned reply of this name already." in page.text
    assert "Something else.</textarea>" in page.text
    assert await list_texts(conn) == {"Thanks": "Thank you."}


async def test_one_is_changed_by_the_form_that_shows_it(desk: httpx2.AsyncClient, conn: Connection) -> None:
    await keep(desk, name="Thanks", message="Thank you.")
    browser = HTML | await open_browser(conn, await add_person(conn))
    assert '<input type="hidden" name="was" value="Thanks">' in (await desk.get("/canned", headers=browser)).text
    fields = {"was": "Thanks", "name": "Thanks", "message": "Many thanks."}
    assert (await desk.post("/canned", data=fields, headers=browser)).status_code == 303
    assert await list_texts(conn) == {"Thanks": "Many thanks."}


async def test_a_mistake_in_a_change_is_mended_as_a_change(desk: httpx2.AsyncClient, conn: Connection) -> None:
    await keep(desk, name="Thanks", message="Thank you.")
    browser = HTML | await open_browser(conn, await add_person(conn))
    page = await desk.post("/canned", data={"was": "Thanks", "name": "Thanks", "message": " "}, headers=browser)
    assert page.status_code == 422
    assert "<p>Text: Please fill this in.</p>" in page.text
    assert "<h2>Change Thanks</h2>" in page.text
    assert page.text.count('<input type="hidden" name="was" value="Thanks">') == 2


async def test_one_is_renamed_unless_the_name_is_taken(desk: httpx2.AsyncClient, conn: Connection) -> None:
    await keep(desk, name="Thanks", message="Thank you.")
    await keep(desk, name="Bye", message="Goodbye.")
    await keep(desk, 409, was="Thanks", name="Bye", message="Thank you.")
    await keep(desk, was="Thanks", name="Many thanks", message="Thank you.")
    assert await list_texts(conn) == {"Many thanks": "Thank you.", "Bye": "Goodbye."}


async def test_a_change_of_one_that_was_removed_is_told_and_its_text_comes_back_as_a_new_one(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    browser = HTML | await open_browser(conn, await add_person(conn))
    page = await desk.post("/canned", data={"was": "Thanks", "name": "Thanks", "message": "Hello."}, headers=browser)
    assert page.status_code == 409
    assert "Somebody has removed it, or given it another name." in page.text
    assert 'name="was"' not in page.text
    assert "Hello.</textarea>" in page.text
    assert await list_texts(conn) == {}


async def test_keeping_changing_and_removing_are_on_record(desk: httpx2.AsyncClient, conn: Connection) -> None:
    await keep(desk, name="Thanks", message="Thank you.")
    await keep(desk, 409, name="Thanks", message="Never kept.")
    await keep(desk, was="Thanks", name="Bye", message="Goodbye.")
    assert (await desk.post("/canned/remove", json={"name": "Bye"}, headers=STAFF)).status_code == 200
    assert (await desk.post("/canned/remove", json={"name": "Bye"}, headers=STAFF)).status_code == 404
    rows = (await desk.get("/audit?about=canned:", headers=STAFF)).json()["rows"]
    assert [(row["action"], row["about"], row["details"]) for row in reversed(rows)] == [
        ("wrote a canned reply", "canned:Thanks", {"to": "Thank you."}),
        ("changed a canned reply", "canned:Bye", {"was": "Thanks", "from": "Thank you.", "to": "Goodbye."}),
        ("dropped a canned reply", "canned:Bye", {"from": "Goodbye."}),
    ]
