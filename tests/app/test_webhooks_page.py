"""Promises about the page of outgoing webhooks: an admin adds, tries, switches and removes them; secrets show once."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from db.pool import Connection
from tests.app.desk import HTML, STAFF, make_settings, open_desk
from tests.app.people import add_person, open_browser

URL = "https://hooks.example.com/desk?team=1"


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with open_desk(database_url) as client:
        yield client


async def add(desk: httpx2.AsyncClient, expected: int = 201, **fields: Any) -> Any:
    """As a program with ADMIN_TOKEN."""
    wanted = {"url": URL, "events": ["person_needed"]} | fields
    answer = await desk.post("/webhooks", json=wanted, headers=STAFF)
    assert answer.status_code == expected, answer.text
    return answer.json()


async def act(desk: httpx2.AsyncClient, webhook_id: str, action: str) -> int:
    return (await desk.post(f"/webhooks/{webhook_id}/{action}", json={}, headers=STAFF)).status_code


async def list_all(desk: httpx2.AsyncClient) -> Any:
    return (await desk.get("/webhooks", headers=STAFF)).json()["webhooks"]


async def test_an_admin_adds_one_on_the_page_and_sees_its_secret_once(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    browser = await open_browser(conn, await add_person(conn, "lee@example.com", "admin")) | HTML
    form = {"url": URL, "person_needed": "on", "resolved": "on"}
    made = await desk.post("/webhooks", data=form, headers=browser)
    assert made.status_code == 201
    secret = await conn.fetchval("select secret from webhooks")
    assert len(secret) > 40
    assert secret in made.text
    later = await desk.get("/webhooks", headers=browser)
    assert "https://hooks.example.com/desk" in later.text
    assert "a customer needs a person, a conversation was resolved" in later.text
    assert secret not in later.text
    assert secret not in (await desk.get("/webhooks", headers=STAFF)).text
    assert secret not in (await desk.get("/audit", headers=STAFF)).text


@pytest.mark.parametrize("role", ["agent", "manager"])
async def test_who_is_no_admin_sees_and_changes_none(desk: httpx2.AsyncClient, conn: Connection, role: Any) -> None:
    browser = await open_browser(conn, await add_person(conn, role=role)) | HTML
    assert (await desk.get("/webhooks", headers=browser)).status_code == 403
    refused = await desk.post("/webhooks", data={"url": URL, "resolved": "on"}, headers=browser)
    assert (refused.status_code, await conn.fetchval("select count(*) from webhooks")) == (403, 0)
    assert "/webhooks" not in (await desk.get("/inbox", headers=browser)).text


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/", "https://hooks.example.com:444/", "https://a:b@hooks.example.com/", "x", ""]
)
async def test_an_address_that_is_not_plainly_https_is_refused(desk: httpx2.AsyncClient, url: str) -> None:
    said = await add(desk, 422, url=url)
    assert [error["field"] for error in said["errors"]] == ["url"]
    assert await list_all(desk) == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "127.1", "2130706433", "0x7f000001"],  # noqa: S104
)  # fmt: skip
async def test_an_address_that_is_not_of_the_open_internet_is_refused_at_once(
    desk: httpx2.AsyncClient, host: str
) -> None:
    said = await add(desk, 422, url=f"https://{host}/hook")
    assert [error["field"] for error in said["errors"]] == ["url"]
    assert "open Internet" in said["errors"][0]["message"]
    assert await list_all(desk) == []


async def test_a_public_address_in_digits_is_taken(desk: httpx2.AsyncClient) -> None:
    await add(desk, url="https://93.184.215.14/hook")


@pytest.mark.parametrize("events", [[], ["everything"], "resolved", None])
async def test_it_must_be_told_something_there_is(desk: httpx2.AsyncClient, events: Any) -> None:
    said = await add(desk, 422, events=events)
    assert [error["field"] for error in said["errors"]] == ["events"]


async def test_a_page_without_a_box_ticked_says_what_is_missing(desk: httpx2.AsyncClient) -> None:
    page = await desk.post("/webhooks", data={"url": URL}, headers=STAFF | HTML)
    assert page.status_code == 422
    assert "Please choose at least one thing it is to be told." in page.text


async def test_a_place_for_tests_is_taken_only_where_the_settings_name_it(database_url: str) -> None:
    settings = make_settings(WEBHOOK_TEST_ORIGIN="http://127.0.0.1:9000")
    async with open_desk(database_url, settings=settings) as desk:
        await add(desk, url="http://127.0.0.1:9000/hook")
        await add(desk, 422, url="http://127.0.0.1:9001/hook")


async def test_a_test_is_queued_for_a_worker_and_not_for_one_that_is_off(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    one = (await add(desk))["id"]
    assert await act(desk, one, "test") == 200
    kind = "select payload->'body'->>'kind' from message_queue where kind = 'post'"
    assert await conn.fetchval(kind) == "test"
    assert (await list_all(desk))[0]["waiting"] == 1
    assert await act(desk, one, "off") == 200
    assert await act(desk, one, "test") == 409
    assert not (await list_all(desk))[0]["is_on"]
    assert await act(desk, one, "on") == 200
    assert (await list_all(desk))[0]["is_on"]
    assert await act(desk, one, "remove") == 200
    assert await list_all(desk) == []
    assert await act(desk, one, "remove") == 404
    assert await act(desk, "x", "on") == 404


async def test_what_was_done_to_them_is_in_the_audit(desk: httpx2.AsyncClient, conn: Connection) -> None:
    one = (await add(desk))["id"]
    for action in ("test", "off", "off", "on", "remove"):
        await act(desk, one, action)
    done = await conn.fetch("select action from audit where about = $1 order by id", f"webhook:{one}")
    assert [row["action"] for row in done] == [
        "webhook_added", "webhook_tested", "webhook_off", "webhook_on", "webhook_removed",
    ]  # fmt: skip


async def test_another_site_cannot_add_one_by_a_browser_of_the_team(desk: httpx2.AsyncClient, conn: Connection) -> None:
    browser = await open_browser(conn, await add_person(conn, role="admin")) | HTML
    foreign = browser | {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    answer = await desk.post("/webhooks", data={"url": URL, "resolved": "on"}, headers=foreign)
    assert answer.status_code in (401, 403)
    assert await conn.fetchval("select count(*) from webhooks") == 0


async def test_why_it_took_nothing_is_on_the_page(desk: httpx2.AsyncClient, conn: Connection) -> None:
    one = (await add(desk))["id"]
    await conn.execute("select note_post($1::text::uuid, 503, 'it answered with status 503')", one)
    page = (await desk.get("/webhooks", headers=STAFF | HTML)).text
    assert "it answered with status 503; 1 in a row failed" in page
