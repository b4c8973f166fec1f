"""What each answer of Google's means for the mailbox: read, read again, sent once, or a person is needed."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from channels.base import NotSent, Refused
from channels.gmail_api import DraftGone, GmailApi, HistoryGone, ThreadGone, open_gmail_api
from channels.gmail_wire import UnclearAnswer
from channels.google_oauth import GrantExpired
from db.errors import NotFound, PermanentFailure, RetryLater
from tests.channels.google import HANG_UP, SILENCE, Google, Reply, fail, open_google, say

START = "98765432109876543210"  # longer than 64 bits hold
PRIVATE = "somebody@private.example"


@pytest.fixture
async def google() -> AsyncIterator[Google]:
    async with open_google() as opened:
        yield opened


@pytest.fixture
async def gmail(google: Google) -> AsyncIterator[GmailApi]:
    async with open_gmail_api(google.account) as opened:
        yield opened


def make_page(history_id: str, *ids: str, token: str | None = None) -> bytes:
    records = [{"id": "1", "messagesAdded": [{"message": {"id": one, "threadId": "t"}}]} for one in ids]
    page: dict[str, Any] = {"historyId": history_id} | ({"history": records} if ids else {})
    return say(200, page | ({"nextPageToken": token} if token else {}))


async def test_history_is_read_to_its_last_page_each_message_once_and_in_order(google: Google, gmail: GmailApi) -> None:
    newest = "98765432109876543299"
    google.on(
        "GET /history",
        make_page(newest, "m1", "m2", token="p2"),
        make_page(newest, "m2", "m3", token="p3"),
        make_page(newest, "m1", "m4"),
    )
    history = await gmail.list_history(START)
    assert (history.added, history.history_id) == (("m1", "m2", "m3", "m4"), newest)
    assert [asked.query.get("pageToken") for asked in google.asked[1:]] == [None, ["p2"], ["p3"]]
    assert {asked.query["startHistoryId"][0] for asked in google.asked[1:]} == {START}


@pytest.mark.parametrize("reply", [say(500), say(503), fail(429, "rateLimitExceeded"), HANG_UP, say(200, b"<")])
async def test_history_without_its_second_page_is_no_history(google: Google, gmail: GmailApi, reply: Reply) -> None:
    google.on("GET /history", make_page("5", "m1", token="p2"), reply)
    with pytest.raises(RetryLater):
        await gmail.list_history("1")
    assert google.count("GET /history") == 2


async def test_empty_history_moves_on_and_never_back(google: Google, gmail: GmailApi) -> None:
    google.on("GET /history", make_page("9"), make_page("100"), make_page("99"))
    assert [(await gmail.list_history(start)).history_id for start in ("8", "99", "100")] == ["9", "100", "100"]


async def test_what_came_while_later_pages_were_read_is_read_again(google: Google, gmail: GmailApi) -> None:
    google.on("GET /history", make_page("9", "m1", token="p2"), make_page("11", "m2"))
    assert (await gmail.list_history("1")).history_id == "9"


async def test_history_whose_pages_go_in_a_circle_ends(google: Google, gmail: GmailApi) -> None:
    google.on("GET /history", make_page("9", "m1", token="p2"))
    with pytest.raises(RetryLater, match="no last page"):
        await gmail.list_history("1")


async def test_history_that_is_too_old_is_gone(google: Google, gmail: GmailApi) -> None:
    google.on("GET /history", fail(404, "notFound"))
    with pytest.raises(HistoryGone):
        await gmail.list_history("1")


async def test_recent_messages_come_oldest_first_and_say_when_there_were_more(google: Google, gmail: GmailApi) -> None:
    newest_first = [{"id": f"m{number}"} for number in range(6, 0, -1)]
    google.on(
        "GET /messages",
        say(200, {"messages": newest_first[:4], "nextPageToken": "p2"}),
        say(200, {"messages": newest_first[4:]}),
        say(200, {"messages": newest_first[:4], "nextPageToken": "p2"}),
        say(200, {"resultSizeEstimate": 0}),
    )
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    whole = await gmail.list_since(moment, 10)
    assert (whole.ids, whole.is_complete) == (("m1", "m2", "m3", "m4", "m5", "m6"), True)
    cut = await gmail.list_since(moment, 3)
    assert (cut.ids, cut.is_complete) == (("m4", "m5", "m6"), False)
    assert await gmail.list_since(moment, 3) == type(cut)((), True)
    assert google.asked[1].query["q"] == [f"after:{int(moment.timestamp())}"]


async def test_message_is_loaded_byte_for_byte(google: Google, gmail: GmailApi) -> None:
    raw = bytes(range(256)) + b"\xff\xfe?>"
    entry = {
        "id": "m1", "threadId": "t1", "labelIds": ["INBOX"], "internalDate": "1795262400123",
        "raw": base64.urlsafe_b64encode(raw).decode().rstrip("="),
    }  # fmt: skip
    google.on("GET /messages/m1", say(200, entry), say(200, entry | {"internalDate": "9" * 30}))
    mail = await gmail.load_raw("m1")
    assert (mail.id, mail.thread_id, mail.label_ids, mail.raw) == ("m1", "t1", ("INBOX",), raw)
    assert mail.internal_date == datetime(2026, 11, 21, 12, tzinfo=UTC) + timedelta(milliseconds=123)
    assert (await gmail.load_raw("m1")).internal_date.year == 9999


async def test_message_that_was_deleted_or_cannot_be_read_says_which(google: Google, gmail: GmailApi) -> None:
    google.on("GET /messages/m1", fail(404, "notFound"))
    with pytest.raises(NotFound):
        await gmail.load_raw("m1")
    google.on("GET /messages/m2", say(200, {"id": "m2", "threadId": "t", "internalDate": "1", "raw": "a"}))
    with pytest.raises(PermanentFailure):
        await gmail.load_raw("m2")


Call = Callable[[GmailApi], Awaitable[object]]
READS: dict[str, Call] = {
    "GET /profile": lambda gmail: gmail.load_profile(),
    "GET /history": lambda gmail: gmail.list_history("1"),
    "GET /messages/m1": lambda gmail: gmail.load_raw("m1"),
    "GET /messages": lambda gmail: gmail.find_sent("a@b"),
    "GET /drafts/d1": lambda gmail: gmail.has_draft("d1"),
    "POST /watch": lambda gmail: gmail.watch("projects/p/topics/t"),
}
LATER: list[Reply] = [
    say(500), say(503), say(408), HANG_UP, say(200, b"<html>"), say(200, [1]), say(302, None, "Location: /x"),
    fail(403, "rateLimitExceeded"), fail(403, "accessNotConfigured"), fail(429, "userRateLimitExceeded"),
]  # fmt: skip


@pytest.mark.parametrize("what", READS)
async def test_read_that_failed_on_the_way_is_worth_another_try(google: Google, gmail: GmailApi, what: str) -> None:
    for reply in LATER:
        google.on(what, reply)
        with pytest.raises(RetryLater) as error:
            await READS[what](gmail)
        assert not isinstance(error.value, GrantExpired)
        assert PRIVATE not in str(error.value)
    assert google.count(what) == len(LATER), "nothing is repeated here: the queue does that"


@pytest.mark.parametrize(
    ("reply", "pause"),
    [
        (fail(429, "rateLimitExceeded", "", "Retry-After: 7"), timedelta(seconds=7)),
        (fail(403, "userRateLimitExceeded", "", "Retry-After: 0"), timedelta(seconds=1)),
        (fail(403, "quotaExceeded", "", "Retry-After: 999999"), timedelta(hours=1)),
        (fail(429, "rateLimitExceeded", "", "Retry-After: soon"), timedelta(seconds=10)),
        (fail(429, "rateLimitExceeded", "Retry after 2099-01-01T00:00:00.000Z"), timedelta(hours=1)),
        (fail(429, "rateLimitExceeded", "Retry after 2001-01-01T00:00:00.000Z"), timedelta(seconds=1)),
        (fail(429, "rateLimitExceeded", "Retry after 2099-13-01T00:00:00Z"), timedelta(seconds=1)),
        (say(429, b"\xff"), timedelta(seconds=10)),
    ],
)
async def test_limit_of_google_is_waited_for_as_long_as_it_says(
    google: Google, gmail: GmailApi, reply: bytes, pause: timedelta
) -> None:
    google.on("POST /drafts/send", reply)
    with pytest.raises(NotSent) as error:
        await gmail.send_draft("d1")
    assert error.value.delay == pause
    assert google.count("POST /drafts/send") == 1


async def test_draft_is_made_in_its_thread_and_sent_by_its_id(google: Google, gmail: GmailApi) -> None:
    google.on("POST /drafts", say(200, {"id": "d1", "message": {"id": "x"}}))
    google.on("POST /drafts/send", say(200, {"id": "m9", "threadId": "t1"}))
    assert await gmail.create_draft(b"Subject: \xff\r\n\r\n>?", "t1") == "d1"
    assert await gmail.create_draft(b"x", None) == "d1"
    assert await gmail.send_draft("d1") == "m9"
    first, second, sent = (asked.read_json() for asked in google.asked[1:])
    assert base64.urlsafe_b64decode(first["message"]["raw"]) == b"Subject: \xff\r\n\r\n>?"
    assert first["message"]["threadId"] == "t1"
    assert "threadId" not in second["message"]
    assert sent == {"id": "d1"}
    assert {asked.headers["authorization"] for asked in google.asked[1:]} == {"Bearer access"}


@pytest.mark.parametrize("reply", [HANG_UP, say(500), say(503, None, "Retry-After: 1"), say(200), say(200, b"<")])
async def test_send_without_an_answer_is_left_open_and_not_repeated(
    google: Google, gmail: GmailApi, reply: Reply
) -> None:
    google.on("POST /drafts/send", reply)
    with pytest.raises((httpx2.TransportError, UnclearAnswer, ValueError)):
        await gmail.send_draft("d1")
    assert google.count("POST /drafts/send") == 1


async def test_draft_that_is_not_there_to_send_says_so(google: Google, gmail: GmailApi) -> None:
    google.on("POST /drafts/send", fail(404, "notFound"))
    with pytest.raises(DraftGone):
        await gmail.send_draft("d1")


async def test_draft_for_a_thread_that_was_deleted_says_so(google: Google, gmail: GmailApi) -> None:
    google.on("POST /drafts", fail(404, "notFound"))
    with pytest.raises(ThreadGone):
        await gmail.create_draft(b"x", "t1")


@pytest.mark.parametrize("reply", [say(500), HANG_UP, say(200, b"<"), say(200)])
async def test_draft_that_could_not_be_made_has_surely_sent_nothing(
    google: Google, gmail: GmailApi, reply: Reply
) -> None:
    google.on("POST /drafts", reply)
    with pytest.raises(NotSent):
        await gmail.create_draft(b"x", None)
    assert google.count("POST /drafts") == 1


@pytest.mark.parametrize("reply", [fail(400, "invalidArgument"), say(413), fail(400, PRIVATE)])
async def test_what_google_will_never_take_is_refused_without_its_words(
    google: Google, gmail: GmailApi, reply: bytes
) -> None:
    google.on("POST /drafts", reply)
    google.on("POST /drafts/send", reply)
    for call in (gmail.create_draft(b"x", None), gmail.send_draft("d1")):
        with pytest.raises(Refused) as error:
            await call
        assert PRIVATE not in str(error.value)


async def test_server_that_is_not_there_has_surely_not_sent_anything(google: Google) -> None:
    async with open_google() as gone:
        pass
    account = replace(google.account, api_endpoint=gone.url)
    async with open_gmail_api(account) as gmail:
        with pytest.raises(NotSent):
            await gmail.send_draft("d1")
    assert google.count("POST /token") == 1


async def test_profile_says_whose_mailbox_it_is(google: Google, gmail: GmailApi) -> None:
    google.on("GET /profile", say(200, {"emailAddress": "Help@Tidefern.example", "historyId": START}))
    profile = await gmail.load_profile()
    assert (profile.address, profile.history_id) == ("help@tidefern.example", START)


async def test_whether_a_draft_is_still_there(google: Google, gmail: GmailApi) -> None:
    google.on("GET /drafts/d1", say(200, {"id": "d1"}))
    google.on("GET /drafts/d2", fail(404, "notFound"))
    assert await gmail.has_draft("d1")
    assert not await gmail.has_draft("d2")


async def test_sent_message_is_found_by_its_message_id(google: Google, gmail: GmailApi) -> None:
    google.on("GET /messages", say(200, {"messages": [{"id": "copy"}, {"id": "first"}]}), say(200, {}))
    assert await gmail.find_sent("<ob.1@tidefern.example>") == "first"
    assert await gmail.find_sent("ob.2@tidefern.example") is None
    queries = [asked.query["q"][0] for asked in google.asked[1:]]
    assert queries == [f"rfc822msgid:ob.{number}@tidefern.example in:sent" for number in (1, 2)]


async def test_watch_says_how_long_google_tells_us_of_changes(google: Google, gmail: GmailApi) -> None:
    google.on("POST /watch", say(200, {"historyId": START, "expiration": "1795262400000"}))
    watch = await gmail.watch("projects/p/topics/t")
    assert (watch.history_id, watch.expires_at) == (START, datetime(2026, 11, 21, 12, tzinfo=UTC))
    assert google.asked[-1].read_json()["topicName"] == "projects/p/topics/t"


async def test_silence_of_google_ends_and_leaves_only_a_send_open(google: Google) -> None:
    calls: dict[str, Call] = READS | {
        "POST /drafts": lambda gmail: gmail.create_draft(b"x", None),
        "POST /drafts/send": lambda gmail: gmail.send_draft("d1"),
    }
    for what in calls:
        google.on(what, SILENCE)
    patience = httpx2.Timeout(15, read=2)
    async with open_gmail_api(google.account, threads=len(calls), timeout=patience) as gmail:
        ends = await asyncio.gather(*(call(gmail) for call in calls.values()), return_exceptions=True)
    for end, what in zip(ends, calls, strict=True):
        expected = {"POST /drafts": NotSent, "POST /drafts/send": httpx2.ReadTimeout}.get(what, RetryLater)
        assert isinstance(end, expected), what
        assert google.count(what) == 1


async def test_answer_that_hangs_holds_up_one_thread_and_nobody_else(google: Google) -> None:
    google.on("GET /drafts/slow", SILENCE)
    google.on("GET /drafts/d1", say(200, {"id": "d1"}))
    async with open_gmail_api(google.account, threads=2, timeout=httpx2.Timeout(15, read=3)) as gmail:
        slow = asyncio.create_task(gmail.has_draft("slow"))
        while not google.count("GET /drafts/slow"):
            await asyncio.sleep(0.01)
        assert await gmail.has_draft("d1")
        with pytest.raises(RetryLater):
            await slow
