"""The stand-in for Pub/Sub: its tokens pass Google's own check, forged ones do not, and its envelope is Google's."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
import requests
from google.auth.transport.requests import Request as GoogleRequest
from google.oauth2 import id_token
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.stand_ins.http import call
from tests.stand_ins.push import AUDIENCE, SERVICE_ACCOUNT, PushSender, make_envelope, running_certs
from tests.stand_ins.vendor import serving


def verify(sender: PushSender, token: str) -> dict[str, Any]:
    with requests.Session() as session:
        session.trust_env = False
        fetch = GoogleRequest(session)
        return dict(id_token.verify_token(token, fetch, audience=sender.audience, certs_url=sender.certs_url))


@asynccontextmanager
async def running_inbox() -> AsyncIterator[tuple[str, list[tuple[str, Any]]]]:
    got: list[tuple[str, Any]] = []

    async def receive(request: Request) -> Response:
        got.append((request.headers.get("Authorization", ""), await request.json()))
        return Response(status_code=204)

    async with serving(Starlette(routes=[Route("/", receive, methods=["POST"])])) as origin:
        yield origin, got


async def test_a_token_passes_googles_own_check() -> None:
    async with running_certs() as sender:
        claims = await asyncio.to_thread(verify, sender, sender.mint_token())
        assert (claims["iss"], claims["aud"]) == ("https://accounts.google.com", AUDIENCE)
        assert (claims["email"], claims["email_verified"]) == (SERVICE_ACCOUNT, True)
        assert sender.fetched == 1


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"aud": "https://elsewhere.example.com"}, id="for somebody else"),
        pytest.param({"exp": int(time.time()) - 600}, id="over"),
        pytest.param({"iat": int(time.time()) + 6000}, id="from the future"),
        pytest.param({"signed_by": "stranger"}, id="signed by another key"),
        pytest.param({"kid": "unknown"}, id="by a key nobody published"),
    ],
)
async def test_a_forged_token_does_not_pass(forged: dict[str, Any]) -> None:
    async with running_certs() as sender:
        with pytest.raises(jwt.PyJWTError):
            await asyncio.to_thread(verify, sender, sender.mint_token(**forged))


async def test_a_claim_can_be_left_out() -> None:
    claims = jwt.decode(PushSender().mint_token(email=None), options={"verify_signature": False})
    assert "email" not in claims


async def test_the_key_says_how_long_it_may_be_kept_and_can_be_out_of_reach() -> None:
    async with running_certs() as sender:
        assert "max-age=20000" in (await call("GET", sender.certs_url)).headers["cache-control"]
        sender.is_down = True
        assert (await call("GET", sender.certs_url)).status == 503


async def test_a_push_carries_its_token_and_names_mailbox_and_history_id() -> None:
    async with running_inbox() as (url, got):
        envelope = make_envelope("support@example.com", "123456789012345678901", message_id="17")
        assert (await PushSender().post(url, envelope)).status == 204
        assert (await PushSender().post(url, envelope, token="")).status == 204
    assert (got[0][0].startswith("Bearer "), got[1][0]) == (True, "")
    message = got[0][1]["message"]
    assert message["messageId"] == "17"
    said = json.loads(base64.b64decode(message["data"]))
    assert said == {"emailAddress": "support@example.com", "historyId": 123456789012345678901}
