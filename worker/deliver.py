"""A lane of messages to one customer -> the vendor, in order, each at most once where the vendor can be asked."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import NoReturn
from uuid import UUID

from channels.base import Blocked, Channel, ChannelOff, NotSent, OutgoingMessage, Refused
from db import deliveries, queue
from db.deliveries import Absence, Delivery, Outcome
from db.errors import LeaseLost, PermanentFailure, RetryLater
from db.pool import Pool, acquire
from db.queue import ClaimedLane, Job

log = logging.getLogger(__name__)

SEND_SECONDS = 20.0
LOOK_AGAIN = timedelta(seconds=5)
"""A report of the vendor may settle a try in doubt before its index has caught up: look now and then."""
CHANNEL_OFF = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Deliver:
    """Sends replies. A try is written down before it is made, so that a crash leaves a question, never a guess."""

    pool: Pool
    channels: Mapping[str, Channel]
    ticket_prefix: str
    lease: timedelta = timedelta(seconds=12)

    async def run(self, lane: ClaimedLane) -> None:
        """Send what waits, oldest first, the next only once the one before is settled.

        Raises LeaseLost, RetryLater, PermanentFailure, database errors.
        """
        for job in lane.jobs:
            await Attempt(self, lane, job).make()

    async def give_up(self, lane: ClaimedLane, error: str) -> None:
        """Leave the first message to a person: failed when the vendor surely has not got it, else in doubt."""
        attempt = Attempt(self, lane, lane.jobs[0])
        try:
            await attempt.end("given_up", error=error, is_last=True)
        except PermanentFailure:  # nobody can tell what it was; what waits behind it is sound
            async with acquire(self.pool) as conn:
                await queue.bury_work(conn, lane, error=error, only=attempt.job)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One message in the hands of one worker."""

    desk: Deliver
    lane: ClaimedLane
    job: Job

    @property
    def message_id(self) -> UUID:
        """Raises PermanentFailure for a row that nobody can read."""
        try:
            return UUID(self.job.payload["message_id"])
        except (KeyError, TypeError, ValueError) as error:
            raise PermanentFailure("the row names no message") from error

    async def make(self) -> None:
        """Bring the message as far as it can be brought now."""
        began = time.monotonic()
        delivery = await self.begin(None)
        if delivery.act == "look_up":
            absence = await self.look_up(delivery)
            if absence is None:
                return
            began = time.monotonic()
            delivery = await self.begin(absence)
        if delivery.act == "send":
            await self.send(delivery, began)
        elif delivery.act == "park":
            await self.end("parked", error="the vendor cannot tell whether it took the message")
        else:
            await self.end("done")

    async def begin(self, absence: Absence | None) -> Delivery:
        async with acquire(self.desk.pool) as conn:
            delivery = await deliveries.begin_delivery(
                conn, self.lane, self.message_id, lease=self.desk.lease, absence=absence
            )
        if delivery is None:
            raise LeaseLost(self.lane.lane)
        return delivery

    async def look_up(self, delivery: Delivery) -> Absence | None:
        """Ask the vendor what became of an earlier try; None when that settled the message.

        Raises RetryLater as long as a no of the vendor means nothing.
        """
        message, channel = self.read(delivery)
        if channel.index_lag is None:
            await self.end("parked", error="the vendor cannot be asked whether it took the message")
            return None
        try:
            async with asyncio.timeout(SEND_SECONDS):
                vendor_id = await channel.look_up(message)
        except RetryLater as error:
            error.waited = delivery.since_try
            raise
        except Exception as error:  # a question that failed says nothing about the message
            reason = f"not looked up: {type(error).__name__}"
            raise RetryLater(reason, delay=LOOK_AGAIN, waited=delivery.since_try) from error
        if vendor_id is not None:
            await self.end("sent", vendor_id=vendor_id)
            return None
        if delivery.since_try < channel.index_lag:
            pause = min(LOOK_AGAIN, channel.index_lag - delivery.since_try)
            raise RetryLater("in doubt", delay=pause, waited=timedelta(0))
        return "certain" if channel.absence_is_proof else "likely"

    async def send(self, delivery: Delivery, began: float) -> None:
        """The one try. began: when the lease was last known to be fresh, monotonic seconds."""
        try:
            message, channel = self.read(delivery)
            if time.monotonic() - began > self.desk.lease.total_seconds() / 2:
                raise NotSent("the worker slept over its lease", delay=timedelta(0))
        except NotSent as error:
            await self.put_off(delivery, error)
        try:
            async with asyncio.timeout(SEND_SECONDS):
                vendor_id = await channel.send(message, self.keep_draft)
        except LeaseLost:
            raise
        except NotSent as error:
            await self.put_off(delivery, error)
        except Refused as error:
            await self.end("failed", error=str(error), is_blocked=isinstance(error, Blocked))
        except Exception as error:  # whatever it was, nobody knows whether the vendor took the message
            reason = type(error).__name__
            log.warning("delivery in doubt", extra={"lane": self.lane.label, "error": reason})
            if channel.index_lag is None:
                await self.end("parked", error=reason)
            else:
                await self.end("unknown", error=reason)
                pause = min(LOOK_AGAIN, channel.index_lag)
                raise RetryLater(f"in doubt: {reason}", delay=pause, waited=timedelta(0)) from error
        else:
            await self.end("sent", vendor_id=vendor_id)

    async def put_off(self, delivery: Delivery, error: NotSent) -> NoReturn:
        """The vendor surely has not taken it: another try, later."""
        await self.end("not_sent", error=str(error))
        error.waited = timedelta(0) if isinstance(error, ChannelOff) else delivery.since_first
        raise error

    def read(self, delivery: Delivery) -> tuple[OutgoingMessage, Channel]:
        """Raises ChannelOff: what was promised is sent once the channel is on again."""
        message = OutgoingMessage(**{one.name: delivery.message[one.name] for one in fields(OutgoingMessage)})
        channel = self.desk.channels.get(message.channel)
        if channel is None:
            raise ChannelOff(f"{message.channel} is off", delay=CHANNEL_OFF)
        return message, channel

    async def keep_draft(self, draft_id: str) -> None:
        async with acquire(self.desk.pool) as conn:
            if not await deliveries.keep_draft(conn, self.lane, self.message_id, draft_id):
                raise LeaseLost(self.lane.lane)

    async def end(
        self,
        outcome: Outcome,
        *,
        vendor_id: str | None = None,
        error: str | None = None,
        is_blocked: bool = False,
        is_last: bool | None = None,
    ) -> None:
        settles = outcome not in ("not_sent", "unknown")
        async with acquire(self.desk.pool) as conn:
            is_kept = await deliveries.end_delivery(
                conn,
                self.lane,
                self.job,
                self.message_id,
                outcome,
                vendor_id=vendor_id,
                error=error,
                is_blocked=is_blocked,
                is_last=settles and self.job is self.lane.jobs[-1] if is_last is None else is_last,
                prefix=self.desk.ticket_prefix,
            )
        if not is_kept:
            raise LeaseLost(self.lane.lane)
