"""What Google posts: a hint from Google alone, one reading for each change, and no word of it believed."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from app.settings import Settings
from db.pool import Connection
from tests.app.desk import make_settings, open_desk
from tests.stand_ins.push import PushSender, make_envelope, running_certs

ADDRESS = "support@example.com"


@pytest.fixture
async def google() -> AsyncIterator[PushSender]:
    async with running_certs() as sender:
        yield sender


def configured(google: PushSender, **environ: str) -> Settings:
    account = dict.fromkeys(("GMAIL_CLIENT_ID", "GMAIL_CLIENT_SECRET", "GMAIL_REFRESH_TOKEN"), "x")
    push = {
        "GMAIL_ADDRESS": ADDRESS,
        "GMAIL_PUBSUB_TOPIC": "projects/desk-example/topics/gmail",
        "GMAIL_PUBSUB_AUDIENCE": google.audience,
        "GMAIL_PUBSUB_SERVICE_ACCOUNT": google.service_account,
        "GOOGLE_CERTS_URL": google.certs_url,
    }
    return make_settings(**(account | push | environ))


async def post(desk: httpx2.AsyncClient, token: str, envelope: Any = None, **more: Any) -> int:
    body = make_envelope(ADDRESS, "77") if envelope is None else envelope
    answer = await desk.post("/webhooks/gmail", json=body, headers={"Authorization": f"Bearer {token}"}, **more)
    return answer.status_code


async def count_readings(conn: Connection) -> int:
    return int(await conn.fetchval("select count(*) from message_queue where kind = 'gmail_sync'"))


async def test_pushes_of_one_change_are_one_reading_and_of_another_one_more(
    google: PushSender, database_url: str, conn: Connection
) -> None:
    async with open_desk(database_url, settings=configured(google)) as desk:
        for _ in range(3):
            assert await post(desk, google.mint_token()) == 204
        assert await count_readings(conn) == 1
        assert await post(desk, google.mint_token(), make_envelope(ADDRESS, "99999999999999999999999")) == 204
    assert await count_readings(conn) == 2


@pytest.mark.parametrize("envelope", [{}, [], {"message": {"data": "!"}}, {"message": {"data": "e30="}}, "text"])
async def test_a_push_that_cannot_be_read_is_a_hint_all_the_same(
    google: PushSender, database_url: str, conn: Connection, envelope: Any
) -> None:
    async with open_desk(database_url, settings=configured(google)) as desk:
        assert await post(desk, google.mint_token(), envelope) == 204
    assert await count_readings(conn) == 1


@pytest.mark.parametrize(
    "claims",
    [{"aud": "https://other.example.com"}, {"email": "eve@evil.example"}, {"exp": 1}, {"signed_by": "stranger"}],
)
async def test_a_push_that_is_not_googles_is_refused_and_leaves_nothing(
    google: PushSender, database_url: str, conn: Connection, claims: dict[str, Any]
) -> None:
    async with open_desk(database_url, settings=configured(google)) as desk:
        assert await post(desk, google.mint_token(**claims)) == 403
        assert (await desk.post("/webhooks/gmail", json={})).status_code == 403
    assert await count_readings(conn) == 0


async def test_without_its_settings_the_route_is_off(google: PushSender, database_url: str, conn: Connection) -> None:
    settings = make_settings(GMAIL_ADDRESS=ADDRESS)
    async with open_desk(database_url, settings=settings) as desk:
        assert await post(desk, google.mint_token()) == 503
    assert await count_readings(conn) == 0


async def test_what_a_push_says_beside_the_change_is_not_kept(
    google: PushSender, database_url: str, conn: Connection
) -> None:
    told = base64.b64encode(b'{"emailAddress": "ana@example.com", "historyId": 5, "note": "secret"}').decode()
    async with open_desk(database_url, settings=configured(google)) as desk:
        assert await post(desk, google.mint_token(), {"message": {"data": told}}) == 204
    row = await conn.fetchrow("select dedupe_key, payload from message_queue")
    assert row is not None
    assert (row["dedupe_key"], row["payload"]) == ("gmail_sync:5", {})
