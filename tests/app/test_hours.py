"""Promises about the page of hours: managers set calendars, targets and routes; mistakes are said; all is recorded."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from db.pool import Connection
from tests.app.desk import FORM, HTML, STAFF, open_desk
from tests.app.people import add_person, open_browser

OFFICE = {"name": "office", "timezone": "Europe/Berlin", "monday": "13:30-17:00, 09:00-12:30", "friday": "09:00-24:00"}


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with open_desk(database_url) as client:
        yield client


async def send(desk: httpx2.AsyncClient, kind: str, fields: dict[str, str], expected: int = 200) -> Any:
    answer = await desk.post(f"/hours/{kind}", json=fields, headers=STAFF)
    assert answer.status_code == expected, answer.text
    return answer.json()


async def load(desk: httpx2.AsyncClient) -> Any:
    return (await desk.get("/hours", headers=STAFF)).json()


async def list_audit(conn: Connection) -> list[Any]:
    return list(
        await conn.fetch("select action, about, details from audit where about ~ '^(cal|tar|rou|sla)' order by id")
    )


async def test_a_manager_sets_the_hours_of_a_week_on_the_page(desk: httpx2.AsyncClient, conn: Connection) -> None:
    browser = await open_browser(conn, await add_person(conn, "lee@example.com", "manager")) | HTML
    kept = await desk.post("/hours/calendars", data=OFFICE | {"holidays": "2026-12-25\r\n2026-01-01"}, headers=browser)
    assert (kept.status_code, kept.headers["location"]) == (303, "/hours")
    page = (await desk.get("/hours", headers=browser)).text
    assert 'value="09:00-12:30, 13:30-17:00"' in page
    shown = (await load(desk))["calendars"]
    assert shown[0]["holidays"] == "2026-01-01\n2026-12-25"
    assert (shown[0]["monday"], shown[0]["tuesday"], shown[0]["friday"]) == (
        "09:00-12:30, 13:30-17:00",
        "",
        "09:00-24:00",
    )
    [row] = await list_audit(conn)
    assert (row["action"], row["about"]) == ("set hours", "calendar:office")
    assert (row["details"]["from"]["timezone"], row["details"]["to"]["timezone"]) == ("UTC", "Europe/Berlin")


async def test_an_agent_sees_and_sets_none(desk: httpx2.AsyncClient, conn: Connection) -> None:
    browser = await open_browser(conn, await add_person(conn)) | HTML
    assert (await desk.get("/hours", headers=browser)).status_code == 403
    assert (await desk.post("/hours/calendars", data=OFFICE, headers=browser)).status_code == 403


async def test_a_form_of_another_site_sets_nothing(desk: httpx2.AsyncClient, conn: Connection) -> None:
    browser = await open_browser(conn, await add_person(conn, role="manager")) | HTML
    foreign = await desk.post("/hours/calendars", data=OFFICE, headers=browser | {"Origin": "https://evil.example"})
    assert foreign.status_code in (401, 403)
    assert await list_audit(conn) == []


async def test_every_mistake_is_named_and_what_was_typed_stays(desk: httpx2.AsyncClient, conn: Connection) -> None:
    browser = await open_browser(conn, await add_person(conn, "lee@example.com", "manager")) | HTML
    wrong = OFFICE | {"monday": "09:00-12:00, 11:00-17:00", "tuesday": "nine to five", "holidays": "Christmas"}
    page = await desk.post("/hours/calendars", data=wrong, headers=browser)
    assert page.status_code == 422
    for words in ("do not overlap", "09:00-12:30, 13:30-17:00", "like 2026-12-25", "nine to five", "Christmas"):
        assert words in page.text
    assert 'role="alert"' in page.text
    fresh = await desk.post("/hours/calendars", data={"name": "night", "timezone": "Mars/Olympus"}, headers=browser)
    assert "Europe/Berlin or UTC" in fresh.text
    assert 'value="Mars/Olympus"' in fresh.text
    assert await conn.fetchval("select count(*) from calendars") == 1
    assert await list_audit(conn) == []


@pytest.mark.parametrize(
    ("kind", "fields", "wrong"),
    [
        ("calendars", OFFICE | {"sunday": "17:00-09:00"}, "sunday"),
        ("calendars", OFFICE | {"sunday": "09:00-09:00"}, "sunday"),
        ("calendars", OFFICE | {"timezone": "+02:00; drop"}, "timezone"),
        ("calendars", OFFICE | {"holidays": "2026-02-30"}, "holidays"),
        ("targets", {"first_response": "0", "resolution": "4 h"}, "first_response"),
        ("targets", {"first_response": "soon", "resolution": "4 h"}, "first_response"),
        ("targets", {"first_response": "1 h", "resolution": "4 h", "calendar": "none"}, "calendar"),
        ("targets", {"first_response": "1 h", "resolution": "4 h", "plan": "gold"}, "plan"),
        ("targets", {"first_response": "1 h", "resolution": "4 h", "category": "gossip"}, "category"),
        ("routes", {"category": "billing", "team": " ", "respond_within": "4 h"}, "team"),
        ("routes", {"category": "billing", "team": "billing", "respond_within": "4 h", "notify": "kim"}, "notify"),
        ("warning", {"percent": "101"}, "percent"),
        ("calendars/remove", {"name": "office"}, "name"),
        ("routes/remove", {"category": "general"}, "category"),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(
    desk: httpx2.AsyncClient, conn: Connection, kind: str, fields: dict[str, str], wrong: str
) -> None:
    before = await load(desk)
    refused = await send(desk, kind, fields, 422)
    assert [error["field"] for error in refused["errors"]] == [wrong]
    assert await load(desk) == before
    assert await list_audit(conn) == []


async def test_nobody_is_given_what_is_handed_over_who_is_not_on_the_team(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    route = {"category": "billing", "team": "money", "respond_within": "2"}
    refused = await send(desk, "routes", route | {"assignee": "nobody@nowhere.example"}, 422)
    assert refused["errors"][0]["field"] == "assignee"
    await add_person(conn, "kim@example.com")
    await send(desk, "routes", route | {"assignee": "kim@example.com"})
    assert await conn.fetchval("select assignee from escalation_routes where category = 'billing'") == "kim@example.com"


async def test_targets_and_routes_hold_for_what_comes_next_and_for_nothing_before(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    await desk.post("/support/submit", json=FORM)
    before = await conn.fetchval("select first_response_due_at from tickets")
    await send(
        desk,
        "targets",
        {"category": "billing", "plan": "pro", "first_response": "30 min", "resolution": "2 h", "calendar": ""},
    )
    route = {
        "category": "billing",
        "team": "money",
        "assignee": "",
        "respond_within": "1.5",
        "notify": "a@b.co, c@d.co",
    }
    await send(desk, "routes", route)
    await desk.post("/support/submit", json=FORM | {"email": "ben@example.com"})
    due = await conn.fetch("select first_response_due_at as at from tickets order by id")
    assert due[0]["at"] == before
    assert timedelta(minutes=28) < due[1]["at"] - datetime.now(UTC) <= timedelta(minutes=30)
    kept = await conn.fetchrow("select * from escalation_routes where category = 'billing'")
    assert kept is not None
    assert (kept["team"], kept["respond_within"], kept["notify"]) == (
        "money",
        timedelta(minutes=90),
        ["a@b.co", "c@d.co"],
    )
    shown = (await load(desk))["routes"]
    assert {"category": "billing", "respond_within": "90 min"}.items() <= next(
        one for one in shown if one["category"] == "billing"
    ).items()
    assert [row["action"] for row in await list_audit(conn)] == ["set a target", "set a route"]


async def test_what_is_removed_is_gone_and_said_to_be_missing_the_second_time(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    await send(desk, "calendars", OFFICE | {"name": "night"})
    for kind, name in (
        ("calendars", {"name": "night"}), ("targets", {"category": "security"}), ("routes", {"category": "legal"}),
    ):  # fmt: skip
        await send(desk, f"{kind}/remove", name)
        await send(desk, f"{kind}/remove", name, 404)
    assert [row["action"] for row in await list_audit(conn)][1:] == [
        "removed hours",
        "removed a target",
        "removed a route",
    ]
    await send(desk, "nonsense", {}, 404)


async def test_the_warning_is_a_share_in_per_cent(desk: httpx2.AsyncClient, conn: Connection) -> None:
    await send(desk, "warning", {"percent": "40"})
    assert (await load(desk))["percent"] == 40
    assert await conn.fetchval("select warn_below::text from sla_limits") == "0.4"


async def test_rates_of_kept_promises_are_null_without_traffic(desk: httpx2.AsyncClient) -> None:
    body = (await desk.get("/metrics/channels", headers=STAFF)).json()
    nothing = {"first_response_met_rate": None, "resolution_met_rate": None, "n": 0}
    assert body["total"]["sla"] == body["channels"]["web"]["sla"] == nothing
    assert {f"sla.{name}" for name in nothing} <= set(body["definitions"])
