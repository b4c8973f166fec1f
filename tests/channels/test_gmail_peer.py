"""The Gmail client against a Gmail that keeps mail, threads and drafts, and fails as Google fails."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from channels.base import NotSent
from channels.gmail_api import DraftGone, GmailApi, HistoryGone, ThreadGone, open_gmail_api
from channels.gmail_wire import UnclearAnswer
from channels.google_oauth import GmailAccount, GrantExpired
from db.errors import RetryLater
from tests.stand_ins.gmail import TOPIC, Gmail
from tests.stand_ins.gmail_journal import GmailFault
from tests.stand_ins.test_gmail import CUT, write_mail, write_reply


@pytest.fixture
async def api(gmail: Gmail) -> AsyncIterator[GmailApi]:
    account = GmailAccount(
        gmail.address, gmail.client_id, gmail.client_secret, gmail.refresh_token, gmail.token_uri, gmail.api_endpoint
    )
    async with open_gmail_api(account) as opened:
        yield opened


async def test_a_mail_is_read_and_its_answer_sent_once_in_its_thread(gmail: Gmail, api: GmailApi) -> None:
    start = (await api.load_profile()).history_id
    came = await gmail.import_mail(write_mail())
    history = await api.list_history(start)
    [mail] = [await api.load_raw(one) for one in history.added]
    assert (mail.id, mail.thread_id, mail.raw) == (came.id, came.thread_id, write_mail())
    assert history.history_id == came.history_id

    draft_id = await api.create_draft(write_reply(), mail.thread_id)
    assert await api.has_draft(draft_id)
    sent_id = await api.send_draft(draft_id)
    assert not await api.has_draft(draft_id)
    with pytest.raises(DraftGone):
        await api.send_draft(draft_id)
    assert await api.find_sent("<ob.1@example.com>") == sent_id
    assert [one.id for one in (await gmail.list_threads())[mail.thread_id]] == [mail.id, sent_id]
    assert [one.id for one in gmail.journal.sent] == [sent_id]


@pytest.mark.parametrize(
    ("fault", "error", "sent"),
    [
        ("drop", CUT, 1),
        ("lose", CUT, 0),
        ("accept_500", UnclearAnswer, 1),
        ("fail_503", UnclearAnswer, 0),
        ("quota_403", NotSent, 0),
        ("quota_429", NotSent, 0),
    ],
)
async def test_the_draft_tells_whether_a_try_went_that_did_not_end_well(
    gmail: Gmail, api: GmailApi, fault: GmailFault, error: type[Exception] | tuple[type[Exception], ...], sent: int
) -> None:
    draft_id = await api.create_draft(write_reply(), None)
    gmail.knobs.script["drafts.send"] = [fault]
    with pytest.raises(error):
        await api.send_draft(draft_id)
    assert len(gmail.journal.sent) == sent
    assert await api.has_draft(draft_id) == (not sent)
    asked = [met for (call, met), times in gmail.journal.asked.items() for _ in range(times) if call == "drafts.send"]
    assert asked == [fault], "one try, and no more"


async def test_all_pages_of_the_history_are_read_or_none(gmail: Gmail, api: GmailApi) -> None:
    start = (await api.load_profile()).history_id
    mails = [await gmail.import_mail(write_mail(message_id=f"{number}@mail.example.org")) for number in range(5)]
    gmail.knobs.page_size = 2
    gmail.knobs.script["history.list"] = ["ok", "fail_500"]
    with pytest.raises(RetryLater):
        await api.list_history(start)
    assert (await api.list_history(start)).added == tuple(mail.id for mail in mails)


async def test_after_the_history_is_gone_the_recent_mail_is_found(gmail: Gmail, api: GmailApi) -> None:
    start = (await api.load_profile()).history_id
    mail = await gmail.import_mail(write_mail())
    await gmail.expire_history()
    with pytest.raises(HistoryGone):
        await api.list_history(start)
    assert (await api.list_since(datetime.now(UTC) - timedelta(days=1), 10)).ids == (mail.id,)


async def test_an_access_token_that_is_over_is_renewed_and_a_revoked_grant_needs_a_person(
    gmail: Gmail, api: GmailApi
) -> None:
    await api.load_profile()
    gmail.expire_tokens()
    assert (await api.load_profile()).address == gmail.address
    await gmail.revoke_grant()
    with pytest.raises(GrantExpired):
        await api.load_profile()


async def test_a_watch_is_kept_and_a_thread_that_was_deleted_takes_no_draft(gmail: Gmail, api: GmailApi) -> None:
    assert (await api.watch(TOPIC)).expires_at > datetime.now(UTC)
    mail = await gmail.import_mail(write_mail())
    await gmail.delete_mail(mail.id)
    with pytest.raises(ThreadGone):
        await api.create_draft(write_reply(), mail.thread_id)
