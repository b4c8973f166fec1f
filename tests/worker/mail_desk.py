"""A desk that answers mail, driven by hand: each step is one that a worker takes."""

from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any
from uuid import uuid4

from agent.models.base import Item
from agent.models.scripted import ScriptedModel
from channels.gmail import Gmail as GmailChannel
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
