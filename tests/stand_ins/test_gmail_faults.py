"""Each fault of the Gmail stand-in shows as Google shows it, and does what it says."""

import asyncio
from datetime import UTC, datetime

import httpx2
import pytest

from tests.stand_ins.gmail import Gmail
from tests.stand_ins.gmail_journal import GmailFault, trim_subject
from tests.stand_ins.test_gmail import (
    CUT,
    ME,
    list_history,
    make_draft,
    open_client,
    refresh,
    send_draft,
    write_mail,
    write_reply,
)

REASONS: list[tuple[GmailFault, int, str, str]] = [
    ("refuse_400", 400, "invalidArgument", "INVALID_ARGUMENT"),
    ("refuse_401", 401, "authError", "UNAUTHENTICATED"),
    ("forbid_403", 403, "insufficientPermissions", "PERMISSION_DENIED"),
    ("quota_403", 403, "rateLimitExceeded", "PERMISSION_DENIED"),
    ("quota_429", 429, "rateLimitExceeded", "RESOURCE_EXHAUSTED"),
    ("miss_404", 404, "notFound", "NOT_FOUND"),
    ("fail_500", 500, "backendError", "INTERNAL"),
    ("fail_503", 503, "backendError", "UNAVAILABLE"),
]


@pytest.mark.parametrize(("fault", "status", "reason", "word"), REASONS)
async def test_a_refusal_is_worded_as_google_words_it(
    gmail: Gmail, fault: GmailFault, status: int, reason: str, word: str
) -> None:
    gmail.knobs.script["getProfile"] = [fault, "ok"]
    async with open_client(gmail) as client:
        answer = await client.get(f"{ME}/profile")
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["status"]) == (status, status, word)
        assert error["errors"][0]["reason"] == reason
        assert (await client.get(f"{ME}/profile")).status_code == 200
    assert gmail.journal.asked["getProfile", fault] == gmail.journal.asked["getProfile", "ok"] == 1


async def test_a_429_says_twice_how_long_to_wait(gmail: Gmail) -> None:
    gmail.knobs.always["*"], gmail.knobs.retry_after_seconds = "quota_429", 7
    async with open_client(gmail) as client:
        answer = await list_history(client, "1")
    assert answer.headers["Retry-After"] == "7"
    until = datetime.fromisoformat(answer.json()["error"]["message"].rsplit(" ", 1)[1])
    assert until > datetime.now(UTC)


@pytest.mark.parametrize(
    ("fault", "status", "sent"),
    [("drop", None, 1), ("lose", None, 0), ("accept_500", 500, 1), ("fail_500", 500, 0), ("quota_403", 403, 0)],
)
async def test_a_draft_went_or_did_not_go_as_the_fault_says(
    gmail: Gmail, fault: GmailFault, status: int | None, sent: int
) -> None:
    async with open_client(gmail) as client:
        draft_id = (await make_draft(client, write_reply(), None)).json()["id"]
        gmail.knobs.script["drafts.send"] = [fault]
        if status is None:
            with pytest.raises(CUT):
                await send_draft(client, draft_id)
        else:
            assert (await send_draft(client, draft_id)).status_code == status
        assert (len(gmail.journal.sent), len(await gmail.list_sent())) == (sent, sent)
        assert (await client.get(f"{ME}/drafts/{draft_id}")).status_code == (404 if sent else 200)
        assert (await send_draft(client, draft_id)).status_code == (404 if sent else 200)
    assert (len(gmail.journal.sent), len(await gmail.list_sent())) == (1, 1)


@pytest.mark.parametrize(("point", "sent"), [("before", 0), ("after", 1)])
async def test_a_send_can_be_held_and_forgotten_before_or_after_it_went(gmail: Gmail, point: str, sent: int) -> None:
    async with open_client(gmail) as client:
        draft_id = (await make_draft(client, write_reply(), None)).json()["id"]
        gmail.gate.close("before" if point == "before" else "after")
        sending = asyncio.create_task(send_draft(client, draft_id))
        await gmail.gate.reached.wait()
        assert len(gmail.journal.sent) == sent
        gmail.gate.open(forget=True)
        with pytest.raises(CUT):
            await sending
    assert len(gmail.journal.sent) == sent


async def test_history_comes_in_pages_and_the_second_can_fail(gmail: Gmail) -> None:
    start = await gmail.load_history_id()
    mails = [await gmail.import_mail(write_mail(message_id=f"{number}@mail.example.org")) for number in range(5)]
    gmail.knobs.page_size = 2
    gmail.knobs.script["history.list"] = ["ok", "fail_500"]
    seen: list[str] = []
    async with open_client(gmail) as client:
        page = (await list_history(client, start)).json()
        failed = await list_history(client, start, pageToken=page["nextPageToken"])
        assert failed.status_code == 500
        while page:
            seen += [row["messagesAdded"][0]["message"]["id"] for row in page["history"]]
            token = page.get("nextPageToken")
            page = (await list_history(client, start, pageToken=token)).json() if token else None
    assert seen == [mail.id for mail in mails]
    assert gmail.journal.asked["history.list", "ok"] == 3


async def test_a_history_id_that_has_expired_is_not_found(gmail: Gmail) -> None:
    start = await gmail.load_history_id()
    newest = (await gmail.import_mail(write_mail())).history_id
    await gmail.expire_history()
    async with open_client(gmail) as client:
        assert (await list_history(client, start)).status_code == 404
        assert (await list_history(client, newest)).status_code == 200


async def test_an_access_token_that_was_not_given_or_is_over_is_refused(gmail: Gmail) -> None:
    async with open_client(gmail) as client:
        invented = await client.get(f"{ME}/profile", headers={"Authorization": "Bearer invented"})
        assert (invented.status_code, (await client.get(f"{ME}/profile")).status_code) == (401, 200)
        gmail.expire_tokens()
        assert (await client.get(f"{ME}/profile")).status_code == 401
        assert (await refresh(client, gmail)).status_code == 200


async def test_a_revoked_grant_refuses_everything_until_there_is_a_new_one(gmail: Gmail) -> None:
    async with open_client(gmail) as client:
        await gmail.revoke_grant()
        assert (await client.get(f"{ME}/profile")).status_code == 401
        refused = await refresh(client, gmail)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        await gmail.grant()
        assert (await refresh(client, gmail)).status_code == 200


async def test_faults_of_the_api_leave_the_token_endpoint_alone(gmail: Gmail) -> None:
    gmail.knobs.always["*"] = "fail_503"
    async with open_client(gmail) as client:
        assert (await client.get(f"{ME}/profile")).status_code == 503
    gmail.knobs.always["token"] = "fail_503"
    async with httpx2.AsyncClient(trust_env=False) as client:
        assert (await refresh(client, gmail)).status_code == 503


async def test_what_was_sent_is_found_by_its_message_id_once_the_index_has_caught_up(gmail: Gmail) -> None:
    search = {"q": "rfc822msgid:ob.1@example.com in:sent"}
    gmail.knobs.index_lag_seconds = 3600
    async with open_client(gmail) as client:
        await gmail.import_mail(write_mail(message_id="ob.1@example.com"))
        sent = (await send_draft(client, (await make_draft(client, write_reply(), None)).json()["id"])).json()
        assert "messages" not in (await client.get(f"{ME}/messages", params=search)).json()
        gmail.knobs.index_lag_seconds = 0
        found = (await client.get(f"{ME}/messages", params=search)).json()["messages"]
    assert [one["id"] for one in found] == [sent["id"]]


async def test_an_answer_can_be_late(gmail: Gmail) -> None:
    async with open_client(gmail) as client:
        gmail.knobs.delay_seconds = 0.5
        with pytest.raises(httpx2.TimeoutException):
            await client.get(f"{ME}/profile", timeout=0.1)


@pytest.mark.parametrize("subject", ["Boards", "Re: Boards", "RE: AW:  boards", "Fwd: Re: Boards"])
def test_what_replying_puts_before_a_subject_does_not_change_it(subject: str) -> None:
    assert trim_subject(subject) == "boards"
