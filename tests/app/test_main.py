"""What holds for every answer, and what happens when the ground gives way."""

import asyncio
import json
import logging
import subprocess
import sys

import pytest

from app.edge import POLICY
from app.logs import JsonLines
from db.pool import Connection
from tests.app.desk import FORM, HTML, STAFF, make_settings, open_desk
from tests.app.proxy import open_proxy

NOWHERE = "postgresql://desk:desk@127.0.0.1:1/none"
PATHS = ["/", "/health", "/nothing", "/support/ticket/TF-20260101-AAAA", "/health/detailed", "/login", "/help/x",
         "/static/style.css", "/static/../main.py", "/support/submit"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
async def test_every_answer_bears_the_safe_headers(path: str, accept: str) -> None:
    async with open_desk(NOWHERE) as desk:
        headers = (await desk.get(path, headers={"Accept": accept})).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] in ("same-origin", "no-referrer")
    assert "cache-control" in headers
    assert "server" not in headers
    assert "strict-transport-security" not in headers


def test_policy_allows_nothing_but_our_own() -> None:
    rules = dict(rule.strip().split(" ", 1) for rule in POLICY.split(";"))
    assert rules["default-src"] == "'none'"
    assert set(rules.values()) == {"'none'", "'self'"}


async def test_https_is_kept_once_it_was_used() -> None:
    async with open_desk(NOWHERE, settings=make_settings(PUBLIC_BASE_URL="https://desk.example.com")) as desk:
        assert "max-age=" in (await desk.get("/")).headers["strict-transport-security"]


async def test_unknown_path_and_method_are_problems() -> None:
    async with open_desk(NOWHERE) as desk:
        missing = await desk.get("/nothing")
        wrong = await desk.get("/support/submit")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json()["status"] == 405


async def test_people_get_pages_and_programs_get_json() -> None:
    async with open_desk(NOWHERE) as desk:
        for accept, kind in (
            ("text/html", "text/html; charset=utf-8"),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
            ("*/*", "application/problem+json"),
            ("application/json, text/html;q=0.5", "application/problem+json"),
            ("text/html;q=nonsense", "application/problem+json"),
        ):
            assert (await desk.get("/nothing", headers={"Accept": accept})).headers["content-type"] == kind


async def test_database_that_is_down_means_try_again_and_recovers_by_itself(database_url: str) -> None:
    async with open_proxy(database_url) as proxy, open_desk(proxy.url) as desk:
        assert (await desk.post("/support/submit", json=FORM)).status_code == 202
        await proxy.cut()
        answers = [await desk.post("/support/submit", json=FORM) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [503] * 3
        assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
        assert all(answer.headers["content-type"] == "application/problem+json" for answer in answers)
        assert (await desk.get("/health")).status_code == 200
        detailed = await desk.get("/health/detailed", headers=STAFF)
        assert (detailed.status_code, detailed.json()["database"]["ok"]) == (503, False)
        await proxy.mend()
        assert (await desk.post("/support/submit", json=FORM)).status_code == 202


async def test_desk_that_starts_before_its_database_works_once_that_is_there(database_url: str) -> None:
    async with open_proxy(database_url) as proxy:
        await proxy.cut()
        async with open_desk(proxy.url) as desk:
            assert (await desk.post("/support/submit", json=FORM)).status_code == 503
            await proxy.mend()
            assert (await desk.post("/support/submit", json=FORM)).status_code == 202


async def test_database_that_is_down_leaves_people_their_text() -> None:
    async with open_desk(NOWHERE) as desk:
        page = await desk.post("/support/submit", data=FORM, headers=HTML)
    assert page.status_code == 503
    assert FORM["message"] in page.text
    assert "It is still here" in page.text


async def test_database_nobody_migrated_is_not_ready(database_url: str, conn: Connection) -> None:
    await conn.execute("drop schema public cascade; create schema public")
    async with open_desk(database_url) as desk:
        assert (await desk.post("/support/submit", json=FORM)).status_code == 503
        assert (await desk.get("/", headers=HTML)).status_code == 200
        assert (await desk.get("/health/detailed", headers=STAFF)).status_code == 503


async def test_error_nobody_foresaw_shows_only_its_id(
    database_url: str, conn: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    await conn.execute("alter table tickets rename column subject to topic")
    async with open_desk(database_url) as desk:
        answer = await desk.post("/support/submit", json=FORM | {"message": "my secret message"})
    assert answer.status_code == 500
    assert answer.headers["content-security-policy"] == POLICY
    for internal in ("subject", "column", "asyncpg", "Traceback", "select", "secret"):
        assert internal not in answer.text
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.__dict__["request_id"] in answer.json()["detail"]


async def test_nothing_a_customer_wrote_is_logged(
    database_url: str, conn: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    planted = {"name": "Canary-1", "email": "canary-2@example.com", "subject": "canary-3", "message": "canary-4"}
    async with open_desk(database_url) as desk:
        path = (await desk.post("/support/submit", json=planted)).json()["status_url"]
        await desk.get(path, headers=HTML)
        await desk.post(path.replace("?", "/messages?"), json={"message": "canary-5"})
        await desk.get("/customers/lookup?email=canary-2@example.com", headers=STAFF)
        await desk.post("/support/submit", json=planted | {"email": "canary-6"})
        await conn.execute("alter table tickets rename column subject to topic")
        await desk.post("/support/submit", json=planted)
    own = [record for record in caplog.records if record.name.startswith(("app", "db"))]
    written = "\n".join(JsonLines().format(record) for record in own)
    assert len(own) >= 7
    assert "canary" not in written.lower()
    assert path.split("token=")[1] not in written
    routes = [json.loads(line).get("route") for line in written.splitlines()]
    assert "/support/ticket/{reference}" in routes


async def test_files_are_kept_by_browsers_until_they_change() -> None:
    async with open_desk(NOWHERE) as desk:
        page = (await desk.get("/")).text
        address = page.split('rel="stylesheet" href="')[1].split('"')[0]
        answer = await desk.get(address)
        assert answer.headers["content-type"].startswith("text/css")
        assert "immutable" in answer.headers["cache-control"]
        assert (await desk.get("/static/main.py")).status_code == 404


async def test_head_is_answered_like_get_without_a_body() -> None:
    async with open_desk(NOWHERE) as desk:
        assert (await desk.head("/")).status_code == 200


def test_web_process_holds_no_model_and_no_worker() -> None:
    script = "import app.main, sys; print([name for name in sys.modules if name.split('.')[0] in "
    script += "('agent', 'worker', 'openai', 'googleapiclient', 'numpy', 'tokenizers', 'lxml')])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


async def test_many_requests_at_once_are_all_answered(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        answers = await asyncio.gather(
            *(desk.post("/support/submit", json=FORM | {"email": f"a{number}@example.com"}) for number in range(50))
        )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["ticket"] for answer in answers}) == 50


async def test_nobody_is_sent_where_the_host_header_says() -> None:
    async with open_desk(NOWHERE) as desk:
        answer = await desk.get("/health/", headers={"Host": "evil.example"})
    assert answer.status_code == 404
    assert "location" not in answer.headers
