"""Asking Twilio what became of a message: its list is read, and only the same message is found in it."""

from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from channels.base import OutgoingMessage
from channels.phone_numbers import list_spellings
from db.errors import RetryLater
from tests.channels.test_whatsapp_late import LATE, ON_ONE_LINE
from tests.channels.twilio import ACCOUNT, CUSTOMER
from tests.channels.twilio_server import FIRST_TRY, MESSAGE, answering, say


def listed(**changed: Any) -> dict[str, Any]:
    entry = {
        "sid": "SM5", "to": f"whatsapp:{CUSTOMER}", "from": f"whatsapp:{ACCOUNT.number}", "body": MESSAGE.body,
        "date_created": format_datetime(FIRST_TRY.replace(microsecond=0)), "status": "delivered", "date_sent": None,
    }  # fmt: skip
    return entry | changed


def created(seconds: float) -> str:
    return format_datetime((FIRST_TRY + timedelta(seconds=seconds)).replace(microsecond=0))


async def look_up(answer: bytes | None, message: OutgoingMessage = MESSAGE) -> str | None:
    async with answering(answer) as (twilio, channel):
        try:
            return await channel.look_up(message)
        finally:
            asked = [dict(parse_qsl(urlsplit(line.split(" ")[1]).query)) for line, _, _ in twilio.requests]
            assert asked[0]["To"] == f"whatsapp:{list_spellings(message.to)[0]}"
            assert {query["From"] for query in asked} == {f"whatsapp:{ACCOUNT.number}"}


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
        ([listed(**{"from": "whatsapp:+15550000000"})], None),
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


@pytest.mark.parametrize(
    ("message", "listed_body", "is_found"),
    [
        (LATE, f"Hello,\nwe write about your question: {ON_ONE_LINE} Just answer here.", True),
        (LATE, LATE.body, True),
        (LATE, "Hello, we write about your question: Hi Ana, your Just answer here.", False),
        (replace(LATE, known_ids=("SM5",)), f"Hello: {ON_ONE_LINE}.", False),
        (replace(LATE, is_late=False), f"Hello: {ON_ONE_LINE}.", False),
    ],
)
async def test_late_message_is_found_within_the_template_that_the_customer_reads(
    message: OutgoingMessage, listed_body: str, is_found: bool
) -> None:
    found = await look_up(say(200, {"messages": [listed(body=listed_body)]}), message)
    assert found == ("SM5" if is_found else None)


SPELLINGS = [
    ("+5511987654321", "+551187654321"),
    ("+5491123456789", "+541123456789"),
    ("+525512345678", "+5215512345678"),
]


@pytest.mark.parametrize(("one", "other"), SPELLINGS + [(other, one) for one, other in SPELLINGS])
async def test_message_is_found_also_when_the_customer_has_written_from_the_other_spelling_since(
    one: str, other: str
) -> None:
    entries = {"messages": [listed(to=f"whatsapp:{one}")]}
    async with answering(say(200, entries)) as (twilio, channel):
        assert await channel.look_up(replace(MESSAGE, to=other)) == "SM5"
    asked = [dict(parse_qsl(urlsplit(line.split(" ")[1]).query))["To"] for line, _, _ in twilio.requests]
    assert sorted(asked) == sorted(f"whatsapp:{number}" for number in (one, other))


@pytest.mark.parametrize("number", ["+4915112345678", "+551132345678", "+14155238886", "BR.1234567890"])
async def test_number_with_one_spelling_is_asked_for_once(number: str) -> None:
    async with answering(say(200, {"messages": [listed(to=f"whatsapp:{number}")]})) as (twilio, channel):
        assert await channel.look_up(replace(MESSAGE, to=number)) == "SM5"
    assert len(twilio.requests) == 1
