"""Inviting people, what an admin decides about them, and keys."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from app.totp import new_seed
from db.people import set_totp
from db.pool import Connection
from tests.app.desk import ADMIN_TOKEN, HTML, STAFF, open_desk
from tests.app.people import PASSWORD, add_machine, add_person, open_browser

PAGE = "/metrics/channels"


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with open_desk(database_url) as client:
        yield client


async def ask(desk: httpx2.AsyncClient, path: str, expected: int = 200, **fields: Any) -> Any:
    """As a program with ADMIN_TOKEN."""
    answer = await desk.post(path, json=fields, headers=STAFF)
    assert answer.status_code == expected, answer.text
    return answer.json()


async def invite(desk: httpx2.AsyncClient, email: str = "kim@example.com", role: str = "agent") -> str:
    """The path of the link."""
    return urlsplit(str((await ask(desk, "/team/invitations", 201, email=email, role=role))["link"])).path


async def join(desk: httpx2.AsyncClient, path: str, password: str = PASSWORD, name: str = "Kim Jones") -> int:
    return (await desk.post(path, data={"name": name, "password": password}, headers=HTML)).status_code


async def log_in(desk: httpx2.AsyncClient, email: str = "kim@example.com", password: str = PASSWORD) -> int:
    return (await desk.post("/login", data={"email": email, "password": password})).status_code


async def list_team(desk: httpx2.AsyncClient) -> Any:
    return (await desk.get("/team", headers=STAFF)).json()


async def test_the_staff_token_invites_the_first_admin_who_then_runs_the_team(desk: httpx2.AsyncClient) -> None:
    await desk.post("/login", data={"token": ADMIN_TOKEN})
    page = await desk.post("/team/invitations", data={"email": "Kim@Example.com", "role": "admin"}, headers=HTML)
    assert page.status_code == 201
    path = urlsplit(page.text.partition('value="http')[2].partition('"')[0]).path
    await desk.post("/logout")
    assert "kim@example.com" in (await desk.get(path)).text
    assert await join(desk, path) == 200
    assert await log_in(desk) == 303
    assert "Kim Jones" in (await desk.get("/team", headers=HTML)).text


async def test_an_invitation_is_good_once(desk: httpx2.AsyncClient) -> None:
    path = await invite(desk)
    assert (await desk.get(path)).status_code == 200  # looking uses nothing up
    assert await join(desk, path) == 200
    assert await join(desk, path) == 404
    assert (await desk.get(path)).status_code == 404


async def test_a_whole_office_joins_from_one_address(desk: httpx2.AsyncClient) -> None:
    for number in range(6):
        path = await invite(desk, f"person{number}@example.com")
        assert await join(desk, path, "short") == 422
        assert await join(desk, path) == 200
        assert await log_in(desk, f"person{number}@example.com") == 303
    assert [await join(desk, "/invitations/" + "A" * 43) for _ in range(11)] == [404] * 10 + [429]


async def test_an_invitation_is_shown_once_and_kept_as_a_hash(desk: httpx2.AsyncClient, conn: Connection) -> None:
    token = (await invite(desk)).rpartition("/")[2]
    team = (await desk.get("/team", headers=STAFF)).text + (await desk.get("/team", headers=STAFF | HTML)).text
    assert token not in team
    assert not await conn.fetchval("select position($1 in i::text) > 0 from invitations i", token)


async def test_an_invitation_stops_working(desk: httpx2.AsyncClient, conn: Connection) -> None:
    withdrawn = await invite(desk, "a@example.com")
    await ask(desk, "/team/invitations/withdraw", email="A@example.com")
    await ask(desk, "/team/invitations/withdraw", 404, email="a@example.com")
    replaced = await invite(desk, "b@example.com")
    newer = await invite(desk, "b@example.com", "manager")
    old = await invite(desk, "c@example.com")
    await conn.execute("update invitations set expires_at = now() - interval '1 second' where email = 'c@example.com'")
    for path in (withdrawn, replaced, old, "/invitations/x", "/invitations/" + "A" * 43):
        assert (await desk.get(path)).status_code == 404
        assert await join(desk, path) == 404
    assert await join(desk, newer) == 200
    assert [person["role"] for person in (await list_team(desk))["people"]] == ["manager"]


async def test_the_address_of_an_invitation_is_told_to_nobody(desk: httpx2.AsyncClient) -> None:
    page = await desk.get(await invite(desk))
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in page.headers["x-robots-tag"]
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("name", "password"), [("", PASSWORD), ("Kim", "short"), ("Kim", "kim@example.com1"), ("K", "")]
)
async def test_whoever_joins_needs_a_name_and_a_good_password(
    desk: httpx2.AsyncClient, name: str, password: str
) -> None:
    path = await invite(desk)
    assert await join(desk, path, password, name) == 422
    assert await join(desk, path) == 200


@pytest.mark.parametrize("fields", [{}, {"email": "x"}, {"email": "a@b.co", "role": "owner"}, {"email": 1}])
async def test_only_an_e_mail_and_a_role_of_ours_are_invited(desk: httpx2.AsyncClient, fields: dict[str, Any]) -> None:
    assert (await ask(desk, "/team/invitations", 422, **fields))["errors"]


async def test_a_forgotten_password_is_replaced_by_a_new_link(desk: httpx2.AsyncClient, conn: Connection) -> None:
    person = await add_person(conn, role="manager")
    browser = await open_browser(conn, person)
    assert person.id
    await set_totp(conn, person, person.id, new_seed(), 0)
    assert await join(desk, await invite(desk, person.name, "agent"), "another lot of odd words") == 200
    assert await log_in(desk) == 401
    page = await desk.post("/login", data={"email": person.name, "password": "another lot of odd words"})
    assert 'name="pending"' in page.text  # the codes are still asked for
    assert (await desk.get(PAGE, headers=browser)).status_code == 401
    [shown] = (await list_team(desk))["people"]
    assert (shown["role"], shown["id"]) == ("manager", str(person.id))


async def test_a_deactivated_person_is_out_at_once_and_comes_back_by_invitation(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    person = await add_person(conn, role="manager")
    browser, open_link = await open_browser(conn, person), await invite(desk, person.name)
    await ask(desk, f"/team/people/{person.id}/deactivate")
    assert (await desk.get(PAGE, headers=browser)).status_code == 401
    assert await log_in(desk) == 401
    assert await join(desk, open_link) == 404
    assert await join(desk, await invite(desk, person.name, "agent")) == 200
    assert await log_in(desk) == 303
    assert [one["role"] for one in (await list_team(desk))["people"]] == ["agent"]


async def test_a_new_role_counts_at_once(desk: httpx2.AsyncClient, conn: Connection) -> None:
    person = await add_person(conn, role="admin")
    await add_person(conn, "lee@example.com", "admin")
    browser = await open_browser(conn, person)
    assert (await desk.get("/team", headers=browser)).status_code == 200
    await ask(desk, f"/team/people/{person.id}/role", role="agent")
    assert (await desk.get("/team", headers=browser)).status_code == 401
    assert (await desk.get("/team", headers=await open_browser(conn, person))).status_code == 403


async def test_the_last_active_admin_stays(desk: httpx2.AsyncClient, conn: Connection) -> None:
    admin, other = await add_person(conn, role="admin"), await add_person(conn, "lee@example.com", "admin")
    await ask(desk, f"/team/people/{other.id}/deactivate")
    for path, fields in (
        (f"/team/people/{admin.id}/role", {"role": "manager"}),
        (f"/team/people/{admin.id}/deactivate", {}),
    ):
        refused = await ask(desk, path, 409, **fields)
        assert refused["detail"] == "The team needs an active admin. Make somebody else an admin first."
        page = await desk.post(path, data=fields, headers=HTML | await open_browser(conn, admin))
        assert page.status_code == 409
        assert "The team needs an active admin." in page.text
    await ask(desk, f"/team/people/{admin.id}/role", role="admin")


async def test_an_admin_logs_somebody_out_and_switches_lost_codes_off(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    person = await add_person(conn)
    assert person.id
    await set_totp(conn, person, person.id, new_seed(), 0)
    browsers = [await open_browser(conn, person) for _ in range(2)]
    await ask(desk, f"/team/people/{person.id}/sessions/end")
    for browser in browsers:
        assert (await desk.get(PAGE, headers=browser)).status_code == 401
    await ask(desk, f"/team/people/{person.id}/totp/off")
    assert await log_in(desk) == 303
    await ask(desk, f"/team/people/{person.id}/totp/off", 404)


async def test_whoever_used_the_staff_token_is_logged_out_together(desk: httpx2.AsyncClient, conn: Connection) -> None:
    person = await open_browser(conn, await add_person(conn))
    await desk.post("/login", data={"token": ADMIN_TOKEN})
    assert (await list_team(desk))["token_sessions"] == 1
    await ask(desk, "/team/token-sessions/end")
    assert (await desk.get(PAGE)).status_code == 401
    desk.cookies.clear()
    assert (await desk.get(PAGE, headers=person)).status_code == 200


@pytest.mark.parametrize("rest", ["role", "deactivate", "totp/off", "sessions/end"])
@pytest.mark.parametrize("name", ["018f0000-0000-7000-8000-000000000000", "x", "%00"])
async def test_nobody_is_changed_who_is_not_there(desk: httpx2.AsyncClient, name: str, rest: str) -> None:
    await ask(desk, f"/team/people/{name}/{rest}", 404, role="agent")


async def test_a_key_is_shown_once_kept_as_a_hash_and_taken_back(desk: httpx2.AsyncClient, conn: Connection) -> None:
    made = await ask(desk, "/team/keys", 201, name="Report", scopes=["read"], days=30)
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert made["key"].startswith("dk_")
    assert (await desk.get(PAGE, headers=headers)).status_code == 200
    [listed] = (await list_team(desk))["keys"]
    assert made["key"] not in str(listed)
    assert made["key"].startswith(listed["prefix"])
    assert not await conn.fetchval("select position($1 in k::text) > 0 from api_keys k", made["key"][9:])
    assert await conn.fetchval("select expires_at - created_at = interval '30 days' from api_keys")
    await ask(desk, f"/team/keys/{made['id']}/revoke")
    assert (await desk.get(PAGE, headers=headers)).status_code == 401
    await ask(desk, f"/team/keys/{made['id']}/revoke", 404)


async def test_a_key_made_on_the_page_lasts_ninety_days_unless_said_otherwise(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    admin = await open_browser(conn, await add_person(conn, role="admin"))
    form = {"name": "Report", "write": "on", "read": "on"}
    page = await desk.post("/team/keys", data=form, headers=HTML | admin)
    assert page.status_code == 201
    assert "dk_" in page.text
    row = await conn.fetchrow("select scopes, expires_at - created_at = interval '90 days' as is_usual from api_keys")
    assert row is not None
    assert (row["scopes"], row["is_usual"]) == (["read", "write"], True)


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"scopes": []}, {"scopes": ["admin"]}, {"scopes": "read"}, {"days": 0}, {"days": 366}, {"days": "x"},
     {"days": True}, {"days": -1}, {"days": 1.5}],
)  # fmt: skip
async def test_a_key_has_a_name_scopes_of_ours_and_an_end(desk: httpx2.AsyncClient, wrong: dict[str, Any]) -> None:
    assert (await ask(desk, "/team/keys", 422, **({"name": "Report", "scopes": ["read"]} | wrong)))["errors"]


async def test_a_key_without_the_scope_is_told_which_it_lacks(desk: httpx2.AsyncClient, conn: Connection) -> None:
    refused = await desk.post("/test/queue", json={}, headers=await add_machine(conn, "read"))
    assert (refused.status_code, refused.json()["detail"]) == (403, "This key lacks the scope write.")
