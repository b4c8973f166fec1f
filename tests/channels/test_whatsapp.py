"""What each answer of Twilio means for a message: taken, refused, surely not sent, or nobody knows."""

import base64
from datetime import timedelta
from urllib.parse import parse_qsl

import pytest

from channels.base import Blocked, Channel, ChannelOff, NotSent, Refused
from channels.twilio.codes import explain_code
from channels.whatsapp import open_whatsapp
from tests.channels.twilio import ACCOUNT, CUSTOMER
from tests.channels.twilio_server import MESSAGE, answering, keep_no_draft, make_status_url, say


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
        (say(429, {"code": 20429}, "Retry-After: Fri, 21 Nov 2025 12:00:00 GMT"), 1),
        (say(429, {"code": 20429}, "Retry-After: Sat, 21 Nov 2099 12:00:00 GMT"), 3600),
        (say(429, {"code": 20429}, "Retry-After: 2.5"), 2.5),
        (say(429, {"code": 20429}, "Retry-After: soon"), 10),
        (say(429, {"code": 20429}, "Retry-After: 999999"), 3600),
        (say(429, {"code": 20429}, "Retry-After: 0"), 1),
        (say(429, b"slow down"), 10),
        (say(503, b"busy", "Retry-After: 3"), 3),
        (say(401, {"code": 20003, "message": "Authenticate"}), 60),
    ],
)
async def test_answer_that_surely_means_not_sent_is_tried_again_later(answer: bytes, seconds: float) -> None:
    with pytest.raises(NotSent) as caught:
        await send(answer)
    assert caught.value.delay == timedelta(seconds=seconds)


@pytest.mark.parametrize(("code", "pause"), [(21611, 600), (63017, 10), (63018, 60), (63038, 3600), (63053, 600)])
async def test_limit_is_waited_out_as_long_as_its_code_asks_for(code: int, pause: int) -> None:
    with pytest.raises(NotSent, match=f"Twilio {code}: ") as caught:
        await send(say(400, {"code": code, "status": 400}))
    assert caught.value.delay == timedelta(seconds=pause)
    assert not isinstance(caught.value, ChannelOff)


@pytest.mark.parametrize(
    "answer",
    [
        say(401, {"code": 20003}),
        say(401, b"<html>"),
        say(403, {"code": 20003}),
        say(403, {"code": 20403}),
        say(403, b"<html>"),
        say(404, {"code": 20404}),
        *(say(400, {"code": code}) for code in (10001, 20005, 21212, 21603, 21606, 21609, 21660, 63007, 63051, 63112)),
    ],
)
async def test_set_up_that_is_wrong_costs_no_message(answer: bytes) -> None:
    with pytest.raises(ChannelOff):
        await send(answer)


async def test_customer_who_has_opted_out_is_known_as_such() -> None:
    with pytest.raises(Blocked, match=r"^Twilio 21610: the customer has opted out$"):
        await send(say(400, {"code": 21610, "message": f"Attempt to send to {CUSTOMER}"}))


@pytest.mark.parametrize("code", [21211, 21408, 21617, 21656, 63003, 63015, 63016, 63024, 63032, 63041, 99999])
async def test_refusal_of_twilio_is_final_and_said_in_our_words(code: int) -> None:
    with pytest.raises(Refused) as caught:
        await send(say(400, {"code": code, "message": f"The number {CUSTOMER} wrote Hello", "status": 400}))
    assert (str(caught.value), isinstance(caught.value, Blocked)) == (explain_code(code), False)


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
