"""Google's permission: kept, renewed, taken back, and mended by a person."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from channels.base import NotSent
from channels.gmail_api import GmailApi, open_gmail_api
from channels.google_oauth import GrantExpired
from tests.channels.google import HANG_UP, Google, Reply, fail, open_google, say

PRIVATE = "somebody@private.example"
HISTORY = say(200, {"historyId": "2", "history": [{"messagesAdded": [{"message": {"id": "m1"}}]}]})

Call = Callable[[GmailApi], Awaitable[object]]
CALLS: dict[str, Call] = {
    "GET /profile": lambda gmail: gmail.load_profile(),
    "GET /history": lambda gmail: gmail.list_history("1"),
    "GET /messages/m1": lambda gmail: gmail.load_raw("m1"),
    "GET /drafts/d1": lambda gmail: gmail.has_draft("d1"),
    "POST /watch": lambda gmail: gmail.watch("projects/p/topics/t"),
    "POST /drafts": lambda gmail: gmail.create_draft(b"x", None),
    "POST /drafts/send": lambda gmail: gmail.send_draft("d1"),
}


@pytest.fixture
async def google() -> AsyncIterator[Google]:
    async with open_google() as opened:
        yield opened


@pytest.fixture
async def gmail(google: Google) -> AsyncIterator[GmailApi]:
    async with open_gmail_api(google.account) as opened:
        yield opened


async def test_token_is_fetched_once_for_all_threads_and_kept(google: Google, gmail: GmailApi) -> None:
    google.on("GET /drafts/d1", say(200, {"id": "d1"}))
    await asyncio.gather(*(gmail.has_draft("d1") for _ in range(20)))
    assert google.count("POST /token") == 1
    assert google.asked[0].read_form() == {
        "grant_type": "refresh_token", "refresh_token": "refresh", "client_id": "client", "client_secret": "hidden",
    }  # fmt: skip


async def test_token_that_google_takes_back_is_renewed_and_the_call_made_again(google: Google, gmail: GmailApi) -> None:
    tokens = [say(200, {"access_token": word, "expires_in": 3599}) for word in ("old", "new")]
    google.on("POST /token", *tokens)
    google.on("POST /drafts/send", say(401), say(200, {"id": "m1"}))
    assert await gmail.send_draft("d1") == "m1"
    sent = [asked.headers["authorization"] for asked in google.asked if asked.what == "POST /drafts/send"]
    assert sent == ["Bearer old", "Bearer new"]


async def test_token_that_is_about_to_end_is_renewed_first(google: Google, gmail: GmailApi) -> None:
    google.on("POST /token", say(200, {"access_token": "short", "expires_in": 30}))
    google.on("GET /drafts/d1", say(200, {"id": "d1"}))
    await gmail.has_draft("d1")
    await gmail.has_draft("d1")
    assert google.count("POST /token") == 2


async def test_grant_that_no_refresh_mends_is_expired(google: Google, gmail: GmailApi) -> None:
    google.on("GET /history", say(401))
    with pytest.raises(GrantExpired, match="gmail auth"):
        await gmail.list_history("1")
    assert google.count("GET /history") == 2


@pytest.mark.parametrize(
    ("reply", "advice"),
    [
        (say(400, {"error": "invalid_grant", "error_description": PRIVATE}), "gmail auth"),
        (say(401, {"error": "invalid_client"}), "GMAIL_CLIENT_SECRET"),
        (say(401, {"error": "deleted_client"}), "GMAIL_CLIENT_ID"),
    ],
)
@pytest.mark.parametrize("what", CALLS)
async def test_grant_that_google_withdrew_needs_a_person_whatever_was_asked(
    google: Google, gmail: GmailApi, what: str, reply: bytes, advice: str
) -> None:
    google.on("POST /token", reply)
    with pytest.raises(GrantExpired, match=advice) as error:
        await CALLS[what](gmail)
    assert PRIVATE not in str(error.value)
    assert google.count(what) == 0


async def test_permission_that_is_too_small_needs_a_person(google: Google, gmail: GmailApi) -> None:
    google.on("GET /history", fail(403, "insufficientPermissions"))
    with pytest.raises(GrantExpired):
        await gmail.list_history("1")


@pytest.mark.parametrize("reply", [say(500), say(503), HANG_UP, say(200, b"<"), say(429)])
async def test_send_for_which_no_token_was_to_be_had_has_surely_not_happened(
    google: Google, gmail: GmailApi, reply: Reply
) -> None:
    google.on("POST /token", reply)
    with pytest.raises(NotSent) as error:
        await gmail.send_draft("d1")
    assert not isinstance(error.value, GrantExpired)
    assert (google.count("POST /token"), google.count("POST /drafts/send")) == (1, 0)


async def test_mended_grant_goes_on_by_itself(google: Google, gmail: GmailApi) -> None:
    google.on("POST /token", say(400, {"error": "invalid_grant"}), say(200, {"access_token": "a", "expires_in": 3599}))
    google.on("GET /history", HISTORY)
    with pytest.raises(GrantExpired):
        await gmail.list_history("1")
    assert (await gmail.list_history("1")).added == ("m1",)


async def test_secrets_of_an_account_are_not_shown(google: Google) -> None:
    assert "hidden" not in repr(google.account)
    assert "refresh'" not in repr(google.account)
