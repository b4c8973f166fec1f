"""What a person changes about themself."""

import re
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from app.totp import derive_secret, make_code
from db.people import Actor, set_totp
from db.pool import Connection
from tests.app.desk import HTML, make_settings, open_desk
from tests.app.people import PASSWORD, add_person, open_browser

NEW = "another lot of odd words"


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with open_desk(database_url) as client:
        yield client


@pytest.fixture
async def person(conn: Connection) -> Actor:
    return await add_person(conn)


@pytest.fixture
async def browser(conn: Connection, person: Actor) -> dict[str, str]:
    return await open_browser(conn, person)


async def ask(desk: httpx2.AsyncClient, browser: dict[str, str], path: str, expected: int = 200, **fields: str) -> Any:
    answer = await desk.post(path, json=fields, headers=browser)
    assert answer.status_code == expected, answer.text
    return answer.json()


async def log_in(desk: httpx2.AsyncClient, password: str = PASSWORD) -> httpx2.Response:
    return await desk.post("/login", data={"email": "kim@example.com", "password": password})


async def is_in(desk: httpx2.AsyncClient, browser: dict[str, str]) -> bool:
    return (await desk.get("/account", headers=browser)).status_code == 200


async def test_a_new_password_counts_and_ends_the_other_sessions(
    desk: httpx2.AsyncClient, conn: Connection, person: Actor, browser: dict[str, str]
) -> None:
    other = await open_browser(conn, person)
    await ask(desk, browser, "/account/password", current=PASSWORD, password=NEW)
    assert await is_in(desk, browser)
    assert not await is_in(desk, other)
    assert ((await log_in(desk)).status_code, (await log_in(desk, NEW)).status_code) == (401, 303)


@pytest.mark.parametrize(
    ("current", "password", "field"),
    [("wrong", NEW, "current"), (PASSWORD, "short", "password"), (PASSWORD, "kim@example.com!", "password")],
)
async def test_a_password_is_not_changed_without_the_old_one_or_to_an_easy_one(
    desk: httpx2.AsyncClient, browser: dict[str, str], current: str, password: str, field: str
) -> None:
    refused = await ask(desk, browser, "/account/password", 422, current=current, password=password)
    assert [error["field"] for error in refused["errors"]] == [field]
    assert (await log_in(desk)).status_code == 303


async def test_guessing_the_password_of_an_open_session_is_slowed_down(
    desk: httpx2.AsyncClient, browser: dict[str, str]
) -> None:
    answers = [
        (await desk.post("/account/totp/off", json={"current": "a guess"}, headers=browser)).status_code
        for _ in range(11)
    ]
    assert answers == [422] * 10 + [429]


async def test_codes_are_asked_for_once_one_has_proved_the_app_right(
    desk: httpx2.AsyncClient, browser: dict[str, str]
) -> None:
    offered = (await ask(desk, browser, "/account/totp"))["new_codes"]
    secret = derive_secret(make_settings(), offered["seed"])
    step = int(time.time() // 30)
    wrong = next(
        code for code in ("000000", "111111") if code not in [make_code(secret, step + i) for i in (-2, -1, 0, 1, 2)]
    )
    await ask(desk, browser, "/account/totp", 422, seed=offered["seed"], code=wrong)
    assert (await log_in(desk)).status_code == 303
    await ask(desk, browser, "/account/totp", seed=offered["seed"], code=make_code(secret, step))
    page = await log_in(desk)
    assert page.status_code == 401
    pending = re.search(r'name="pending" value="([^"]+)"', page.text)
    assert pending
    used = await desk.post("/login", data={"pending": pending[1], "code": make_code(secret, step)})
    assert used.status_code == 401  # the code that proved the app right was used up by that
    later = await desk.post("/login", data={"pending": pending[1], "code": make_code(secret, step + 1)})
    assert later.status_code == 303


async def test_codes_are_switched_off_with_the_password(
    desk: httpx2.AsyncClient, conn: Connection, person: Actor, browser: dict[str, str]
) -> None:
    assert person.id
    await set_totp(conn, person, person.id, "0" * 32, 0)
    await ask(desk, browser, "/account/totp/off", 422, current="wrong")
    assert (await log_in(desk)).status_code == 401
    await ask(desk, browser, "/account/totp/off", current=PASSWORD)
    assert (await log_in(desk)).status_code == 303


async def find_secret(conn: Connection) -> str | None:
    kept: str | None = await conn.fetchval("select totp_secret from people")
    return kept


async def test_codes_that_are_on_are_moved_to_another_app_only_with_the_password(
    desk: httpx2.AsyncClient, conn: Connection, person: Actor, browser: dict[str, str]
) -> None:
    assert person.id
    await set_totp(conn, person, person.id, "0" * 32, 0)
    chosen = "1" * 32
    code = make_code(derive_secret(make_settings(), chosen), int(time.time() // 30))
    for given in ({}, {"current": ""}, {"current": "a guess"}):
        refused = await ask(desk, browser, "/account/totp", 422, seed=chosen, code=code, **given)
        assert [error["field"] for error in refused["errors"]] == ["current"]
        assert await find_secret(conn) == "0" * 32
    await ask(desk, browser, "/account/totp", seed=chosen, code=code, current=PASSWORD)
    assert await find_secret(conn) == chosen


async def test_the_page_asks_for_the_password_where_codes_are_on(
    desk: httpx2.AsyncClient, conn: Connection, person: Actor, browser: dict[str, str]
) -> None:
    assert person.id
    sent, asked = {"Content-Type": "application/x-www-form-urlencoded"}, 'id="totp-current" name="current"'
    assert asked not in (await desk.post("/account/totp", headers=browser | HTML | sent)).text
    await set_totp(conn, person, person.id, "0" * 32, 0)
    page = (await desk.post("/account/totp", headers=browser | HTML | sent)).text
    seed = re.search(r'name="seed" value="([^"]+)"', page)
    assert seed
    assert asked in page
    code = make_code(derive_secret(make_settings(), seed[1]), int(time.time() // 30))
    again = await desk.post("/account/totp", data={"seed": seed[1], "code": code}, headers=browser | HTML)
    assert (again.status_code, seed[1] in again.text, asked in again.text) == (422, True, True)


async def test_the_page_shows_the_secret_as_text_and_as_a_link(
    desk: httpx2.AsyncClient, browser: dict[str, str]
) -> None:
    sent = {"Content-Type": "application/x-www-form-urlencoded"}  # by a form without fields
    page = (await desk.post("/account/totp", headers=browser | HTML | sent)).text
    assert re.search(r"<code>([A-Z2-7]{4} ){7}[A-Z2-7]{4}</code>", page)
    assert 'href="otpauth://totp/Tidefern:kim%40example.com?secret=' in page


async def test_one_session_is_ended_or_all(
    desk: httpx2.AsyncClient, conn: Connection, person: Actor, browser: dict[str, str]
) -> None:
    others = [await open_browser(conn, person) for _ in range(2)]
    stranger = await open_browser(conn, await add_person(conn, "lee@example.com"))
    listed = (await desk.get("/account", headers=others[0])).json()["sessions"]
    [own] = [one["id_hash"] for one in listed if one["is_current"]]
    assert len(listed) == 3
    await ask(desk, stranger, "/account/sessions/end", 404, session=own)  # it is not theirs
    await ask(desk, browser, "/account/sessions/end", session=own)
    assert [await is_in(desk, one) for one in (browser, *others)] == [True, False, True]
    await ask(desk, browser, "/account/sessions/end", session="all")
    assert [await is_in(desk, one) for one in (browser, others[1], stranger)] == [False, False, True]
    await ask(desk, stranger, "/account/sessions/end", 422, session="zz")


async def test_a_name_is_changed_and_shown_as_text(desk: httpx2.AsyncClient, browser: dict[str, str]) -> None:
    await ask(desk, browser, "/account/name", name="<b>Kim</b> Đặng")
    page = (await desk.get("/account?said=name", headers=browser | HTML)).text
    assert "&lt;b&gt;Kim&lt;/b&gt; Đặng" in page
    assert "Your name is changed." in page
    await ask(desk, browser, "/account/name", 422, name=" ")
    await ask(desk, browser, "/account/name", 422)


async def test_a_form_with_a_mistake_is_shown_again_with_the_reason(
    desk: httpx2.AsyncClient, browser: dict[str, str]
) -> None:
    form = {"current": "wrong", "password": NEW}
    page = await desk.post("/account/password", data=form, headers=browser | HTML)
    assert page.status_code == 422
    assert "This is not your password." in page.text
    assert NEW not in page.text
