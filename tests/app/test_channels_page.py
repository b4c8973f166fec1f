"""Promises about the page of channels: what stands around replies is set, tried out, and refused where it is wrong."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from db.pool import Connection
from tests.app.desk import HTML, STAFF, open_desk
from tests.app.people import add_person, open_browser

TEXTS = {"channel": "gmail", "greeting": "{hello} {name}!", "signature": "Your team\nTidefern", "asks_csat": True}


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with open_desk(database_url) as client:
        yield client


async def send(desk: httpx2.AsyncClient, expected: int = 200, path: str = "/channels", **changed: Any) -> Any:
    answer = await desk.post(path, json=TEXTS | changed, headers=STAFF)
    assert answer.status_code == expected, answer.text
    return answer.json()


async def load(conn: Connection, channel: str = "gmail") -> tuple[Any, ...]:
    row = await conn.fetchrow("select greeting, signature, asks_csat from channel_configs where channel = $1", channel)
    return tuple(row or ())


async def list_audit(conn: Connection) -> list[Any]:
    return list(await conn.fetch("select actor_name, about, details from audit where action = 'set channel'"))


async def test_a_manager_sets_what_stands_around_replies_and_it_is_recorded(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    browser = await open_browser(conn, await add_person(conn, "lee@example.com", "manager")) | HTML
    others = [await load(conn, "web"), await load(conn, "whatsapp")]
    form = TEXTS | {"asks_csat": "on", "signature": "Your team\r\nTidefern"}
    kept = await desk.post("/channels", data=form, headers=browser)
    assert (kept.status_code, kept.headers["location"]) == (303, "/channels")
    assert await load(conn) == ("{hello} {name}!", "Your team\nTidefern", True)
    assert [await load(conn, "web"), await load(conn, "whatsapp")] == others
    [row] = await list_audit(conn)
    assert (row["actor_name"], row["about"]) == ("lee@example.com", "channel:gmail")
    assert (row["details"]["from"]["signature"], row["details"]["to"]["signature"]) == ("", "Your team\nTidefern")
    await send(desk)
    assert len(await list_audit(conn)) == 1


async def test_a_box_that_is_not_ticked_asks_no_customer(desk: httpx2.AsyncClient, conn: Connection) -> None:
    await send(desk)
    unticked = {name: value for name, value in TEXTS.items() if name != "asks_csat"}
    assert (await desk.post("/channels", data=unticked, headers=STAFF | HTML)).status_code == 303
    assert (await load(conn))[2] is False


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"greeting": "Dear {first_name},"}, "greeting", "There is no {first_name}: a greeting may hold {hello}"),
        ({"greeting": "Dear {Name},"}, "greeting", "There is no {Name}"),
        ({"greeting": "Dear { name },"}, "greeting", "There is no { name }"),
        ({"greeting": "x" * 101}, "greeting", "at most 100 characters"),
        ({"greeting": "One\nTwo"}, "greeting", "one line"),
        ({"greeting": 5}, "greeting", "Please send text"),
        ({"signature": "Yours, {name}"}, "signature", "Nothing is filled in in a signature, {name} neither"),
        ({"signature": "x" * 501}, "signature", "at most 500 characters"),
        ({"signature": "a\x00b"}, "signature", "control characters"),
        ({"asks_csat": "perhaps"}, "asks_csat", "true or false"),
    ],
)
async def test_what_would_look_wrong_to_customers_is_refused_by_name(
    desk: httpx2.AsyncClient, conn: Connection, changed: dict[str, Any], field: str, words: str
) -> None:
    before = await load(conn)
    for path in ("/channels", "/channels/preview"):
        [error] = (await send(desk, 422, path, **changed))["errors"]
        assert (error["field"], words in error["message"]) == (field, True)
    assert (await load(conn), await list_audit(conn)) == (before, [])


async def test_a_mistake_on_the_page_keeps_what_was_typed(desk: httpx2.AsyncClient) -> None:
    form = {"channel": "gmail", "greeting": "Dear {who},", "signature": "Half a signature"}
    page = await desk.post("/channels", data=form, headers=STAFF | HTML)
    assert page.status_code == 422
    assert "There is no {who}" in page.text
    assert page.text.count('value="Dear {who},"') == 1
    assert page.text.count("Half a signature") == 1


async def test_a_program_says_all_of_it_and_names_a_channel_there_is(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    missing = await desk.post("/channels", json={"channel": "gmail"}, headers=STAFF)
    assert {error["field"] for error in missing.json()["errors"]} == {"greeting", "signature", "asks_csat"}
    await send(desk, 404, channel="fax")
    assert (await send(desk))["outcome"] == "accepted"
    assert (await send(desk))["outcome"] == "unchanged"
    listed = (await desk.get("/channels", headers=STAFF)).json()["channels"]
    assert [one["channel"] for one in listed] == ["gmail", "web", "whatsapp"]
    assert listed[0] == TEXTS | {"is_on": True}


async def test_a_preview_shows_a_reply_and_keeps_nothing(desk: httpx2.AsyncClient, conn: Connection) -> None:
    before = await load(conn)
    shown = list((await send(desk, path="/channels/preview"))["previews"].values())
    assert shown[0] == "Hello Ana!\n\nThis is where the answer stands.\n\nYour team\nTidefern"
    assert shown[1] == "This is where the answer stands.\n\nYour team\nTidefern"
    assert len((await send(desk, path="/channels/preview", greeting="{hello}!"))["previews"]) == 1
    form = {"channel": "gmail", "greeting": "Good day {name}", "signature": "<b>Us</b>"}
    page = await desk.post("/channels/preview", data=form, headers=STAFF | HTML)
    assert (page.status_code, "Good day Ana\n\nThis is" in page.text, "<b>Us" in page.text) == (200, True, False)
    assert (await load(conn), await list_audit(conn)) == (before, [])


async def test_an_agent_sees_and_sets_none(desk: httpx2.AsyncClient, conn: Connection) -> None:
    browser = await open_browser(conn, await add_person(conn)) | HTML
    assert (await desk.get("/channels", headers=browser)).status_code == 403
    assert (await desk.post("/channels", data=TEXTS, headers=browser)).status_code == 403
    assert "/channels" not in (await desk.get("/inbox", headers=browser)).text.replace("/metrics/channels", "")
