"""Telling the team: that a customer needs a person, and each morning who waits."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from channels.base import NotSent, Refused
from channels.gmail import Gmail
from channels.gmail_api import DraftGone
from channels.mail.team import TeamMail
from db import notices
from db.errors import LeaseLost, PermanentFailure, RetryLater
from db.notices import MailEnd, QueuedMail
from db.pool import Pool, acquire
from db.queue import ClaimedLane
from worker.jobs.upkeep import Upkeep
from worker.team_words import write_digest, write_notice

log = logging.getLogger(__name__)

PATIENCE = timedelta(days=1)
"""After that nobody needs to be told any more: the daily list has named them."""
DOUBT = timedelta(hours=1)
"""How long Gmail may need to show what it has sent."""
PAUSE = timedelta(seconds=30)
LISTED = 100  # customers in the daily list


@dataclass(frozen=True, slots=True)
class Notify(Upkeep):
    """Queues the mail and the webhooks that tell of one thing: each is then tried on its own."""

    base_url: str

    async def run(self, lane: ClaimedLane) -> None:
        """One thing at a time: its commit frees the lane."""
        async with acquire(self.pool) as conn:
            if not await notices.spread_notice(conn, lane, lane.jobs[0], base_url=self.base_url):
                raise LeaseLost(lane.lane)


@dataclass(frozen=True, slots=True)
class Digest(Upkeep):
    """Queues the list of who waits."""

    async def run(self, lane: ClaimedLane) -> None:
        async with acquire(self.pool) as conn:
            if not await notices.queue_digest(conn, lane, lane.jobs[0]):
                raise LeaseLost(lane.lane)


@dataclass(frozen=True, slots=True)
class MailTeam:
    """Sends mails to the team, each once: a try is looked up before the next."""

    pool: Pool
    gmail: Gmail | None
    """None: there is no mailbox to send from."""
    base_url: str

    async def run(self, lane: ClaimedLane) -> None:
        """Send what the lane holds, unless nobody needs it any more. Raises LeaseLost, RetryLater, database errors."""
        mail_id = read_mail_id(lane)
        async with acquire(self.pool) as conn:
            mail = await notices.find_mail(conn, mail_id)
        written = mail and await self.write(mail)
        if mail is None or mail.state == "sent":
            await self.end(lane, mail_id, MailEnd("sent"))
        elif mail.draft_id is None and written is None:  # a try in doubt is seen to its end
            await self.end(lane, mail_id, MailEnd("skipped", "there was no need any more", is_needless=True))
        elif self.gmail is None:
            await self.end(lane, mail_id, MailEnd("skipped", "Gmail is not set up"))
        else:
            await self.send(lane, self.gmail, written or self.lay_out(mail, "", ""))

    async def give_up(self, lane: ClaimedLane, error: str) -> None:
        """The dead letter tells the team, and so does the alarm where nobody was told otherwise."""
        await self.end(lane, read_mail_id(lane), MailEnd("unknown", error))

    async def write(self, mail: QueuedMail) -> TeamMail | None:
        """None when there is nothing to say any more."""
        if mail.notice is not None:
            return None if mail.notice.is_seen else self.lay_out(mail, *write_notice(mail.notice, self.base_url))
        async with acquire(self.pool) as conn:
            waiting, total = await notices.list_waiting(conn, limit=LISTED)
        return self.lay_out(mail, *write_digest(waiting, total, self.base_url)) if waiting else None

    def lay_out(self, mail: QueuedMail, subject: str, text: str) -> TeamMail:
        return TeamMail(mail.id, mail.recipients, subject, text, mail.made_at, mail.draft_id)

    async def send(self, lane: ClaimedLane, gmail: Gmail, mail: TeamMail) -> None:
        async def keep_draft(draft_id: str) -> None:
            async with acquire(self.pool) as conn:
                if not await notices.keep_draft(conn, lane, mail.token, draft_id):
                    raise LeaseLost(lane.lane)

        try:
            vendor_id = await gmail.send_to_team(mail, keep_draft)
        except Refused as error:
            await self.end(lane, mail.token, MailEnd("failed", str(error)))
        except DraftGone:
            await self.doubt(lane, mail)
        except RetryLater as error:
            if lane.waited < PATIENCE:
                raise RetryLater(str(error), delay=max(error.delay, PAUSE), waited=timedelta(0)) from error
            is_unsent = isinstance(error, NotSent)
            await self.end(lane, mail.token, MailEnd("failed" if is_unsent else "unknown", str(error)))
        else:
            log.info("the team was told", extra={"mail": mail.token, "recipients": len(mail.to)})
            await self.end(lane, mail.token, MailEnd("sent", vendor_id=vendor_id))

    async def doubt(self, lane: ClaimedLane, mail: TeamMail) -> None:
        """Its draft is gone and it is not yet seen among what was sent: never sent again blindly."""
        if lane.waited < DOUBT:
            raise RetryLater("not yet seen among what was sent", delay=PAUSE, waited=timedelta(0))
        await self.end(lane, mail.token, MailEnd("unknown", "nobody can tell whether it was sent"))

    async def end(self, lane: ClaimedLane, mail_id: UUID, end: MailEnd) -> None:
        async with acquire(self.pool) as conn:
            if not await notices.end_mail(conn, lane, mail_id, end):
                raise LeaseLost(lane.lane)


def read_mail_id(lane: ClaimedLane) -> UUID:
    """Raises PermanentFailure for a row that nobody can read."""
    try:
        return UUID(lane.jobs[0].payload["mail_id"])
    except (KeyError, TypeError, ValueError) as error:
        raise PermanentFailure("the row names no mail") from error
