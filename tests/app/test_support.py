"""The web form: what is taken in, what is refused, and that nothing is stored by a refusal."""

import asyncio
import json
from typing import Any

import httpx2
import orjson
import pytest

from app.edge import MAX_BODY
from db.pool import Connection
from tests.app.desk import FORM, HTML, STAFF, make_settings, open_desk

PROBLEM = "application/problem+json"


async def count_stored(conn: Connection) -> int:
    total: int = await conn.fetchval(
        """
        select (select count(*) from tickets) + (select count(*) from message_queue)
               + (select count(*) from conversations)
        """
    )
    return total


async def submit(desk: httpx2.AsyncClient, headers: dict[str, str] | None = None, **changed: Any) -> httpx2.Response:
    return await desk.post("/support/submit", json=FORM | changed, headers=headers)


async def test_accepted_means_stored_and_queued_with_its_due_time(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        answer = await submit(desk)
    body = answer.json()
    assert answer.status_code == 202
    assert set(body) == {"ticket", "status_url", "status", "sla"}
    assert body["status"] == "received"
    assert body["sla"]["plan"] == "pro"
    assert body["sla"]["first_response_due_at"].endswith("Z")
    assert body["status_url"].startswith(f"http://localhost:8000/support/ticket/{body['ticket']}?token=")
    row = await conn.fetchrow("select lane, payload from message_queue")
    assert row is not None
    assert row["lane"] == f"web:{body['ticket']}"
    assert row["payload"]["body"] == FORM["message"]
    assert row["payload"]["customer"]["proof"] == "claimed"


async def test_form_leads_to_the_page_of_its_ticket(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        answer = await desk.post("/support/submit", data=FORM, headers=HTML)
        assert answer.status_code == 303
        page = await desk.get(answer.headers["location"], headers=HTML)
    assert page.status_code == 200
    assert FORM["message"] in page.text
    assert "You will have a first answer by" in page.text


async def test_multipart_form_is_taken_too(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        answer = await desk.post("/support/submit", files={name: (None, value) for name, value in FORM.items()})
    assert answer.status_code == 303


JSON = {"content-type": "application/json"}
URLENCODED = {"content-type": "application/x-www-form-urlencoded"}
BODIES: list[tuple[int, dict[str, str], bytes]] = [
    (400, JSON, b"{"),
    (400, JSON, b""),
    (400, JSON, b"[1]"),
    (400, JSON, b'"text"'),
    (400, JSON, b"null"),
    (400, JSON, b'{"name": "\xff"}'),
    (400, JSON, b'{"name": "\\ud800"}'),
    (400, JSON, b"[" * 5000),
    (400, JSON, '{"name": "Ana"}'.encode("utf-16")),
    (400, URLENCODED, b"name=%FF"),
    (400, URLENCODED, b"name=\xff"),
    (400, URLENCODED, b"&".join(b"f%d=1" % number for number in range(1_001))),
    (400, {"content-type": "multipart/form-data; boundary=x"}, b"nonsense"),
    (400, {"content-type": "multipart/form-data"}, b"nonsense"),
    (415, {"content-type": "text/plain"}, b"name=Ana"),
    (415, {"content-type": "application/xml"}, b"<a/>"),
    (415, {}, b"name=Ana"),
    (422, JSON, b"{}"),
    (422, JSON, orjson.dumps(FORM | {"name": "a\0b"})),
    (422, JSON, orjson.dumps(FORM | {"message": 7})),
    (422, JSON, orjson.dumps(FORM | {"message": "x" * 10_001})),
    (422, JSON, orjson.dumps(FORM | {"plan": "platinum"})),
    (422, JSON, orjson.dumps(FORM | {"category": "nonsense"})),
    (422, URLENCODED, b"name=Ana&email=a%00@b.co"),
    (413, JSON, b'{"message": "' + b"x" * MAX_BODY + b'"}'),
]


@pytest.mark.parametrize(("status", "headers", "body"), BODIES)
async def test_bad_body_is_a_problem_and_stores_nothing(
    database_url: str, conn: Connection, status: int, headers: dict[str, str], body: bytes
) -> None:
    async with open_desk(database_url) as desk:
        answer = await desk.post("/support/submit", content=body, headers=headers)
    problem = answer.json()
    assert answer.status_code == status
    assert answer.headers["content-type"] == PROBLEM
    assert {"type", "title", "status", "detail"} <= set(problem)
    if status == 422:
        assert all(set(error) == {"field", "message"} for error in problem["errors"])
    assert await count_stored(conn) == 0


async def test_body_without_a_length_is_cut_off_at_the_limit(database_url: str, conn: Connection) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 1024

    async with open_desk(database_url) as desk:
        request = desk.build_request("POST", "/support/submit", content=endless(), headers=JSON)
        answer = await desk.send(request)
    assert answer.status_code == 413
    assert sent <= MAX_BODY / 1024 + 2


@pytest.mark.parametrize("message", ["🎉" * 10_000, "\u4f60" * 10_000])
async def test_longest_message_fits_however_it_is_encoded(database_url: str, message: str) -> None:
    async with open_desk(database_url) as desk:
        assert (await desk.post("/support/submit", data=FORM | {"message": message})).status_code == 303
        escaped = json.dumps(FORM | {"message": message}).encode()
        assert (await desk.post("/support/submit", content=escaped, headers=JSON)).status_code == 202


async def test_mistakes_give_the_form_back_with_all_that_was_typed(database_url: str, conn: Connection) -> None:
    typed = FORM | {"email": "nope", "subject": '"><script>alert(1)</script>', "message": "long text, long text"}
    async with open_desk(database_url) as desk:
        page = await desk.post("/support/submit", data=typed, headers=HTML)
    assert page.status_code == 422
    assert 'id="summary"' in page.text
    assert 'href="#email"' in page.text
    assert 'aria-describedby="email-error"' in page.text
    assert "long text, long text" in page.text
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text
    assert await count_stored(conn) == 0


async def test_robots_that_fill_every_field_are_told_so(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        answer = await desk.post("/support/submit", data=FORM | {"website": "http://spam"})
    assert answer.status_code == 422
    assert await count_stored(conn) == 0


async def test_same_key_and_body_is_the_same_ticket(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        answers = [await submit(desk, {"Idempotency-Key": "k"}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].json() == answers[1].json()
        pressed = [await desk.post("/support/submit", data=FORM | {"submission_id": "page"}) for _ in range(2)]
        assert pressed[0].headers["location"] == pressed[1].headers["location"]
    assert await conn.fetchval("select count(*) from tickets") == 2
    assert await conn.fetchval("select count(*) from message_queue") == 2


async def test_button_pressed_many_times_at_once_is_one_ticket(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        answers = await asyncio.gather(*(submit(desk, {"Idempotency-Key": "k"}) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["ticket"] for answer in answers}) == 1
    assert await conn.fetchval("select count(*) from message_queue") == 1


async def test_same_key_with_another_body_is_refused(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        await submit(desk, {"Idempotency-Key": "k"})
        answer = await submit(desk, {"Idempotency-Key": "k"}, message="Something else")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert await conn.fetchval("select count(*) from tickets") == 1


async def test_without_a_key_every_submission_is_its_own_ticket(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        assert (await submit(desk)).json()["ticket"] != (await submit(desk)).json()["ticket"]


@pytest.mark.parametrize("column", ["rate_per_address", "rate_per_ip"])
async def test_too_many_messages_wait_and_people_keep_their_text(
    database_url: str, conn: Connection, column: str
) -> None:
    limits = {"rate_per_address": 50, "rate_per_ip": 50, column: 2}
    await conn.execute("update channel_configs set rate_per_address = $1, rate_per_ip = $2", *limits.values())
    async with open_desk(database_url) as desk:
        answers = [await submit(desk) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        assert int(answers[2].headers["retry-after"]) > 0
        assert answers[2].headers["content-type"] == PROBLEM
        page = await desk.post("/support/submit", data=FORM, headers=HTML)
        assert page.status_code == 429
        assert int(page.headers["retry-after"]) > 0
        assert FORM["message"] in page.text
    assert await conn.fetchval("select count(*) from tickets") == 2
    assert not await conn.fetch("select 1 from quotas where key like '%ana%' or key like '%127.0%'")


async def test_closed_form_stores_nothing(database_url: str, conn: Connection) -> None:
    await conn.execute("update channel_configs set is_on = false where channel = 'web'")
    async with open_desk(database_url) as desk:
        assert (await submit(desk)).status_code == 503
    assert await count_stored(conn) == 0


async def test_closed_form_says_so_before_anything_is_typed(database_url: str, conn: Connection) -> None:
    await conn.execute("update channel_configs set is_on = false where channel = 'web'")
    async with open_desk(database_url) as desk:
        page = (await desk.get("/")).text
    assert "The form is closed at the moment" in page
    assert "<form" not in page


async def test_form_page_is_complete_without_scripts_and_without_a_database(database_url: str) -> None:
    async with open_desk("postgresql://desk:desk@127.0.0.1:1/none") as desk:
        page = await desk.get("/", headers=HTML)
    assert page.status_code == 200
    for name in ("name", "email", "subject", "message", "category"):
        assert f'<label for="{name}">' in page.text
    assert "style=" not in page.text
    assert "onclick" not in page.text
    async with open_desk(database_url) as desk:
        assert '<option value="business"' in (await desk.get("/")).text


async def test_links_name_the_configured_address_whatever_host_is_asked(database_url: str) -> None:
    settings = make_settings(PUBLIC_BASE_URL="https://desk.example.com")
    async with open_desk(database_url, settings=settings) as desk:
        answer = await submit(desk, {"Host": "evil.example", **STAFF})
    assert answer.json()["status_url"].startswith("https://desk.example.com/support/ticket/")


async def test_six_typed_characters_that_look_like_an_escaped_nul_are_only_text(
    database_url: str, conn: Connection
) -> None:
    async with open_desk(database_url) as desk:
        answer = await submit(desk, message="What is \\u0000 in \\\\u0000?")
    assert answer.status_code == 202
    assert await conn.fetchval("select payload->>'body' from message_queue") == "What is \\u0000 in \\\\u0000?"


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "https://evil.example"])
async def test_a_form_from_elsewhere_is_refused_however_its_origin_is_written(database_url: str, origin: str) -> None:
    async with open_desk(database_url) as desk:
        assert (await desk.post("/support/submit", data=FORM, headers={"Origin": origin})).status_code == 403


@pytest.mark.parametrize("charset", ["punycode", "undefined", "utf-7", "latin-1"])
async def test_only_utf8_is_taken(database_url: str, conn: Connection, charset: str) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}
    async with open_desk(database_url) as desk:
        assert (await desk.post("/support/submit", content=b"--x--", headers=headers)).status_code == 415
    assert await count_stored(conn) == 0


async def test_multipart_text_that_is_not_utf8_is_refused(database_url: str, conn: Connection) -> None:
    fields = {name: (None, str(value).encode()) for name, value in FORM.items()} | {"message": (None, b"a\xff\xfeb")}
    async with open_desk(database_url) as desk:
        assert (await desk.post("/support/submit", files=fields)).status_code == 400
    assert await count_stored(conn) == 0


async def test_lengths_are_counted_after_characters_are_composed(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        answer = await submit(desk, name="\U0001d160" * 200)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["name"]
