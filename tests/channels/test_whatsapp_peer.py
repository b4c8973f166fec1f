"""The WhatsApp channel against a Twilio that nobody here wrote, and beside Twilio's own library."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl
from uuid import UUID, uuid4

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from twilio.rest import Client

from channels.base import ChannelOff, OutgoingMessage, Refused
from channels.twilio.account import WhatsAppAccount
from channels.whatsapp import WhatsApp, open_whatsapp
from tests.stand_ins.twilio_emulator import Twilio
from tests.stand_ins.vendor import serving
from tests.stand_ins.webhooks import ACCOUNT, NUMBER, TOKEN

CUSTOMER = "+5511987654321"
TEMPLATE = "HX00000000000000000000000000000001"


def make_outgoing(body: str = "Olá 😀 & tchau: 100 % + mais\n\nfim") -> OutgoingMessage:
    return OutgoingMessage(
        id=uuid4(), token=uuid4(), channel="whatsapp", thread_key=CUSTOMER, to=CUSTOMER, subject="", body=body,
        part=1, parts=1, tries=1, draft_id=None, first_try_at=datetime.now(UTC), in_reply_to=None,
    )  # fmt: skip


async def keep_no_draft(_: str) -> None:
    return


def name_no_callback(token: UUID) -> str:
    return f"http://127.0.0.1:9/status?o={token}"


@asynccontextmanager
async def open_channel(url: str, token: str = TOKEN, number: str = NUMBER) -> AsyncIterator[WhatsApp]:
    account = WhatsAppAccount(ACCOUNT, token, number)
    async with open_whatsapp(
        account, name_no_callback, api_base=url, index_lag=timedelta(0), template_sid=TEMPLATE
    ) as channel:
        yield channel


async def test_an_answer_arrives_letter_by_letter_and_is_found_in_the_list(twilio: Twilio) -> None:
    message, other = make_outgoing(), make_outgoing("Somebody else's words")
    async with open_channel(twilio.url) as channel:
        assert await channel.look_up(message) is None
        sid = await channel.send(message, keep_no_draft)
        await channel.send(other, keep_no_draft)
        assert await channel.look_up(message) == sid
        assert await channel.look_up(make_outgoing("never sent")) is None
    [taken, _] = await twilio.list_sent()
    assert (taken["sid"], taken["body"], taken["to"]) == (sid, message.body, f"whatsapp:{CUSTOMER}")


async def test_what_a_customer_wrote_is_not_taken_for_our_answer(twilio: Twilio) -> None:
    message = make_outgoing("Hello")
    await twilio.write(CUSTOMER, message.body)
    async with open_channel(twilio.url) as channel:
        assert await channel.look_up(message) is None


async def test_wrong_credentials_send_nothing_and_say_so(twilio: Twilio) -> None:
    async with open_channel(twilio.url, token="wrong") as channel:
        with pytest.raises(ChannelOff, match="20003"):
            await channel.send(make_outgoing(), keep_no_draft)
    assert await twilio.list_sent() == []


async def test_a_number_that_is_none_is_refused_for_good(twilio: Twilio) -> None:
    async with open_channel(twilio.url) as channel:
        with pytest.raises(Refused, match="21201"):
            await channel.send(replace(make_outgoing(), to="nobody"), keep_no_draft)


async def test_a_sender_that_is_not_ours_sends_nothing_until_that_is_mended(twilio: Twilio) -> None:
    async with open_channel(twilio.url, number="+15550009999") as channel:
        with pytest.raises(ChannelOff, match="21606"):
            await channel.send(make_outgoing(), keep_no_draft)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, without what says who made it and when."""

    method: str
    path: str
    query: dict[str, str]
    authorization: str | None
    type: str | None
    form: dict[str, str]


@dataclass(slots=True)
class Tap:
    """Passes on to a vendor, and notes what went through."""

    url: str
    asked: list[Asked] = field(default_factory=list)

    async def pass_on(self, request: Request) -> Response:
        body, kept = await request.body(), ("authorization", "content-type")
        head = {name: request.headers[name] for name in kept if name in request.headers}
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        self.asked.append(
            Asked(
                request.method, request.url.path, dict(request.query_params), head.get("authorization"),
                head.get("content-type") if form else None, form,
            )
        )  # fmt: skip
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False) as client:
            target = f"{request.url.path}?{request.url.query}"
            answer = await client.request(request.method, target, headers=head, content=body)
        return Response(answer.content, answer.status_code, media_type="application/json")

    def make_app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.pass_on, methods=["GET", "POST"])])


def ask_with_twilios_library(url: str, message: OutgoingMessage) -> str:
    client = Client(ACCOUNT, TOKEN)
    client.api.base_url = url
    to, sender = f"whatsapp:{message.to}", f"whatsapp:{NUMBER}"
    text = {"content_sid": TEMPLATE, "content_variables": json.dumps({"1": message.body})}
    made = client.messages.create(
        to=to, from_=sender, status_callback=name_no_callback(message.token),
        **(text if message.is_late else {"body": message.body}),
    )  # fmt: skip
    assert made.sid in [one.sid for one in client.messages.list(to=to, from_=sender, limit=1000, page_size=1000)]
    client.http_client.session.close()
    return str(made.sid)


@pytest.mark.parametrize("is_late", [False, True])
async def test_we_ask_twilio_as_its_own_library_does(twilio: Twilio, is_late: bool) -> None:
    message, tap = make_outgoing("Olá 😀 & tchau: 100 % + mais"), Tap(twilio.url)
    message = replace(message, to="+4915112345678", is_late=is_late)  # a number of one spelling is asked for once
    async with serving(tap.make_app()) as url, open_channel(url) as channel:
        await channel.send(message, keep_no_draft)
        await channel.look_up(message)
        sid = await asyncio.to_thread(ask_with_twilios_library, url, message)
    ours, theirs = tap.asked[:2], tap.asked[2:]
    assert ours == theirs
    assert (await twilio.list_sent())[-1]["sid"] == sid
