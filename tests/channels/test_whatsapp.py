"""What each answer of Twilio means for a message: taken, refused, surely not sent, or nobody knows."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid4

import httpx2
import pytest

from channels.base import Channel, NotSent, OutgoingMessage, Refused
from channels.whatsapp import WhatsApp, open_whatsapp
from db.errors import RetryLater
from tests.channels.twilio import ACCOUNT, CUSTOMER

FIRST_TRY = datetime(2026, 11, 21, 12, 0, 0, 400_000, UTC)
MESSAGE = OutgoingMessage(
    id=uuid4(), token=uuid4(), channel="whatsapp", thread_key=CUSTOMER, to=CUSTOMER, subject="",
    body="Hello & goodbye 😀", part=1, parts=1, tries=1, draft_id=None, first_try_at=FIRST_TRY, in_reply_to="SM1",
)  # fmt: skip


@dataclass
class Twilio:
    """A server that gives one answer to whatever it is asked; None: it hangs up after the request."""

    answer: bytes | None
    requests: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    """Request line, headers, body."""
    talks: list[asyncio.Task[None]] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.serve(reader, writer))
        self.talks.append(task)
        await task

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append((head[0], headers, body.decode()))
        if self.answer is not None:
            writer.write(self.answer)
            await writer.drain()
        writer.close()
        await asyncio.wait([asyncio.create_task(writer.wait_closed())])


def say(status: int, content: Any = None, *headers: str) -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def make_status_url(token: UUID) -> str:
    return f"https://desk.example.com/webhooks/whatsapp/status?o={token}&s=00"


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[tuple[Twilio, WhatsApp]]:
    twilio = Twilio(answer)
    server = await asyncio.start_server(twilio.talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, open_whatsapp(ACCOUNT, make_status_url, api_base=f"http://127.0.0.1:{port}") as channel:
        yield twilio, channel
        await asyncio.gather(*twilio.talks)


async def keep_no_draft(draft_id: str) -> None:
    raise AssertionError("Twilio has no drafts")


async def send(answer: bytes | None) -> str:
    async with answering(answer) as (twilio, channel):
        try:
            return await channel.send(MESSAGE, keep_no_draft)
        finally:
            assert len(twilio.requests) == 1, "a create is never repeated by the client"


async def test_channel_is_one() -> None:
    async with open_whatsapp(ACCOUNT, make_status_url) as opened:
        channel: Channel = opened
        assert (channel.name, channel.index_lag, channel.absence_is_proof) == ("whatsapp", timedelta(seconds=60), False)
        assert channel.split("a" * 1601) == ["a" * 1600, "a"]


async def test_message_is_created_with_our_address_for_its_fate() -> None:
    async with answering(say(201, {"sid": "SM77", "status": "queued"})) as (twilio, channel):
        assert await channel.send(MESSAGE, keep_no_draft) == "SM77"
    [(line, headers, body)] = twilio.requests
    assert line == f"POST /2010-04-01/Accounts/{ACCOUNT.sid}/Messages.json HTTP/1.1"
    scheme, _, credentials = headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(credentials).decode()) == ("Basic", f"{ACCOUNT.sid}:{ACCOUNT.auth_token}")
    assert dict(parse_qsl(body, strict_parsing=True)) == {
        "To": f"whatsapp:{CUSTOMER}",
        "From": f"whatsapp:{ACCOUNT.number}",
        "Body": MESSAGE.body,
        "StatusCallback": make_status_url(MESSAGE.token),
    }


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (say(429, {"code": 20429, "message": "Too many requests"}, "Retry-After: 7"), 7),
        (say(429, {"code": 20429, "message": "Too many requests"}), 10),
        (say(429, {"code": 20429}, "Retry-After: Sat, 21 Nov 2026 12:00:00 GMT"), 10),
        (say(429, {"code": 20429}, "Retry-After: 999999"), 3600),
        (say(429, {"code": 20429}, "Retry-After: 0"), 1),
        (say(429, b"slow down"), 10),
        (say(503, b"busy", "Retry-After: 3"), 3),
        (say(401, {"code": 20003, "message": "Authenticate"}), 60),
    ],
)
async def test_answer_that_surely_means_not_sent_is_tried_again_later(answer: bytes, seconds: int) -> None:
    with pytest.raises(NotSent) as caught:
        await send(answer)
    assert caught.value.delay == timedelta(seconds=seconds)


async def test_connection_that_was_never_made_is_surely_not_sent() -> None:
    async with open_whatsapp(ACCOUNT, make_status_url, api_base="http://127.0.0.1:1") as channel:
        with pytest.raises(NotSent):
            await channel.send(MESSAGE, keep_no_draft)


@pytest.mark.parametrize("code", [21211, 21408, 21610, 21617, 63016, 63018])
async def test_refusal_of_twilio_is_final_and_names_its_code(code: int) -> None:
    with pytest.raises(Refused, match=f"^Twilio {code}$"):
        await send(say(400, {"code": code, "message": f"The number {CUSTOMER} wrote Hello", "status": 400}))


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"",
        b"HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{",
        b"not HTTP at all\r\n\r\n",
        say(201, {"status": "queued"}),
        say(201, b"<html>"),
        say(200, ["SM1"]),
        say(302, b"", "Location: https://evil.example/"),
        say(404, b"<html>a proxy's page"),
        say(408, b""),
        say(500, {"code": 20500, "message": "Internal server error"}),
        say(502, b"bad gateway"),
        say(503, b"busy"),
        say(504, b""),
    ],
)
async def test_whatever_else_happens_is_said_to_be_unknown(answer: bytes | None) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 (which one does not matter)
        await send(answer)
    assert not isinstance(caught.value, NotSent | Refused | AssertionError)


def listed(**changed: Any) -> dict[str, Any]:
    entry = {
        "sid": "SM5", "to": f"whatsapp:{CUSTOMER}", "from": f"whatsapp:{ACCOUNT.number}", "body": MESSAGE.body,
        "date_created": format_datetime(FIRST_TRY.replace(microsecond=0)), "status": "delivered", "date_sent": None,
    }  # fmt: skip
    return entry | changed


def created(seconds: float) -> str:
    return format_datetime((FIRST_TRY + timedelta(seconds=seconds)).replace(microsecond=0))


async def look_up(answer: bytes | None) -> str | None:
    async with answering(answer) as (twilio, channel):
        try:
            return await channel.look_up(MESSAGE)
        finally:
            query = dict(parse_qsl(urlsplit(twilio.requests[0][0].split(" ")[1]).query))
            assert (query["To"], query["From"]) == (f"whatsapp:{CUSTOMER}", f"whatsapp:{ACCOUNT.number}")


@pytest.mark.parametrize(
    ("entries", "sid"),
    [
        ([], None),
        ([listed()], "SM5"),
        ([listed(status="failed")], "SM5"),
        ([listed(body=MESSAGE.body + "\r\n")], "SM5"),
        ([listed(body="Hello")], None),
        ([listed(body=None)], None),
        ([listed(to="whatsapp:+15550000000")], None),
        ([listed(**{"from": f"whatsapp:{CUSTOMER}", "to": f"whatsapp:{ACCOUNT.number}"})], None),
        ([listed(date_created=created(-60))], None),
        ([listed(date_created=created(3600))], "SM5"),
        ([listed(date_created=created(9), sid="SM7"), listed(sid="SM6"), listed(date_created=created(-99))], "SM6"),
        ([listed(date_created=None)], None),
        ([listed(sid=None), "nonsense", {}], None),
    ],
)
async def test_look_up_finds_the_same_text_to_the_same_number_since_the_first_try(
    entries: list[Any], sid: str | None
) -> None:
    assert await look_up(say(200, {"messages": entries})) == sid


@pytest.mark.parametrize(
    "answer", [None, say(500, {"code": 20500}), say(200, b"<html>"), say(200, {}), say(401, {"code": 20003})]
)
async def test_question_that_is_not_answered_is_no_no(answer: bytes | None) -> None:
    with pytest.raises(RetryLater):
        await look_up(answer)


async def test_time_limit_of_a_send_leaves_it_open() -> None:
    is_gone = asyncio.Event()

    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side hangs up
        writer.close()
        is_gone.set()

    server = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        async with open_whatsapp(ACCOUNT, make_status_url, api_base=base) as channel:
            channel.client.timeout = httpx2.Timeout(0.1)
            with pytest.raises(httpx2.ReadTimeout):
                await channel.send(MESSAGE, keep_no_draft)
        async with asyncio.timeout(5):
            await is_gone.wait()
        await asyncio.sleep(0)
