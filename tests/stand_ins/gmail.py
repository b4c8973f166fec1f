"""A whole Gmail for the tests: the mailbox, the customers who write to it, the people who type in it, and its faults.

In a test: the fixture `gmail`, or `async with running_gmail() as gmail` for one of its own. Point the program at
gmail.environment; then gmail.import_mail(...), gmail.journal, gmail.knobs, gmail.gate, gmail.post_push(...).
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx2

from tests.stand_ins.emulator import Emulator, running_emulator
from tests.stand_ins.gmail_faults import GmailProxy, encode_raw, read_raw
from tests.stand_ins.gmail_journal import GmailJournal, GmailKnobs, read_head
from tests.stand_ins.http import Answer
from tests.stand_ins.journal import Gate
from tests.stand_ins.push import CERTS, PushSender, make_envelope
from tests.stand_ins.vendor import serving

SCOPE = "https://www.googleapis.com/auth/gmail.modify"
TOPIC = "projects/desk-example/topics/gmail"
ADDRESS = "support@example.com"
CLIENT_ID = "desk.apps.googleusercontent.com"
CLIENT_SECRET = "client-secret-of-the-stand-in"
CLIENT = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uris": ["http://localhost"]}
GOOGLE = {
    "service": "google",
    "seed": {"google": {"users": [{"email": ADDRESS, "name": "Support"}], "oauth_clients": [CLIENT]}},
    "baseUrl": "https://accounts.google.com",
}


@dataclass(frozen=True, slots=True)
class StoredMail:
    """One mail in the mailbox."""

    id: str
    thread_id: str
    labels: tuple[str, ...]
    history_id: str
    raw: bytes


class Gmail:
    """One mailbox. `api_endpoint`, `token_uri`, `auth_uri` and `certs_url` stand for Google's."""

    def __init__(self, proxy: GmailProxy, url: str) -> None:
        self.proxy = proxy
        self.api_endpoint = url
        self.token_uri = url + "/oauth2/token"
        self.auth_uri = url + "/o/oauth2/v2/auth"
        self.certs_url = proxy.push.certs_url = url + CERTS
        self.address, self.client_id, self.client_secret = ADDRESS, CLIENT_ID, CLIENT_SECRET
        self.refresh_token = ""

    @property
    def knobs(self) -> GmailKnobs:
        """What makes it misbehave."""
        return self.proxy.knobs

    @property
    def journal(self) -> GmailJournal:
        """What programs have sent."""
        return self.proxy.journal

    @property
    def gate(self) -> Gate:
        """Holds the call that knobs.held names, before it is done or before it is answered."""
        return self.proxy.gate

    @property
    def push(self) -> PushSender:
        """Pub/Sub's side: audience, service account, tokens."""
        return self.proxy.push

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a desk that answers this mailbox."""
        return {
            "GMAIL_ADDRESS": self.address,
            "GMAIL_CLIENT_ID": self.client_id,
            "GMAIL_CLIENT_SECRET": self.client_secret,
            "GMAIL_REFRESH_TOKEN": self.refresh_token,
            "GMAIL_TOKEN_URI": self.token_uri,
            "GMAIL_API_ENDPOINT": self.api_endpoint,
            "GMAIL_PUBSUB_TOPIC": TOPIC,
            "GMAIL_PUBSUB_AUDIENCE": self.push.audience,
            "GMAIL_PUBSUB_SERVICE_ACCOUNT": self.push.service_account,
            "GOOGLE_CERTS_URL": self.certs_url,
        }

    async def import_mail(
        self, raw: bytes, *, labels: tuple[str, ...] = ("INBOX", "UNREAD"), received_at: float | None = None
    ) -> StoredMail:
        """A mail arrives, now or at `received_at` (seconds since the epoch)."""
        received = str(int((time.time() if received_at is None else received_at) * 1000))
        body = {"raw": encode_raw(raw), "labelIds": list(labels), "internalDate": received}
        return await self.load_mail((await self.proxy.ask("POST", "messages/import", body))["id"])

    async def load_mail(self, mail_id: str) -> StoredMail:
        """One mail by Gmail's id. Raises NotTaken where there is none."""
        found = await self.proxy.ask("GET", f"messages/{mail_id}?format=raw")
        return StoredMail(found["id"], found["threadId"], tuple(found["labelIds"]), found["historyId"], read_raw(found))

    async def list_mail(self, query: str = "") -> list[StoredMail]:
        """All mail that a search finds, in the order it came or went; spam and what was thrown away too."""
        wanted = "messages?maxResults=500&includeSpamTrash=true" + query
        found: list[dict[str, Any]] = []
        page: dict[str, Any] = {"nextPageToken": "0"}
        while token := page.get("nextPageToken"):
            page = await self.proxy.ask("GET", f"{wanted}&pageToken={token}")
            found += page["messages"]
        mails = [await self.load_mail(one["id"]) for one in found]
        added = {one["message"]["id"]: number for number, one in enumerate(await self.list_added())}
        return sorted(mails, key=lambda mail: added[mail.id])

    async def list_added(self) -> list[dict[str, Any]]:
        """Every mail that was ever added, in order, as the history shows it."""
        rows: list[dict[str, Any]] = []
        page: dict[str, Any] = {"nextPageToken": "0"}
        while token := page.get("nextPageToken"):
            path = f"history?startHistoryId=0&historyTypes=messageAdded&maxResults=500&pageToken={token}"
            page = await self.proxy.ask("GET", path)
            rows += [added for row in page["history"] for added in row["messagesAdded"]]
        return rows

    async def list_sent(self) -> list[StoredMail]:
        """All that went out, by programs and people, in order."""
        return await self.list_mail("&labelIds=SENT")

    async def list_threads(self) -> dict[str, list[StoredMail]]:
        """All mail that is no draft by thread id, in order."""
        threads: dict[str, list[StoredMail]] = {}
        for mail in await self.list_mail():
            if "DRAFT" not in mail.labels:
                threads.setdefault(mail.thread_id, []).append(mail)
        return threads

    async def type_reply(self, thread_id: str, body: str) -> StoredMail:
        """A person answers the newest mail of a thread in Gmail itself: writes a draft, then sends it."""
        newest = (await self.list_threads())[thread_id][-1]
        head = read_head(newest.raw)
        is_ours = "SENT" in newest.labels  # then Gmail goes on writing to whom it was sent
        mail = EmailMessage()
        mail["From"], mail["To"] = f"Support <{self.address}>", head.to if is_ours else head.sender
        mail["Subject"] = head.subject if head.subject.lower().startswith("re:") else f"Re: {head.subject}"
        mail["Date"], mail["Message-ID"] = formatdate(), f"<CA+{uuid4().hex}@mail.gmail.com>"
        mail["In-Reply-To"] = f"<{head.message_id}>"
        mail["References"] = " ".join(f"<{one}>" for one in dict.fromkeys([*head.mentions, head.message_id]))
        mail.set_content(body)
        message = {"raw": encode_raw(mail.as_bytes()), "threadId": thread_id}
        draft = await self.proxy.ask("POST", "drafts", {"message": message})
        sent = await self.proxy.ask("POST", "messages/send", message)
        await self.proxy.ask("DELETE", f"drafts/{draft['id']}")
        return await self.load_mail(sent["id"])

    async def delete_mail(self, mail_id: str) -> None:
        """A person deletes a mail for good."""
        await self.proxy.ask("DELETE", f"messages/{mail_id}")

    async def load_history_id(self) -> str:
        """The newest one."""
        return await self.proxy.find_newest_history_id()

    async def expire_history(self) -> None:
        """Forget the history up to now: a startHistoryId from before the newest change is answered with 404."""
        self.knobs.oldest_history_id = int(await self.load_history_id())

    def expire_tokens(self) -> None:
        """The access tokens given out so far are over; the grant still stands."""
        self.proxy.tokens.clear()

    async def revoke_grant(self) -> None:
        """The owner takes the permission back: refreshing answers invalid_grant, and access tokens are over."""
        await self.proxy.client.post("/oauth2/revoke", data={"token": self.refresh_token})
        self.expire_tokens()

    async def press_allow(self, auth_url: str) -> str:
        """The owner opens the address a program shows, allows it, and gets a code to paste."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(auth_url).query).items()}
        allowed = await self.proxy.client.post("/o/oauth2/v2/auth/callback", data=asked | {"email": self.address})
        return parse_qs(urlsplit(allowed.headers["location"]).query)["code"][0]

    async def grant(self) -> str:
        """The owner gives permission once more. Returns the new refresh token and keeps it."""
        redirect = "http://localhost"
        asked = httpx2.QueryParams({"client_id": self.client_id, "redirect_uri": redirect, "scope": SCOPE})
        form = {
            "grant_type": "authorization_code",
            "code": await self.press_allow(f"{self.auth_uri}?{asked}"),
            "redirect_uri": redirect,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }
        answer = await self.proxy.client.post("/oauth2/token", data=form)
        self.refresh_token = answer.raise_for_status().json()["refresh_token"]
        return self.refresh_token

    async def post_push(
        self, url: str, *, history_id: str | None = None, message_id: str | None = None, token: str | None = None
    ) -> Answer:
        """Tell a desk that something has changed, once. The same message_id again is the same notification again."""
        envelope = make_envelope(self.address, history_id or await self.load_history_id(), message_id=message_id)
        return await self.push.post(url, envelope, token=token)


@contextlib.asynccontextmanager
async def running_gmail(emulator: Emulator | None = None) -> AsyncIterator[Gmail]:
    """An empty mailbox with a grant, for the length of the block; in this emulator or in one of its own.

    Raises NotInstalled where there is no Node. One emulator has one mailbox: two at a time need two.
    """
    with contextlib.ExitStack() as stack:
        if emulator is None:
            emulator = await asyncio.to_thread(stack.enter_context, running_emulator(GOOGLE))
        await asyncio.to_thread(emulator.reset)
        limits = httpx2.Limits(max_keepalive_connections=0)  # none that the emulator closes under our feet
        async with httpx2.AsyncClient(base_url=emulator.url, limits=limits, timeout=30, trust_env=False) as client:
            proxy = GmailProxy(client, PushSender(), ADDRESS)
            async with serving(proxy.make_app()) as url:
                gmail = Gmail(proxy, url)
                await gmail.grant()
                try:
                    yield gmail
                finally:
                    gmail.gate.open(forget=True)
