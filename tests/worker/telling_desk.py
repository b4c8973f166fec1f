"""A desk whose team is told that customers need a person, driven by hand."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID

from agent.models.scripted import ScriptedModel
from channels.gmail import Gmail as GmailChannel
from db import queue
from db.errors import RetryLater
from db.pool import Connection, Pool
from tests.fakes import claim_now, hand_over, make_runner, submit
from tests.worker.mail_desk import MailDesk
from worker.completer import Completer
from worker.jobs.notify import MailTeam, Notify

BASE = "https://desk.example.com"


class TellingDesk(MailDesk):
    """A desk whose team is told by the mailbox that its customers write to."""

    async def notify(self) -> None:
        await Notify(self.pool, Completer(self.pool), BASE).run(await self.claim("notify:"))

    async def mail(self, channel: GmailChannel | None = None, *, is_on: bool = True) -> None:
        """One try; whatever puts it off, it is due again."""
        lane = await self.claim("mail:")
        try:
            await MailTeam(self.pool, (channel or self.channel) if is_on else None, BASE).run(lane)
        except RetryLater as error:
            await queue.release_lane(self.conn, lane, pause=error.delay, failure=str(error), is_try=False)

    async def list_told(self) -> list[EmailMessage]:
        """The mails that went to the team, as it reads them."""
        sent = [message_from_bytes(one.raw, policy=policy.default) for one in await self.gmail.list_sent()]
        return [one for one in sent if isinstance(one, EmailMessage) and one["Auto-Submitted"] == "auto-generated"]

    async def count(self, kind: str) -> int:
        found: int = await self.sql("select count(*) from message_queue where kind = $1", kind)
        return found


async def escalate(
    pool: Pool, conn: Connection, message: str = "I want a person", email: str = "ana@example.com"
) -> str:
    """A customer whom the agent handed to a person; the reference."""
    reference = await submit(conn, message, email=email)
    await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_now(conn, "web:"))
    return reference


async def find_talk(conn: Connection, reference: str) -> UUID:
    talk: UUID = await conn.fetchval("select conversation_id from tickets where reference = $1", reference)
    return talk
