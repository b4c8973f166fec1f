"""Logging in, staying logged in, and what ends that."""

import re
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest

from app.access import SECRET, hash_secret
from app.sign_in import name_browser
from app.totp import derive_secret, make_code, new_seed
from db.people import Actor, set_totp
from db.pool import Connection
from db.sessions import list_sessions
from tests.app.desk import ADMIN_TOKEN, HTML, STAFF, make_settings, open_desk
from tests.app.people import PASSWORD, add_machine, add_person, open_browser

NOWHERE = "postgresql://desk:desk@127.0.0.1:1/none"
PAGE = "/metrics/channels"


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with open_desk(database_url) as client:
        yield client


async def log_in(desk: httpx2.AsyncClient, email: str = "kim@example.com", password: str = PASSWORD) -> httpx2.Response:
    return await desk.post("/login", data={"email": email, "password": password})


async def test_a_person_logs_in_with_e_mail_and_password(desk: httpx2.AsyncClient, conn: Connection) -> None:
    await add_person(conn)
    answer = await log_in(desk, " Kim@Example.com ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/inbox")
    assert (await desk.get(PAGE)).status_code == 200


async def test_unknown_e_mail_and_wrong_password_are_told_the_same(desk: httpx2.AsyncClient, conn: Connection) -> None:
    await add_person(conn)
    gone = await add_person(conn, "gone@example.com")
    await conn.execute("update people set is_active = false where id = $1", gone.id)
    pages = [
        (await log_in(desk, "kim@example.com", "not the password")),
        (await log_in(desk, "nobody@example.com", "not the password")),
        (await log_in(desk, "gone@example.com")),
    ]
    assert {page.status_code for page in pages} == {401}
    assert len({re.sub(r"\w+@example\.com", "", page.text) for page in pages}) == 1


async def test_guessing_one_account_is_slowed_down_wherever_it_comes_from(database_url: str, conn: Connection) -> None:
    await add_person(conn)
    answers = []
    for network in range(3):
        async with open_desk(database_url, host=f"192.0.2.{network}") as desk:
            answers += [(await log_in(desk, password="a wrong guess")).status_code for _ in range(7)]
    assert answers == [401] * 20 + [429]
    async with open_desk(database_url, host="192.0.2.9") as desk:
        assert (await log_in(desk, "lee@example.com")).status_code == 401
        assert (await log_in(desk)).status_code == 303  # nobody locks the owner out
    assert not await conn.fetchval("select count(*) from quotas where key like '%example%' or key like '%192.0.2%'")


async def refill_addresses(conn: Connection) -> None:
    """As ten minutes do for the tries of an address, whosever account they are for."""
    await conn.execute("delete from quotas where key like 'login:%' and key not like 'login:account:%'")


async def test_who_guesses_an_account_does_not_get_in_from_there_even_when_right(
    database_url: str, conn: Connection
) -> None:
    await add_person(conn)
    await add_person(conn, "lee@example.com")
    async with open_desk(database_url, host="192.0.2.1") as desk:
        assert [(await log_in(desk, password="a wrong guess")).status_code for _ in range(10)] == [401] * 10
        await refill_addresses(conn)
        assert (await log_in(desk)).status_code == 429
        assert (await log_in(desk, "lee@example.com")).status_code == 303
    async with open_desk(database_url, host="192.0.2.2") as desk:
        assert (await log_in(desk)).status_code == 303


async def test_right_passwords_are_not_counted_against_an_account(database_url: str, conn: Connection) -> None:
    await add_person(conn)
    async with open_desk(database_url) as desk:
        for _ in range(22):
            assert (await log_in(desk)).status_code == 303
            await refill_addresses(conn)
        assert (await log_in(desk, password="a wrong guess")).status_code == 401


async def test_a_whole_office_gets_in_from_one_address(database_url: str, conn: Connection) -> None:
    team = [(await add_person(conn, f"person{number}@example.com")).name for number in range(12)]
    async with open_desk(database_url) as desk:
        assert [(await log_in(desk, email)).status_code for email in team] == [303] * 12
        tokens = [(await desk.post("/login", data={"token": ADMIN_TOKEN})).status_code for _ in range(12)]
        assert tokens == [303] * 12


async def test_getting_in_gives_back_no_failure_of_others(database_url: str, conn: Connection) -> None:
    await add_person(conn)
    answers = []
    async with open_desk(database_url) as desk:
        for number in range(11):
            answers.append((await log_in(desk, f"other{number}@example.com", "a wrong guess")).status_code)
            if number < 9:
                assert (await log_in(desk)).status_code == 303
    assert answers == [401] * 10 + [429]


async def test_whoever_tries_too_often_is_told_how_long_to_wait(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        for _ in range(10):
            await log_in(desk, password="a wrong guess")
        answer = await log_in(desk)
        page = await desk.post("/login", data={"email": "kim@example.com"}, headers=HTML)
    assert 1 <= int(answer.headers["retry-after"]) <= 61
    assert re.fullmatch(r"Too many tries\. Please try again in \d+ seconds?\.", answer.json()["detail"])
    assert page.status_code == 429
    assert "Too many tries. Please try again in" in page.text


async def test_session_is_kept_as_a_hash(desk: httpx2.AsyncClient, conn: Connection) -> None:
    await add_person(conn)
    await log_in(desk)
    secret = desk.cookies["deskhand"]
    assert SECRET.fullmatch(secret)
    assert await conn.fetchval("select id_hash from sessions") == hash_secret(secret)


async def test_logging_in_changes_the_session(desk: httpx2.AsyncClient, conn: Connection) -> None:
    person = await add_person(conn)
    before = await open_browser(conn, person)
    await desk.post("/login", data={"email": person.name, "password": PASSWORD}, headers=before)
    assert (await desk.get(PAGE)).status_code == 200
    desk.cookies.clear()
    assert (await desk.get(PAGE, headers=before)).status_code == 401


async def test_logging_out_ends_the_session_and_not_only_the_cookie(desk: httpx2.AsyncClient, conn: Connection) -> None:
    person = await add_person(conn)
    here, elsewhere = await open_browser(conn, person), await open_browser(conn, person)
    assert (await desk.post("/logout", headers=here)).status_code == 303
    assert (await desk.get(PAGE, headers=here)).status_code == 401
    assert (await desk.get(PAGE, headers=elsewhere)).status_code == 200


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("last_seen_at = now() - interval '7 hours 58 minutes'", 200),
        ("last_seen_at = now() - interval '8 hours 1 second'", 401),
        ("expires_at = now() + interval '1 minute'", 200),
        ("expires_at = now() - interval '1 second'", 401),
        ("ended_at = now()", 401),
    ],
)
@pytest.mark.parametrize("kind", ["person", "token"])
async def test_session_is_over_when_unused_for_eight_hours_or_a_day_old(
    desk: httpx2.AsyncClient, conn: Connection, change: str, expected: int, kind: str
) -> None:
    if kind == "person":
        await add_person(conn)
        await log_in(desk)
    else:
        await desk.post("/login", data={"token": ADMIN_TOKEN})
    await conn.execute(f"update sessions set {change}")  # noqa: S608
    assert (await desk.get(PAGE)).status_code == expected


async def test_session_begun_while_its_person_is_deactivated_opens_nothing(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    browser = await open_browser(conn, await add_person(conn))
    await conn.execute("update people set is_active = false")  # the session was not there yet to be ended
    assert (await desk.get(PAGE, headers=browser)).status_code == 401


async def test_session_lasts_a_day_at_most(desk: httpx2.AsyncClient, conn: Connection) -> None:
    await add_person(conn)
    answer = await log_in(desk)
    assert "Max-Age=86400" in answer.headers["set-cookie"]
    assert await conn.fetchval("select expires_at - created_at = interval '24 hours' from sessions")


async def test_use_is_noted_at_most_once_a_minute(desk: httpx2.AsyncClient, conn: Connection) -> None:
    person = await add_person(conn)
    await log_in(desk)
    machine = await add_machine(conn, "read")
    await desk.get(PAGE, headers=machine)
    versions = """
      select array[(select xmin from sessions), (select xmin from people), (select xmin from api_keys)]::text
    """  # of each row, so that any change is seen
    await desk.get(PAGE)
    first = await conn.fetchval(versions)
    await desk.get(PAGE)
    await desk.get(PAGE, headers=machine)
    assert await conn.fetchval(versions) == first
    await conn.execute("update sessions set last_seen_at = now() - interval '61 seconds'")
    await conn.execute("update people set last_seen_at = now() - interval '61 seconds'")
    await conn.execute("update api_keys set last_used_at = now() - interval '61 seconds'")
    await desk.get(PAGE)
    await desk.get(PAGE, headers=machine)
    late = "now() - interval '30 seconds'"
    assert await conn.fetchval(f"select bool_and(last_seen_at > {late}) from sessions")  # noqa: S608
    assert await conn.fetchval(f"select last_seen_at > {late} from people where id = $1", person.id)  # noqa: S608
    assert await conn.fetchval(f"select last_used_at > {late} from api_keys")  # noqa: S608


async def test_without_the_database_nobody_is_taken_for_a_stranger() -> None:
    async with open_desk(NOWHERE) as desk:
        for headers in ({"Cookie": "deskhand=" + "A" * 43}, {"Authorization": "Bearer dk_" + "A" * 43}):
            answer = await desk.get("/metrics/channels", headers=headers)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


async def test_new_app_secret_ends_sessions_of_the_staff_token(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        await desk.post("/login", data={"token": ADMIN_TOKEN})
        cookies = dict(desk.cookies)
    async with open_desk(database_url, settings=make_settings(APP_SECRET="another")) as desk:
        desk.cookies.update(cookies)
        assert (await desk.get(PAGE)).status_code == 401


async def test_session_changes_nothing_when_another_site_asks(desk: httpx2.AsyncClient, conn: Connection) -> None:
    browser = await open_browser(conn, await add_person(conn, role="admin"))
    for path in ("/team/keys", "/account/name", "/logout", "/team/token-sessions/end"):
        answer = await desk.post(path, data={"name": "x"}, headers=browser | {"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code in (401, 403)
    assert await conn.fetchval("select name from people") == "Kim"
    assert (await desk.get(PAGE, headers=browser)).status_code == 200


# One-time codes


async def with_codes(conn: Connection) -> tuple[Actor, bytes]:
    """Somebody who is asked for codes, and the secret their app has."""
    person, seed = await add_person(conn), new_seed()
    assert person.id
    await set_totp(conn, person, person.id, seed, 0)
    return person, derive_secret(make_settings(), seed)


def code_now(secret: bytes, off: int = 0) -> str:
    return make_code(secret, int(time.time() // 30) + off)


async def owe_code(desk: httpx2.AsyncClient) -> str:
    """Give the password; what the page then sends along with the code."""
    page = (await log_in(desk)).text
    found = re.search(r'name="pending" value="([^"]+)"', page)
    assert found
    return found[1]


async def give_code(desk: httpx2.AsyncClient, pending: str, code: str) -> int:
    return (await desk.post("/login", data={"pending": pending, "code": code})).status_code


async def test_the_password_alone_does_not_log_in_who_has_codes(desk: httpx2.AsyncClient, conn: Connection) -> None:
    _, secret = await with_codes(conn)
    pending = await owe_code(desk)
    assert (await desk.get(PAGE)).status_code == 401
    assert await give_code(desk, pending, "000000" if code_now(secret) != "000000" else "111111") == 401
    assert await give_code(desk, pending, code_now(secret)) == 303
    assert (await desk.get(PAGE)).status_code == 200


async def test_a_code_is_good_once(desk: httpx2.AsyncClient, conn: Connection) -> None:
    _, secret = await with_codes(conn)
    pending, code = await owe_code(desk), code_now(secret, 1)
    assert await give_code(desk, pending, code) == 303
    assert await give_code(desk, await owe_code(desk), code) == 401
    assert await give_code(desk, await owe_code(desk), code_now(secret, -1)) == 401


async def test_guessing_codes_is_slowed_down_wherever_it_comes_from(database_url: str, conn: Connection) -> None:
    _, secret = await with_codes(conn)
    near = {code_now(secret, off) for off in range(-3, 4)}
    wrong = next(code for code in map("{:06}".format, range(10)) if code not in near)
    answers = []
    for network in range(3):
        async with open_desk(database_url, host=f"192.0.2.{network}") as desk:
            pending = await owe_code(desk)
            answers += [await give_code(desk, pending, wrong) for _ in range(7)]
    assert answers == [401] * 20 + [429]
    async with open_desk(database_url, host="192.0.2.9") as desk:
        assert await give_code(desk, await owe_code(desk), code_now(secret)) == 429


async def test_strangers_who_guess_passwords_do_not_keep_the_owner_from_giving_a_code(
    database_url: str, conn: Connection
) -> None:
    _, secret = await with_codes(conn)
    for network in range(3):
        async with open_desk(database_url, host=f"192.0.2.{network}") as desk:
            for _ in range(7):
                await log_in(desk, password="a wrong guess")
    async with open_desk(database_url, host="192.0.2.9") as desk:
        assert await give_code(desk, await owe_code(desk), code_now(secret)) == 303


async def test_codes_need_the_password_first(desk: httpx2.AsyncClient, conn: Connection) -> None:
    person, secret = await with_codes(conn)
    pending = await owe_code(desk)
    other = await add_person(conn, "lee@example.com")
    forged = [
        "", "x", pending.replace(str(person.id), str(other.id)), f"{uuid4()}.9999999999.{'0' * 64}",
        re.sub(r"\.\d+\.", ".9999999999.", pending),
    ]  # fmt: skip
    for one in forged:
        assert await give_code(desk, one, code_now(secret)) == 401
    assert await list_sessions(conn, person.id) == []


async def test_a_new_password_ends_a_log_in_that_still_owes_its_code(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    _, secret = await with_codes(conn)
    pending = await owe_code(desk)
    await conn.execute("update people set password_hash = 'another'")
    assert await give_code(desk, pending, code_now(secret)) == 401


# Keys


async def test_a_key_opens_by_its_header_and_never_by_the_address(desk: httpx2.AsyncClient, conn: Connection) -> None:
    key = await add_machine(conn, "read")
    assert (await desk.get(PAGE, headers=key)).status_code == 200
    secret = key["Authorization"][7:]
    assert (await desk.get(f"{PAGE}?token={secret}&key={secret}&access_token={secret}")).status_code == 401
    assert (await desk.get(PAGE, headers={"Cookie": f"deskhand={secret[3:]}"})).status_code == 401


@pytest.mark.parametrize("change", ["expires_at = now() - interval '1 second'", "revoked_at = now()"])
async def test_a_key_that_is_over_opens_nothing(desk: httpx2.AsyncClient, conn: Connection, change: str) -> None:
    key = await add_machine(conn, "read")
    await conn.execute(f"update api_keys set {change}")  # noqa: S608
    assert (await desk.get(PAGE, headers=key)).status_code == 401


async def test_a_person_sees_the_pages_of_their_role(desk: httpx2.AsyncClient, conn: Connection) -> None:
    agent = await open_browser(conn, await add_person(conn))
    admin = await open_browser(conn, await add_person(conn, "boss@example.com", "admin"))
    assert 'href="/team"' not in (await desk.get(PAGE, headers=agent | HTML)).text
    assert 'href="/team"' in (await desk.get(PAGE, headers=admin | HTML)).text
    refused = await desk.get("/team", headers=agent | HTML)
    assert refused.status_code == 403
    assert "This takes the role of admin." in refused.text
    assert (await desk.get("/account", headers=STAFF)).status_code == 403


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 "
         "Safari/537.36 Edg/150.0.0.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Version/18.0 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Mobile "
         "Safari/537.36", "Chrome on Android"),
        ("<script>alert(1)</script>", None),
        ("", None),
    ],
)  # fmt: skip
def test_browser_is_named_in_words_of_ours(agent: str, name: str | None) -> None:
    assert name_browser(agent) == name
