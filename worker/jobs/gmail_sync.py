"""The mailbox -> rows. A notification is only a hint; the cursor moves in the commit of what was stored."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from channels.gmail_api import GmailApi, HistoryGone, RawMail
from channels.gmail_intake import is_skipped, park, read_incoming
from channels.google_oauth import GrantExpired
from channels.mail.senders import OwnMail
from db import mails, queue
from db.channels import turn_red
from db.errors import NotFound, PermanentFailure
from db.mails import Mailbox, MailRow
from db.pool import UNAVAILABLE, Pool, acquire
from db.queue import ClaimedLane
from worker.jobs.upkeep import Upkeep

log = logging.getLogger(__name__)

RESYNC_LIMIT = 10_000  # mails read again when Gmail has forgotten where we were
OVERLAP = timedelta(days=1)
"""How much further back than the last reading that begins."""


@dataclass(frozen=True, slots=True)
class GmailSync(Upkeep):
    """Reads what is new in one mailbox."""

    api: GmailApi
    quiet: timedelta
    """How long a customer must be quiet before a burst is answered as one."""
    ticket_prefix: str

    async def run(self, lane: ClaimedLane) -> None:
        """Read to the end of the history. Where Google lets nobody in, the channel is red until a poll succeeds."""
        try:
            await self.sync()
        except GrantExpired as error:
            log.error("the mailbox is closed to us", extra={"reason": str(error)})
            async with acquire(self.pool) as conn:
                await turn_red(conn, mails.CHANNEL, str(error))
        await self.completer.finish(lane)

    async def sync(self) -> None:
        async with acquire(self.pool) as conn:
            box = await mails.load_mailbox(conn)
        if not box.is_on:
            return
        if box.cursor is None:  # what was there before us is not ours to answer
            profile = await self.api.load_profile()
            await self.store(box, None, profile.history_id)
            return
        ids, reached = await self.list_new(box)
        held: MailRow | None = None  # the last one waits for the cursor; more than that a small machine could not hold
        for gmail_id in ids:
            if mail := await self.read(box, gmail_id):
                if held is not None:
                    await self.store(box, held, None)
                held = mail
        await self.store(box, held, reached)

    async def list_new(self, box: Mailbox) -> tuple[list[str], str]:
        """Gmail's ids of what is not stored yet, oldest first, and how far that reaches."""
        try:
            history = await self.api.list_history(box.cursor or "")
            ids, reached = history.added, history.history_id
        except HistoryGone:
            reached = (await self.api.load_profile()).history_id  # first: what comes meanwhile is read next time
            recent = await self.api.list_since((box.synced_at or now()) - OVERLAP, RESYNC_LIMIT)
            log.warning("gmail's history was gone", extra={"mails": len(recent.ids), "complete": recent.is_complete})
            ids = recent.ids
            if not recent.is_complete:  # the alarm for parked mail says so, until somebody has looked
                gap = park(f"before-{reached}", f"more than {RESYNC_LIMIT} mails came: older ones were not read", now())
                await self.store(box, gap, None)
        async with acquire(self.pool) as conn:
            known = await mails.list_known(conn, ids)
        return [gmail_id for gmail_id in ids if gmail_id not in known], reached

    async def read(self, box: Mailbox, gmail_id: str) -> MailRow | None:
        """One mail and what it is; None for one that is gone, or that nobody has sent yet."""
        try:
            raw = await self.api.load_raw(gmail_id)
        except NotFound:
            return None
        except PermanentFailure as error:  # it holds up no other
            return park(gmail_id, f"Gmail does not give it out: {error}", now())
        if is_skipped(raw):
            return None
        mail = await asyncio.to_thread(self.judge, box, raw)
        log.info("mail read", extra={"mail": gmail_id, "verdict": mail.row["verdict"], "why": mail.row["why"]})
        return mail

    def judge(self, box: Mailbox, raw: RawMail) -> MailRow:
        address = self.api.account.address
        own = OwnMail(box.own_addresses | {address}, box.receivers, box.own_lists)
        return read_incoming(raw, own, address.rpartition("@")[2], now())

    async def store(self, box: Mailbox, mail: MailRow | None, reached: str | None) -> None:
        async with acquire(self.pool) as conn:
            await mails.store_mail(
                conn, mail, quiet=self.quiet, quiet_cap=box.quiet_cap, prefix=self.ticket_prefix, reached=reached
            )


@dataclass(frozen=True, slots=True)
class GmailWatch(Upkeep):
    """Has Google go on telling us of new mail, which it does for a week."""

    api: GmailApi
    topic: str | None
    """None: the mailbox is only polled."""

    async def run(self, lane: ClaimedLane) -> None:
        """Renew the watch; an old one ends by itself."""
        try:
            expires_at = (await self.api.watch(self.topic)).expires_at if self.topic else None
            async with acquire(self.pool) as conn:
                await mails.keep_watch(conn, expires_at)
        except GrantExpired as error:  # the sync says so where everybody sees it
            log.warning("the watch was not renewed", extra={"reason": str(error)})
        await self.completer.finish(lane)


def now() -> datetime:
    return datetime.now(UTC)


async def poll_mailbox(pool: Pool, every: timedelta) -> None:
    """Queue a reading now and then, for ever; all workers together queue one at a time."""
    while True:
        try:
            async with acquire(pool) as conn:
                await queue.add_work(conn, "job:gmail_sync", "gmail_sync", {}, dedupe_key="job:gmail_sync", priority=1)
        except UNAVAILABLE as error:
            log.warning("the mailbox is not polled", extra={"error": type(error).__name__})
        await asyncio.sleep(every.total_seconds())
