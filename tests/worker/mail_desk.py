"""A desk that answers mail, driven by hand: each step is one that a worker takes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any, TypeVar
from uuid import uuid4

from agent.models.base import Item
from agent.models.scripted import ScriptedModel
from app.settings import read_settings
from channels.gmail import Gmail as GmailChannel
from channels.gmail import open_gmail
from channels.google_oauth import GmailAccount
from db import queue
from db.errors import RetryLater
from db.pool import Connection, Pool
from db.queue import ClaimedLane
from tests.fakes import claim_now, make_runner
from tests.stand_ins.gmail import Gmail, StoredMail
from worker.completer import Completer
from worker.deliver import Deliver
from worker.jobs.gmail_sync import GmailSync

ANA = "Ana Lima <ana@example.com>"


def make_mail(
    body: str = "How do I export a board?",
    *,
    sender: str = ANA,
    to: str = "support@desk.example.com",
    answers: str | None = None,
    **headers: str,
) -> bytes:
    """A customer's mail that Gmail has found to be from its sender's domain."""
    mail = EmailMessage()
    domain = sender.rstrip(">").rpartition("@")[2]
    mail["Authentication-Results"] = f"mx.google.com; dmarc=pass header.from={domain}"
    mail["From"], mail["To"], mail["Subject"] = sender, to, "Export"
    mail["Date"], mail["Message-ID"] = formatdate(), f"<{uuid4().hex}@mail.example.com>"
    if answers:
        mail["In-Reply-To"] = mail["References"] = answers
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(body)
    return mail.as_bytes()


def make_bounce(message_id: str, recipient: str, *, has_original: bool = False) -> bytes:
    """Google's word that a mail of ours reached nobody; has_original: the head of the mail comes with it."""
    answered = f"In-Reply-To: <{message_id}>\n" if has_original else ""
    original = f"--b\nContent-Type: message/rfc822\n\nMessage-ID: <{message_id}>\nSubject: Re: Export\n\n"
    return f"""From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: support@example.com
Subject: Delivery Status Notification (Failure)
Auto-Submitted: auto-replied
Message-ID: <{uuid4().hex}@mx.example.net>
{answered}References: <{message_id}>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Address not found
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com

Final-Recipient: rfc822; {recipient}
Action: failed
Status: 5.1.1

{original if has_original else ""}--b--
""".replace("\n", "\r\n").encode()


def read_account(gmail: Gmail) -> GmailAccount:
    account = read_settings({"APP_SECRET": "for-tests", **gmail.environment}).gmail_account
    assert account is not None
    return account


@dataclass
class MailDesk:
    """One team with one mailbox."""

    pool: Pool
    conn: Connection
    gmail: Gmail
    channel: GmailChannel

    @property
    def syncing(self) -> GmailSync:
        return GmailSync(self.pool, Completer(self.pool), self.channel.api, timedelta(0), "TF")

    async def sync(self) -> None:
        """Read the mailbox as the worker does."""
        await queue.add_work(self.conn, "job:gmail_sync", "gmail_sync", {}, dedupe_key=f"sync-{uuid4()}")
        await self.syncing.run(await self.claim("job:gmail_sync"))

    async def claim(self, like: str) -> ClaimedLane:
        return await claim_now(self.conn, like)

    async def turn(self, *replies: list[Item]) -> None:
        """The agent answers what waits."""
        runner = make_runner(self.pool, ScriptedModel(replies), channels=[self.channel])
        await runner.run(await self.claim("gmail:"))

    async def deliver(self) -> None:
        lane = await self.claim("out:")
        try:
            await Deliver(self.pool, {"gmail": self.channel}, "TF").run(lane)
        except RetryLater as error:
            await queue.release_lane(self.conn, lane, pause=error.delay, failure=str(error), is_try=False)

    async def receive(self, raw: bytes, **more: Any) -> StoredMail:
        """A mail comes in and is read."""
        stored = await self.gmail.import_mail(raw, **more)
        await self.sync()
        return stored

    async def sql(self, statement: str, *values: Any) -> Any:
        return await self.conn.fetchval(statement, *values)


Kind = TypeVar("Kind", bound=MailDesk)


@asynccontextmanager
async def open_mail_desk(kind: type[Kind], pool: Pool, conn: Connection, gmail: Gmail) -> AsyncIterator[Kind]:
    """A desk that has read its mailbox: what was there before is not ours to answer."""
    async with open_gmail(read_account(gmail), "Tidefern") as channel:
        desk = kind(pool, conn, gmail, channel)
        await desk.sync()
        yield desk
