"""Twilio's list -> rows: what its webhooks never brought to us, because it tries them for only 15 seconds."""

import logging
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from channels.base import InvalidSignature
from channels.phone_numbers import unify_number
from channels.twilio.api import AccessRefused
from channels.twilio.message_list import ListedMessage, MessageList
from channels.twilio.messages import PostedMessage, UnreadableWebhook
from channels.twilio.opt_out import Wish, read_wish
from channels.twilio.statuses import StatusUpdate
from channels.twilio.webhooks import WhatsAppWebhooks
from db import channels, chats, deliveries, reconciling
from db.channels import Reading
from db.errors import RetryLater
from db.pool import Connection, acquire
from db.queue import ClaimedLane
from worker.jobs.upkeep import Upkeep

log = logging.getLogger(__name__)

CHANNEL = "whatsapp"
GRACE = timedelta(seconds=30)
"""A webhook may still be on its way for so long: Twilio gives it 15 s."""
OVERLAP = timedelta(hours=1)
"""How much further back than the last reading each begins, and the first of all than its own time: Twilio's list lags,
clocks differ, and who writes while a desk is set up is a customer too."""
OPEN_FOR = timedelta(days=3)
"""How long the fate of a message of ours is asked for."""
CLOCK_SKEW = timedelta(minutes=1)
"""Between the database's clock and Twilio's, amply."""
FILES_WAIT = timedelta(hours=1)
"""How long a message is held back while Twilio does not say which files came with it."""
LATE = timedelta(hours=24)
"""From this age on a person gets the message: a machine's answer would only surprise."""
RANKS = {"sent": 1, "failed": 2, "delivered": 2, "read": 3}
"""How far a message has come; a failure is news only of what was only sent."""

Wishes = dict[str, tuple[datetime, Wish]]
"""By canonical number: the newest word of a customer who wants to hear no more from us, or to again."""


@dataclass(frozen=True, slots=True)
class WhatsAppSync(Upkeep):
    """Holds our rows against Twilio's list: takes in what is missing, and learns what became of what we sent."""

    listed: MessageList
    webhooks: WhatsAppWebhooks
    quiet: timedelta
    """How long a customer must be quiet before a burst is answered as one."""
    ticket_prefix: str

    async def run(self, lane: ClaimedLane) -> None:
        """Read the list to its end. Where Twilio lets nobody in, the channel is red until a reading succeeds."""
        try:
            await self.sync(now())
        except AccessRefused as error:
            log.error("Twilio is closed to us", extra={"reason": str(error)})
            async with acquire(self.pool) as conn:
                await channels.turn_red(conn, CHANNEL, str(error))
        await self.completer.finish(lane)

    async def sync(self, began_at: datetime) -> None:
        async with acquire(self.pool) as conn:
            reading = await channels.load_reading(conn, CHANNEL)
        if not reading.is_on:  # what is written meanwhile is taken in once it is on again
            return
        since = reading.reached or began_at - OVERLAP  # what was there before us is not ours to answer
        await self.take_in_missed(reading, since, began_at - GRACE)
        await self.follow_sent()
        async with acquire(self.pool) as conn:
            await channels.advance_reading(conn, CHANNEL, max(since, began_at - OVERLAP))

    async def take_in_missed(self, reading: Reading, since: datetime, until: datetime) -> None:
        """Oldest first, so that each lane has them in the order they were written."""
        missed: list[ListedMessage] = []
        wishes: Wishes = {}
        async with aclosing(self.listed.read_inbound(since)) as pages:
            async for page in pages:
                keep_newest_wishes(wishes, page)
                missed += await self.list_unknown([one for one in page if one.created_at <= until])
        missed.reverse()  # Twilio lists the newest first and counts in whole seconds: what is equal keeps its order
        for message in sorted(missed, key=lambda one: one.created_at):
            await self.take_in(reading, message, wishes)

    async def list_unknown(self, messages: list[ListedMessage]) -> list[ListedMessage]:
        async with acquire(self.pool) as conn:
            known = await reconciling.list_known(conn, CHANNEL, [one.sid for one in messages])
        return [one for one in messages if one.sid not in known]

    async def take_in(self, reading: Reading, listed: ListedMessage, wishes: Wishes) -> None:
        message = await self.read(listed)
        if message is None:
            return
        async with acquire(self.pool) as conn, conn.transaction():
            if message.wish is None and message.kept_as is None:
                await self.store(conn, reading, message)
            else:
                newest = wishes.get(message.payload["thread_key"])
                await self.store_special(conn, reading, message, newest[1] if newest else None)
        log.warning("a message reached us only now", extra={"external_id": listed.sid})

    async def read(self, listed: ListedMessage) -> PostedMessage | None:
        """What the webhook would have said; None for what can be no customer's.

        Raises RetryLater while Twilio does not say which files came with it; an old one is taken in without them.
        """
        try:
            files = await self.listed.list_files(listed)
        except RetryLater:
            if listed.created_at > now() - FILES_WAIT:
                raise
            files = []
        try:
            return self.webhooks.read_message(self.listed.write_as_posted(listed, files), listed.created_at)
        except (InvalidSignature, UnreadableWebhook) as error:
            log.error("a listed message cannot be read", extra={"external_id": listed.sid, "reason": str(error)})
            return None

    async def store_special(
        self, conn: Connection, reading: Reading, message: PostedMessage, newest: Wish | None
    ) -> None:
        """What is only kept, and what says whether we may write: there the newest word counts, not the last to come."""
        if message.kept_as:
            await chats.keep_aside(conn, message.payload, kind=message.kept_as)
        elif message.wish == "stop" and newest == "start":
            await chats.keep_aside(conn, message.payload, kind="opt_out")
        elif message.wish == "stop":
            is_late = message.payload["sent_at"] < now() - LATE
            await chats.opt_out(conn, message.payload, farewell=None if is_late else message.farewell)
        elif await self.store(conn, reading, message) and newest == "start":
            await chats.opt_in(conn, message.payload)

    async def store(self, conn: Connection, reading: Reading, message: PostedMessage) -> bool:
        return await chats.store_missed(
            conn,
            message.payload,
            quiet=self.quiet,
            quiet_cap=reading.quiet_cap,
            late_after=LATE,
            prefix=self.ticket_prefix,
        )

    async def follow_sent(self) -> None:
        """Nothing is asked while nothing of ours is open."""
        async with acquire(self.pool) as conn:
            since = await reconciling.find_open_since(conn, CHANNEL, at_most=OPEN_FOR, grace=GRACE)
        if since is None:
            return
        async with aclosing(self.listed.read_outbound(since - CLOCK_SKEW)) as pages:
            async for page in pages:
                await self.record(page)

    async def record(self, page: list[StatusUpdate]) -> None:
        """Only what Twilio knows better than we do."""
        async with acquire(self.pool) as conn:
            fates = await reconciling.list_fates(conn, CHANNEL, [one.vendor_id for one in page], grace=GRACE)
            for one in page:
                if not is_further(one.status, fates.get(one.vendor_id)):
                    continue
                await deliveries.record_status(
                    conn,
                    channel=CHANNEL,
                    vendor_id=one.vendor_id,
                    token=None,
                    status=one.status,
                    error=one.error,
                    payload=one.payload,
                    is_blocked=one.is_blocked,
                    prefix=self.ticket_prefix,
                )


def is_further(theirs: str, ours: str | None) -> bool:
    """Whether a message has come further than we know; one that is not ours has not."""
    if theirs == "failed":
        return ours == "sent"
    return ours in RANKS and RANKS.get(theirs, 0) > (1 if ours == "failed" else RANKS[ours])


def keep_newest_wishes(wishes: Wishes, page: Iterable[ListedMessage]) -> None:
    for one in page:
        wish, number = None if one.num_media else read_wish(one.body), unify_number(one.sender)
        if wish and (number not in wishes or wishes[number][0] < one.created_at):
            wishes[number] = (one.created_at, wish)


def now() -> datetime:
    return datetime.now(UTC)
