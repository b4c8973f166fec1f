"""The record of what was done, as admins read it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from db.people import Actor
from db.pool import Connection
from tests.app.desk import ADMIN_TOKEN, FORM, HTML, STAFF, answer_waiting, open_desk
from tests.app.people import PASSWORD, add_machine, add_person, open_browser
from tests.app.test_attachments import PNG, submit_with_files
from tests.app.test_staff_routes import submit


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with open_desk(database_url) as client:
        yield client


async def read(desk: httpx2.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    answer = await desk.get(f"/audit{query}", headers=STAFF)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["rows"]
    return rows


async def list_actions(desk: httpx2.AsyncClient, query: str = "") -> list[str]:
    """Oldest first."""
    return [row["action"] for row in reversed(await read(desk, query))]


async def test_what_is_done_about_people_and_keys_is_recorded(desk: httpx2.AsyncClient, conn: Connection) -> None:
    boss = await add_person(conn, "boss@example.com", "admin")
    boss_browser, kim = await open_browser(conn, boss), await add_person(conn)
    for path, fields in [
        ("/team/invitations", {"email": "lee@example.com"}),
        ("/team/invitations/withdraw", {"email": "lee@example.com"}),
        (f"/team/people/{kim.id}/role", {"role": "manager"}), (f"/team/people/{kim.id}/sessions/end", {}),
        (f"/team/people/{kim.id}/deactivate", {}),
    ]:  # fmt: skip
        assert (await desk.post(path, json=fields, headers=boss_browser)).status_code in (200, 201)
    key = (await desk.post("/team/keys", json={"name": "Report", "scopes": ["read"]}, headers=boss_browser)).json()[
        "id"
    ]
    await desk.post(f"/team/keys/{key}/revoke", headers=boss_browser)
    form = {"current": PASSWORD, "password": "another lot of odd words"}
    await desk.post("/account/password", json=form, headers=boss_browser)
    await desk.post("/logout", headers=boss_browser)
    assert await list_actions(desk, "?actor=boss@example.com") == [
        "invitation_accepted", "login", "invitation_made", "invitation_withdrawn", "role_changed", "session_ended",
        "deactivated", "key_made", "key_revoked", "password_changed", "logout",
    ]  # fmt: skip
    assert await list_actions(desk, f"?about=person:{kim.id}") == [
        "invitation_accepted", "role_changed", "session_ended", "deactivated",
    ]  # fmt: skip
    [changed] = [row for row in await read(desk) if row["action"] == "role_changed"]
    assert (changed["details"], changed["actor_id"]) == ({"from": "agent", "to": "manager"}, str(boss.id))


async def test_failed_log_ins_are_recorded_without_the_e_mail_of_a_stranger(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    person = await add_person(conn)
    for email in ("kim@example.com", "somebody.else@example.com"):
        await desk.post("/login", data={"email": email, "password": "a wrong guess"})
    await desk.post("/login", data={"token": "a wrong guess"})
    token, unknown, known = (await read(desk))[:3]
    assert {row["action"] for row in (token, unknown, known)} == {"login_failed"}
    assert {row["actor_kind"] for row in (token, unknown, known)} == {"stranger"}
    assert (known["about"], token["about"]) == (f"person:{person.id}", "token")
    assert unknown["about"].startswith("email:")
    whole = str(await conn.fetch("select * from audit"))
    assert "somebody.else" not in whole
    assert "a wrong guess" not in whole


async def test_no_secret_is_ever_recorded(desk: httpx2.AsyncClient, conn: Connection) -> None:
    link = (await desk.post("/team/invitations", json={"email": "kim@example.com"}, headers=STAFF)).json()["link"]
    key = (await desk.post("/team/keys", json={"name": "R", "scopes": ["read"]}, headers=STAFF)).json()["key"]
    await desk.post("/login", data={"token": ADMIN_TOKEN})
    whole = str(await conn.fetch("select * from audit"))
    for secret in (link.rpartition("/")[2], key[9:], ADMIN_TOKEN, desk.cookies["deskhand"]):
        assert secret not in whole


async def test_views_of_customers_are_recorded_once_in_ten_minutes(desk: httpx2.AsyncClient, conn: Connection) -> None:
    _, [file_id] = await submit_with_files(desk, conn, ("image/png", PNG))
    await answer_waiting(conn)
    talk = await conn.fetchval("select id from conversations")
    customer = await conn.fetchval("select customer_id from customer_identifiers where value = 'ana@example.com'")
    agent = await open_browser(conn, await add_person(conn))
    machine = await add_machine(conn, "read")
    seen = {f"conversation:{talk}", f"customer:{customer}", f"attachment:{file_id}"}
    for _ in range(2):
        for address in (f"/conversations/{talk}", "/customers/lookup?email=ana@example.com", f"/attachments/{file_id}"):
            for headers in (agent, machine):
                assert (await desk.get(address, headers=headers)).status_code == 200
    for actor in ("kim@example.com", "a machine"):
        views = [row["about"] for row in await read(desk, f"?actor={actor}") if row["action"] == "view"]
        assert sorted(views) == sorted(seen)


async def test_the_team_reading_a_ticket_is_recorded_and_its_customer_is_not(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    sent = (await desk.post("/support/submit", json=FORM)).json()
    agent, machine = await open_browser(conn, await add_person(conn)), await add_machine(conn, "read")
    path = f"/support/ticket/{sent['ticket']}"
    talk = await conn.fetchval("select id from conversations")
    about = f"conversation:{talk}"
    for headers in ({}, agent):
        assert (await desk.get(sent["status_url"], headers=headers)).status_code == 200
    assert (await desk.get(path, headers=agent | HTML)).status_code == 303  # led on, and nothing shown
    assert await read(desk, f"?about={about}") == []
    for headers in (agent, machine, agent):
        assert (await desk.get(path, headers=headers)).status_code == 200
    views = [(row["actor_name"], row["action"]) for row in await read(desk, f"?about={about}")]
    assert views == [("a machine", "view"), ("kim@example.com", "view")]


async def test_a_ticket_shown_for_a_mistake_in_the_answer_is_recorded_too(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    sent = (await desk.post("/support/submit", json=FORM)).json()
    agent = await open_browser(conn, await add_person(conn))
    page = await desk.post(
        f"/support/ticket/{sent['ticket']}/messages", data={"message": "", "submission_id": ""}, headers=agent | HTML
    )
    assert page.status_code == 422
    assert FORM["message"] in page.text
    assert [row["action"] for row in await read(desk, "?about=conversation:&actor=kim@example.com")] == ["view"]


async def test_who_finds_nothing_has_seen_nothing(desk: httpx2.AsyncClient) -> None:
    for path in ("/customers/lookup?email=nobody@example.com", "/conversations/018f0000-0000-7000-8000-000000000000"):
        assert (await desk.get(path, headers=STAFF)).status_code == 404
    assert await read(desk) == []


@pytest.mark.parametrize("action", ["answer", "note", "correction"])
async def test_a_page_that_is_not_there_was_seen_by_nobody(
    desk: httpx2.AsyncClient, conn: Connection, action: str
) -> None:
    path = "/conversations/018f0000-0000-7000-8000-000000000000"
    browser = HTML | await open_browser(conn, await add_person(conn))
    assert (await desk.get(path, headers=browser)).status_code == 404
    assert (await desk.post(f"{path}/{action}", data={"message": ""}, headers=browser)).status_code in (404, 422)
    assert await read(desk, "?about=conversation:") == []


async def test_what_somebody_taught_the_agent_is_recorded(desk: httpx2.AsyncClient, conn: Connection) -> None:
    await submit(desk)
    await answer_waiting(conn)
    talk = await conn.fetchval("select id from conversations")
    browser = HTML | await open_browser(conn, await add_person(conn))
    taught = {"category": "billing", "sentiment": "neutral", "reason": "legal"}
    path = f"/conversations/{talk}/correction"
    assert (await desk.post(path, data=taught | {"category": "x"}, headers=browser)).status_code == 422
    assert (await desk.post(path, data=taught, headers=browser)).status_code == 303
    [row] = [row for row in await read(desk, "?actor=kim@example.com") if row["action"] == "taught"]
    assert row["about"] == f"conversation:{talk}"
    message = await conn.fetchval("select id::text from messages where direction = 'inbound'")
    assert row["details"] == {
        "message": message, "category": "billing", "sentiment": "neutral", "reasons": ["legal"],
    }  # fmt: skip


async def test_customers_leave_no_trace_in_the_record(desk: httpx2.AsyncClient) -> None:
    await submit(desk)
    assert await read(desk) == []


async def fill_record(conn: Connection, who: Actor, rows: int) -> None:
    await conn.execute(
        "select note_audit($1, 'view', 'customer:' || n % 2, jsonb_build_object('n', n)) from generate_series(1, $2) n",
        who,
        rows,
    )


async def test_the_record_is_read_page_by_page_newest_first(desk: httpx2.AsyncClient, conn: Connection) -> None:
    await fill_record(conn, Actor("person", None, "kim@example.com", "agent"), 120)
    found, query = [], "?about=customer:"
    while query:
        answer = (await desk.get(f"/audit{query}", headers=STAFF)).json()
        found += [row["details"]["n"] for row in answer["rows"]]
        query = f"?about=customer:&before={answer['next']}" if answer["next"] else ""
    assert found == list(range(120, 0, -1))
    assert len(await read(desk, "?about=customer:1&actor=kim@example.com")) == 50
    assert await read(desk, "?about=customer") == []
    assert await read(desk, "?actor=Kim") == []


@pytest.mark.parametrize("before", ["x", "-1", "1.5", "9" * 19, "٣"])
async def test_a_page_begins_at_a_row(desk: httpx2.AsyncClient, before: str) -> None:
    assert (await desk.get(f"/audit?before={before}", headers=STAFF)).status_code == 422


async def test_the_page_shows_who_did_what_as_text(desk: httpx2.AsyncClient, conn: Connection) -> None:
    who = Actor("key", None, "<script>alert(1)</script>", "agent")
    await fill_record(conn, who, 60)
    page = (await desk.get("/audit?about=customer:", headers=STAFF | HTML)).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert 'href="?about=customer%3A&amp;before=' in page
    assert (await desk.get("/audit?actor=%00&about=%00", headers=STAFF | HTML)).status_code == 200
