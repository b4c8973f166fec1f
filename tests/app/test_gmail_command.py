"""Connecting a mailbox from the terminal, and what the doctor says about it."""

import asyncio
import base64
import hashlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from channels.google_oauth import SCOPE
from db.pool import Connection
from tests.app.test_command_line import run
from tests.channels.google import HANG_UP, Google, fail, open_google, say

ROOT = Path(__file__).parent.parent.parent
ADDRESS = "help@tidefern.example"
TOKENS = {"access_token": "access", "expires_in": 3599, "refresh_token": "1//refresh", "scope": SCOPE}

Query = dict[str, str]
Paste = Callable[[Query], str]


@pytest.fixture
async def google() -> AsyncIterator[Google]:
    async with open_google() as opened:
        opened.on("POST /token", say(200, TOKENS))
        opened.on("GET /profile", say(200, {"emailAddress": ADDRESS, "historyId": "1"}))
        yield opened


def set_up(google: Google, **changed: str) -> dict[str, str]:
    """The environment of a mailbox whose Google is the test's."""
    environ = {
        "GMAIL_ADDRESS": ADDRESS, "GMAIL_CLIENT_ID": "client", "GMAIL_CLIENT_SECRET": "hidden",
        "GMAIL_TOKEN_URI": f"{google.url}/token", "GMAIL_API_ENDPOINT": google.url,
    }  # fmt: skip
    return environ | changed


async def walk(paste: Paste, environ: dict[str, str]) -> tuple[int | None, str, str, Query]:
    """Exit code, output, errors of `gmail auth` with what is pasted, and what Google's page was asked for."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "gmail", "auth", cwd=ROOT, env={"PATH": os.environ["PATH"], **environ},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin
    assert process.stderr
    said = (await process.stderr.readuntil(b"Address: ")).decode()
    [url] = [line for line in said.splitlines() if line.startswith("https://accounts.google.com/")]
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    output, errors = await process.communicate(paste(asked).encode() + b"\n")
    return process.returncode, output.decode(), said + errors.decode(), asked


def land(asked: Query) -> str:
    """The address the browser ends on when its owner agreed."""
    return f"{asked['redirect_uri']}/?state={asked['state']}&code=4/code&scope={SCOPE}"


async def test_walk_ends_with_the_line_for_the_environment(google: Google) -> None:
    code, output, said, asked = await walk(land, set_up(google))
    assert (code, output) == (0, "GMAIL_REFRESH_TOKEN=1//refresh\n")
    assert f"permission for {ADDRESS}" in said
    assert "Testing" in said
    assert "7 days" in said
    assert (asked["scope"], asked["access_type"], asked["prompt"]) == (SCOPE, "offline", "consent")
    assert asked["login_hint"] == ADDRESS
    form = google.asked[0].read_form()
    assert (form["grant_type"], form["code"]) == ("authorization_code", "4/code")
    assert form["redirect_uri"] == asked["redirect_uri"]
    challenge = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert asked["code_challenge"] == base64.urlsafe_b64encode(challenge).decode().rstrip("=")
    assert asked["code_challenge_method"] == "S256"


@pytest.mark.parametrize(
    ("paste", "advice"),
    [
        (lambda asked: land(asked).replace(asked["state"], "another"), "another try"),
        (lambda asked: f"{asked['redirect_uri']}/?code=4/code", "another try"),
        (lambda asked: f"{asked['redirect_uri']}/?error=access_denied&state={asked['state']}", "access_denied"),
        (lambda _: "4/code", "whole address"),
        (lambda _: "", "whole address"),
        (lambda _: "http://[", "whole address"),
    ],
)
async def test_address_of_another_walk_is_not_taken(google: Google, paste: Paste, advice: str) -> None:
    code, output, said, _ = await walk(paste, set_up(google))
    assert (code, output) == (1, "")
    assert advice in said.splitlines()[-1]
    assert google.asked == [], "and nothing is sent to Google"


@pytest.mark.parametrize(
    ("reply", "advice"),
    [
        (say(400, {"error": "invalid_grant"}), "start again"),
        (say(401, {"error": "invalid_client"}), "GMAIL_CLIENT_SECRET"),
        (say(400, {"error": "redirect_uri_mismatch"}), "Desktop app"),
        (say(500), "status 500"),
        (HANG_UP, "cannot be reached"),
        (say(200, TOKENS | {"scope": "openid"}), "not ticked"),
        (say(200, TOKENS | {"refresh_token": None}), "no refresh token"),
    ],
)
async def test_walk_that_google_ends_says_what_to_do(google: Google, reply: bytes, advice: str) -> None:
    google.on("POST /token", reply)
    code, output, said, _ = await walk(land, set_up(google))
    assert (code, output) == (1, "")
    assert advice in said.splitlines()[-1]
    assert "hidden" not in said


async def test_permission_for_another_mailbox_is_not_handed_out(google: Google) -> None:
    google.on("GET /profile", say(200, {"emailAddress": "private@tidefern.example", "historyId": "1"}))
    code, output, said, _ = await walk(land, set_up(google))
    assert (code, output) == (1, "")
    assert f"GMAIL_ADDRESS is {ADDRESS}" in said.splitlines()[-1]


async def test_mailbox_that_cannot_be_looked_into_now_is_connected_all_the_same(google: Google) -> None:
    google.on("GET /profile", fail(404, "notFound"))
    code, output, said, _ = await walk(land, set_up(google))
    assert (code, output) == (0, "GMAIL_REFRESH_TOKEN=1//refresh\n")
    assert "doctor" in said


async def test_address_may_be_found_out_by_the_walk(google: Google) -> None:
    code, _, said, asked = await walk(land, set_up(google, GMAIL_ADDRESS=""))
    assert code == 0
    assert "login_hint" not in asked
    assert f"GMAIL_ADDRESS={ADDRESS}" in said


async def test_permission_that_ends_by_itself_is_said_with_its_day(google: Google) -> None:
    google.on("POST /token", say(200, TOKENS | {"refresh_token_expires_in": 604_799}))
    code, _, said, _ = await walk(land, set_up(google))
    assert code == 0
    assert "ends by itself on 20" in said


async def test_walk_needs_the_client_first() -> None:
    code, output, errors = await run("gmail", "auth", GMAIL_CLIENT_ID="client")
    assert (code, output) == (2, "")
    assert errors.count("\n") == 1
    assert "docs/channels/gmail.md" in errors


async def examine(google: Google, database_url: str, **changed: str) -> tuple[int | None, str]:
    environ = set_up(google, GMAIL_REFRESH_TOKEN="1//refresh", DATABASE_URL=database_url)
    code, output, _ = await run("doctor", **(environ | changed))
    return code, output


async def test_doctor_sees_a_connected_mailbox(google: Google, database_url: str) -> None:
    code, output = await examine(google, database_url)
    assert code == 0
    assert f"ok   the mailbox {ADDRESS} is read every 120 s\n" in output
    assert "off  mail is noticed sooner once Google tells us of it" in output
    code, output = await examine(
        google, database_url, GMAIL_PUBSUB_TOPIC="projects/p/topics/t", GMAIL_PUBSUB_SERVICE_ACCOUNT="push@p.example",
        PUBLIC_BASE_URL="https://desk.example.com",
    )  # fmt: skip
    assert f"ok   the mailbox {ADDRESS} is read every 120 s, and when Google tells us of new mail\n" in output


async def test_doctor_sees_a_permission_that_google_withdrew(google: Google, database_url: str) -> None:
    google.on("POST /token", say(400, {"error": "invalid_grant"}))
    code, output = await examine(google, database_url)
    assert code == 1
    assert "bad  Google no longer lets us into the mailbox: run python -m app gmail auth" in output
    assert "hidden" not in output


async def test_doctor_sees_the_wrong_mailbox_and_a_google_that_is_away(google: Google, database_url: str) -> None:
    code, output = await examine(google, database_url, GMAIL_ADDRESS="other@tidefern.example")
    assert code == 1
    assert f"bad  Google lets us into {ADDRESS}, but GMAIL_ADDRESS is other@tidefern.example" in output
    google.on("GET /profile", HANG_UP)
    code, output = await examine(google, database_url)
    assert code == 0
    assert f"warn the mailbox {ADDRESS} cannot be asked now" in output


@pytest.mark.parametrize(("action", "kind"), [("sync", "gmail_sync"), ("watch", "gmail_watch")])
async def test_what_is_asked_for_now_is_queued_once(
    google: Google, database_url: str, conn: Connection, action: str, kind: str
) -> None:
    topic = "projects/desk-example/topics/gmail"
    environ = set_up(google, DATABASE_URL=database_url, GMAIL_REFRESH_TOKEN="1//refresh", GMAIL_PUBSUB_TOPIC=topic)
    for _ in range(2):
        code, _, _ = await run("gmail", action, **environ)
        assert code == 0
    assert await conn.fetchval("select array_agg(kind) from message_queue") == [kind]


async def test_nothing_is_queued_for_a_mailbox_that_is_not_connected(
    google: Google, database_url: str, conn: Connection
) -> None:
    code, _, errors = await run("gmail", "sync", **set_up(google, DATABASE_URL=database_url))
    assert code != 0
    assert "gmail auth" in errors
    assert await conn.fetchval("select count(*) from message_queue") == 0
