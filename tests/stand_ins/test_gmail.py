"""The Gmail stand-in keeps its own promises: over plain HTTP, as any client sees it."""

import asyncio
import base64
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any

import httpx2
import pytest

from tests.stand_ins.emulator import Emulator, running_emulator
from tests.stand_ins.gmail import GOOGLE, Gmail, running_gmail
from tests.stand_ins.gmail_faults import name_call

ME = "/gmail/v1/users/me"
CUT = (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError)
"""How a client sees a connection that ends without an answer."""


def write_mail(subject: str = "Boards", message_id: str = "one@mail.example.org", **headers: str) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"] = "Ana Müller <ana@example.org>", "support@example.com"
    mail["Subject"], mail["Message-ID"] = subject, f"<{message_id}>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content("Grüße, where is my order?\n")
    return mail.as_bytes()


def write_reply(to: str = "one@mail.example.org", subject: str = "Re: Boards", own: str = "ob.1@example.com") -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "support@example.com", "ana@example.org", subject
    mail["Message-ID"], mail["In-Reply-To"], mail["References"] = f"<{own}>", f"<{to}>", f"<{to}>"
    mail["X-Outbox-Id"] = f"outbox-{own}"
    mail.set_content("On its way.\n")
    return mail.as_bytes()


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@asynccontextmanager
async def open_client(gmail: Gmail) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a fresh access token."""
    async with httpx2.AsyncClient(base_url=gmail.api_endpoint, trust_env=False) as client:
        token = (await refresh(client, gmail)).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


async def refresh(client: httpx2.AsyncClient, gmail: Gmail) -> httpx2.Response:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": gmail.refresh_token,
        "client_id": gmail.client_id,
        "client_secret": gmail.client_secret,
    }
    return await client.post(gmail.token_uri, data=form)


async def list_history(client: httpx2.AsyncClient, start: str, **params: Any) -> httpx2.Response:
    return await client.get(f"{ME}/history", params={"startHistoryId": start} | params)


async def make_draft(client: httpx2.AsyncClient, raw: bytes, thread_id: str | None) -> httpx2.Response:
    message = {"raw": encode(raw)} | ({"threadId": thread_id} if thread_id else {})
    return await client.post(f"{ME}/drafts", json={"message": message})


async def send_draft(client: httpx2.AsyncClient, draft_id: str) -> httpx2.Response:
    return await client.post(f"{ME}/drafts/send", json={"id": draft_id})


async def test_a_customers_mail_is_in_the_history_and_comes_out_byte_for_byte(gmail: Gmail) -> None:
    start, raw = await gmail.load_history_id(), write_mail() + b"\xff\x00 no charset has this"
    async with open_client(gmail) as client:
        mail = await gmail.import_mail(raw)
        history = (await list_history(client, start, historyTypes="messageAdded")).json()
        [added] = [one["message"] for row in history["history"] for one in row["messagesAdded"]]
        assert (added["id"], added["threadId"], added["labelIds"]) == (mail.id, mail.thread_id, ["INBOX", "UNREAD"])
        assert int(history["historyId"]) > int(start)
        shown = (await client.get(f"{ME}/messages/{mail.id}", params={"format": "raw"})).json()
        assert base64.urlsafe_b64decode(shown["raw"] + "==") == raw


async def test_a_draft_is_sent_once_in_the_thread_it_answers(gmail: Gmail) -> None:
    mail = await gmail.import_mail(write_mail())
    async with open_client(gmail) as client:
        draft_id = (await make_draft(client, write_reply(), mail.thread_id)).json()["id"]
        assert (await client.get(f"{ME}/drafts/{draft_id}")).status_code == 200
        assert gmail.journal.sent == []
        both = await asyncio.gather(send_draft(client, draft_id), send_draft(client, draft_id))
        assert sorted(answer.status_code for answer in both) == [200, 404]
        assert (await client.get(f"{ME}/drafts/{draft_id}")).status_code == 404
    [sent] = gmail.journal.sent
    assert (sent.message_id, sent.outbox_id) == ("ob.1@example.com", "outbox-ob.1@example.com")
    assert (sent.to, sent.thread_id, sent.draft_id) == ("ana@example.org", mail.thread_id, draft_id)
    assert [one.id for one in (await gmail.list_threads())[mail.thread_id]] == [mail.id, sent.id]
    assert [one.raw for one in await gmail.list_sent()] == [write_reply()]
    assert gmail.journal.list_doubled() == []


async def test_what_was_sent_has_an_id_that_the_draft_did_not_have(gmail: Gmail) -> None:
    start = await gmail.load_history_id()
    async with open_client(gmail) as client:
        draft = (await make_draft(client, write_reply(), None)).json()
        sent = (await send_draft(client, draft["id"])).json()
        rows = (await list_history(client, start)).json()["history"]
    assert sent["id"] != draft["message"]["id"]
    added = [one["message"]["id"] for row in rows for one in row.get("messagesAdded", [])]
    deleted = [one["message"]["id"] for row in rows for one in row.get("messagesDeleted", [])]
    assert (added, deleted) == ([draft["message"]["id"], sent["id"]], [draft["message"]["id"]])


async def test_the_same_mail_sent_through_two_drafts_is_found_in_the_journal(gmail: Gmail) -> None:
    async with open_client(gmail) as client:
        for _ in range(2):
            await send_draft(client, (await make_draft(client, write_reply(), None)).json()["id"])
    assert [sent.number for sent in gmail.journal.list_doubled()] == [1]
    assert [len(sent) for sent in gmail.journal.list_by_message_id().values()] == [2]
    assert [len(sent) for sent in gmail.journal.list_by_outbox_id().values()] == [2]


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(write_reply(subject="Re: Something else"), id="another subject"),
        pytest.param(write_reply(to="unknown@mail.example.org"), id="no reference"),
    ],
)
async def test_a_reply_that_does_not_fit_the_thread_it_names_starts_a_new_one(gmail: Gmail, reply: bytes) -> None:
    mail = await gmail.import_mail(write_mail())
    async with open_client(gmail) as client:
        await send_draft(client, (await make_draft(client, reply, mail.thread_id)).json()["id"])
    [sent] = gmail.journal.sent
    assert sent.thread_id != mail.thread_id


async def test_a_customers_answer_joins_the_thread_of_the_reply_it_answers(gmail: Gmail) -> None:
    mail = await gmail.import_mail(write_mail())
    async with open_client(gmail) as client:
        await send_draft(client, (await make_draft(client, write_reply(), mail.thread_id)).json()["id"])
    answer = await gmail.import_mail(write_mail("Re: Boards", "two@mail.example.org", In_Reply_To="<ob.1@example.com>"))
    assert answer.thread_id == mail.thread_id


async def test_a_reply_typed_in_gmail_is_a_sent_mail_of_the_thread_and_no_program_sent_it(gmail: Gmail) -> None:
    mail = await gmail.import_mail(write_mail("Größe"))
    start = await gmail.load_history_id()
    typed = await gmail.type_reply(mail.thread_id, "I will look into it.")
    assert (typed.thread_id, typed.labels) == (mail.thread_id, ("SENT",))
    written = message_from_bytes(typed.raw)
    assert written["In-Reply-To"] == "<one@mail.example.org>"
    assert written["X-Outbox-Id"] is None
    assert gmail.journal.sent == []
    async with open_client(gmail) as client:
        assert typed.id in (await list_history(client, start)).text


async def test_a_message_id_of_googles_own_can_replace_the_senders(gmail: Gmail) -> None:
    gmail.knobs.rewrites_message_id = True
    async with open_client(gmail) as client:
        await send_draft(client, (await make_draft(client, write_reply(), None)).json()["id"])
    [stored] = await gmail.list_sent()
    assert message_from_bytes(stored.raw)["Message-ID"].endswith("@mail.gmail.com>")
    assert message_from_bytes(stored.raw)["X-Outbox-Id"] == "outbox-ob.1@example.com"
    assert [sent.message_id for sent in gmail.journal.sent] == ["ob.1@example.com"]


async def test_the_profile_names_the_mailbox_and_its_newest_history_id(gmail: Gmail) -> None:
    mail = await gmail.import_mail(write_mail())
    async with open_client(gmail) as client:
        profile = (await client.get(f"{ME}/profile")).json()
    assert profile["emailAddress"] == gmail.address
    assert profile["historyId"] == mail.history_id
    assert profile["messagesTotal"] == 1


async def test_nothing_found_is_an_answer_without_a_list(gmail: Gmail) -> None:
    async with open_client(gmail) as client:
        history = (await list_history(client, await gmail.load_history_id())).json()
        messages = (await client.get(f"{ME}/messages", params={"q": "in:sent"})).json()
    assert "history" not in history
    assert "historyId" in history
    assert "messages" not in messages


async def test_what_is_no_mail_is_refused(gmail: Gmail) -> None:
    async with open_client(gmail) as client:
        assert (await client.post(f"{ME}/drafts", json={"message": {"raw": "%%%"}})).status_code == 400
        draft_id = (await make_draft(client, b"Subject: to nobody\n\nHello", None)).json()["id"]
        assert (await send_draft(client, draft_id)).status_code == 400
        assert (await make_draft(client, write_reply(), "no-such-thread")).status_code == 404
    assert gmail.journal.sent == []


async def test_a_mailbox_starts_empty_whatever_was_in_it_before(gmail_emulator: Emulator) -> None:
    async with running_gmail(gmail_emulator) as before:
        await before.import_mail(write_mail())
    async with running_gmail(gmail_emulator) as after:
        assert await after.list_mail() == []
        assert after.refresh_token != before.refresh_token


async def test_two_emulators_are_two_mailboxes(gmail: Gmail) -> None:
    async with running_gmail() as other:
        await other.import_mail(write_mail())
        assert (len(await other.list_mail()), len(await gmail.list_mail())) == (1, 0)


def test_an_emulator_ends_with_the_block_and_with_its_standard_input(gmail_emulator: Emulator) -> None:
    with running_emulator(GOOGLE) as emulator:
        assert emulator.process.poll() is None
    assert emulator.process.returncode == -signal.SIGKILL
    with running_emulator(GOOGLE) as orphan:
        assert orphan.process.stdin
        orphan.process.stdin.close()
        assert orphan.process.wait(timeout=60) == 0


@pytest.mark.parametrize(
    ("method", "path", "call"),
    [
        ("GET", f"{ME}/profile", "getProfile"),
        ("GET", f"{ME}/history", "history.list"),
        ("GET", f"{ME}/messages/abc", "messages.get"),
        ("GET", f"{ME}/messages/abc/attachments/def", "messages.attachments.get"),
        ("POST", f"{ME}/messages/abc/modify", "messages.modify"),
        ("POST", f"/upload{ME}/drafts", "drafts.create"),
        ("POST", f"{ME}/drafts/send", "drafts.send"),
        ("GET", f"{ME}/drafts/abc", "drafts.get"),
        ("DELETE", f"{ME}/drafts/abc", "drafts.delete"),
        ("POST", f"{ME}/watch", "watch"),
        ("POST", "/oauth2/token", "token"),
    ],
)
def test_calls_are_named_as_in_googles_reference(method: str, path: str, call: str) -> None:
    assert name_call(method, path) == call
