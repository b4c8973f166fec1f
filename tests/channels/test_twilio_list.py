"""Twilio's list of messages is read to its end, from nowhere else, and each failure says what follows from it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import httpx2
import pytest
from starlette.responses import JSONResponse, Response

from channels.twilio.api import MAX_PAGES, AccessRefused
from channels.twilio.message_list import ListedMessage, MessageList
from channels.twilio.messages import PostedMessage, read_message
from channels.whatsapp import open_whatsapp
from db.errors import PermanentFailure, RetryLater
from tests.channels.twilio import ACCOUNT, CUSTOMER
from tests.channels.twilio_records import Records, running_records, say

HOUR = timedelta(hours=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def name_no_callback(token: UUID) -> str:
    raise AssertionError("nothing is sent here")


@asynccontextmanager
async def reading(url: str, token: str = ACCOUNT.auth_token) -> AsyncIterator[MessageList]:
    account = replace(ACCOUNT, auth_token=token)
    async with open_whatsapp(account, name_no_callback, api_base=url) as channel:
        yield MessageList(channel.client, account)


@pytest.fixture
async def records() -> AsyncIterator[Records]:
    async with running_records() as opened:
        yield opened


@pytest.fixture
async def listed(records: Records) -> AsyncIterator[MessageList]:
    async with reading(records.url) as opened:
        yield opened


async def list_bodies(listed: MessageList, since: datetime = LONG_AGO) -> list[str]:
    return [one.body async for page in listed.read_inbound(since) for one in page]


async def test_all_pages_are_read(records: Records, listed: MessageList) -> None:
    records.page_size = 2
    for number in range(5):
        records.write(str(number), age=timedelta(minutes=9 - number))
    records.send("SM77", "delivered")
    assert await list_bodies(listed) == ["4", "3", "2", "1", "0"]
    [first, *_] = records.asked
    query = dict(parse_qsl(urlsplit(first).query))
    assert (query["To"], query["DateSent>"]) == (f"whatsapp:{ACCOUNT.number}", "2020-01-01")


async def test_what_is_older_is_not_listed_and_ends_the_reading(records: Records, listed: MessageList) -> None:
    records.page_size = 1
    for hours in range(1, 9):
        records.write(f"{hours}", age=HOUR * hours)
    assert await list_bodies(listed, datetime.now(UTC) - HOUR * 2.5) == ["1", "2"]
    assert len(records.asked) <= 3


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/2010-04-01/Accounts/AC1/Messages.json?Page=1", "//evil.example/x", "/2010-04-01/Other.json"],
)
async def test_a_list_that_goes_on_elsewhere_is_not_followed(
    records: Records, listed: MessageList, address: str
) -> None:
    records.elsewhere = address
    with pytest.raises(PermanentFailure, match="another address"):
        await list_bodies(listed)
    assert len(records.asked) == 1


async def test_a_list_without_an_end_is_given_up(records: Records, listed: MessageList) -> None:
    records.write()
    records.elsewhere = f"{listed.path}.json?Page=1"
    with pytest.raises(PermanentFailure, match="pages"):
        await list_bodies(listed)
    assert len(records.asked) == MAX_PAGES


@pytest.mark.parametrize("fault", [say(500, 20500), say(429, 20429), say(502), say(200), JSONResponse({}), say(302)])
async def test_list_that_cannot_be_had_is_asked_for_again(
    records: Records, listed: MessageList, fault: Response
) -> None:
    records.faults["/Messages.json"] = fault
    with pytest.raises(RetryLater):
        await list_bodies(listed)


async def test_twilio_that_cannot_be_reached_is_asked_again() -> None:
    async with reading("http://127.0.0.1:1") as listed:
        with pytest.raises(RetryLater):
            await list_bodies(listed)


async def test_twilio_that_keeps_silent_is_asked_again(records: Records, listed: MessageList) -> None:
    records.faults["/Messages.json"] = None
    listed.client.timeout = httpx2.Timeout(0.1)
    with pytest.raises(RetryLater, match="Timeout"):
        await list_bodies(listed)


async def test_wrong_credentials_are_named(records: Records) -> None:
    async with reading(records.url, token="wrong") as listed:
        with pytest.raises(AccessRefused, match="TWILIO_AUTH_TOKEN") as caught:
            await list_bodies(listed)
    assert "wrong" not in str(caught.value)


async def test_closed_account_is_said(records: Records, listed: MessageList) -> None:
    records.faults["/Messages.json"] = say(403, 20005)
    with pytest.raises(AccessRefused, match="code 20005"):
        await list_bodies(listed)


async def test_entries_that_are_no_messages_are_passed_over(records: Records, listed: MessageList) -> None:
    records.write("fine")
    records.write("no id", sid=None)
    records.write("an id that is none", sid="../../x")
    assert await list_bodies(listed) == ["fine"]


async def read_one(
    records: Records, listed: MessageList, files: list[tuple[str, str]], text: str = ""
) -> PostedMessage:
    records.files[records.write(text, num_media=str(len(files)))] = files
    [[message]] = [page async for page in listed.read_inbound(LONG_AGO)]
    listed.base = "https://api.twilio.com"
    fields = listed.write_as_posted(message, await listed.list_files(message))
    return read_message(fields, ACCOUNT, message.created_at)


async def test_files_are_addressed_at_twilio_whatever_the_list_says(records: Records, listed: MessageList) -> None:
    message = await read_one(records, listed, [("ME1", "image/jpeg"), ("../x", "image/png"), ("ME2", "audio/ogg")])
    [sid] = [entry["sid"] for entry in records.messages]
    base = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT.sid}/Messages/{sid}/Media"
    assert message.payload["attached"] == [
        {"url": f"{base}/ME1", "type": "image/jpeg"},
        {"url": f"{base}/ME2", "type": "audio/ogg"},
        {"url": "", "type": "application/octet-stream"},  # counted, and nowhere to be had
    ]


async def test_a_missed_message_reads_as_its_webhook_would_have(records: Records, listed: MessageList) -> None:
    message = await read_one(records, listed, [("ME1", "image/jpeg")], "Look")
    payload = message.payload
    assert (payload["body"], payload["words"], payload["thread_key"]) == ("Look\n[image]", "Look", CUSTOMER)
    assert (message.kept_as, message.wish) == (None, None)


async def test_a_missed_sticker_is_a_sticker(records: Records, listed: MessageList) -> None:
    assert (await read_one(records, listed, [("ME1", "image/webp")])).kept_as == "sticker"


async def test_words_beside_a_sticker_are_read(records: Records, listed: MessageList) -> None:
    assert (await read_one(records, listed, [("ME1", "image/webp")], "Is this yours?")).kept_as is None


async def test_files_that_are_gone_leave_their_marks(records: Records, listed: MessageList) -> None:
    records.faults["/Media.json"] = say(404, 20404)
    message = ListedMessage("SM1", CUSTOMER, "Look", 1, LONG_AGO)
    assert await listed.list_files(message) == []
    fields = listed.write_as_posted(message, [])
    assert read_message(fields, ACCOUNT, LONG_AGO).payload["body"] == "Look\n[file]"


async def test_what_became_of_ours_is_read_without_its_text(records: Records, listed: MessageList) -> None:
    records.send("SM77", "undelivered", error_code=63024)
    [[fate]] = [page async for page in listed.read_outbound(LONG_AGO)]
    assert (fate.vendor_id, fate.status) == ("SM77", "failed")
    assert "63024" in str(fate.error)
    assert "Here is how" not in str(fate.payload)
