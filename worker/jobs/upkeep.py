"""Work that no customer waits for."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from agent import calibration, indexing
from agent.embeddings import Embedder, EmbeddingUnavailable
from db import attachments, channels, chats, drafts, notices, people, queue, threads
from db.errors import RetryLater
from db.pool import Connection, Pool, acquire
from db.queue import ClaimedLane
from worker.completer import Completer
from worker.retry import retry_delay

log = logging.getLogger(__name__)

SWEEP_BATCH = 1000  # rows
FILES_BATCH = 100  # each may be large
REMIND_AHEAD = timedelta(hours=2)  # as the alarm window_closes


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What the kinds of upkeep share: done means off the queue, given up means a dead letter."""

    pool: Pool
    completer: Completer

    async def give_up(self, lane: ClaimedLane, error: str) -> None:
        """Nobody waits for it: the dead letter tells the team."""
        async with acquire(self.pool) as conn:
            await queue.bury_work(conn, lane, error=error)


@dataclass(frozen=True, slots=True)
class Drop(Upkeep):
    """For work of a channel that is not set up here. Nobody reads it, and no alarm is to follow from that."""

    channel: str

    async def run(self, lane: ClaimedLane) -> None:
        async with acquire(self.pool) as conn:
            await channels.stop_reading(conn, self.channel)
        await self.completer.finish(lane)


@dataclass(frozen=True, slots=True)
class Remind(Upkeep):
    """Reminds whoever owes a customer an answer before a chat closes to free text."""

    async def run(self, lane: ClaimedLane) -> None:
        async with acquire(self.pool) as conn:
            reminded = await chats.remind_windows(conn, ahead=REMIND_AHEAD)
        if reminded:
            log.info("owners were reminded of chats that close soon", extra={"tickets": reminded})
        await self.completer.finish(lane)


@dataclass(frozen=True, slots=True)
class Autonomy(Upkeep):
    """Lets the agent write drafts again where its answers led to too much trouble."""

    async def run(self, lane: ClaimedLane) -> None:
        async with acquire(self.pool) as conn:
            fell = await drafts.fall_back(conn)
        if fell:
            log.warning("the agent no longer answers some categories alone", extra={"categories": fell})
        await self.completer.finish(lane)


class Forget(Protocol):
    """Forgets at most `limit` rows and returns how many those were."""

    async def __call__(self, conn: Connection, *, limit: int) -> int: ...


SWEPT: tuple[tuple[Forget, int], ...] = (
    (queue.sweep_queue, SWEEP_BATCH),
    (attachments.drop_old_content, FILES_BATCH),
    (notices.drop_old_mails, SWEEP_BATCH),
    (notices.drop_old_notices, SWEEP_BATCH),
    (people.drop_old_invitations, SWEEP_BATCH),
    (threads.drop_old_presences, SWEEP_BATCH),
)
"""What is forgotten, so many rows in one commit; notices after their mails."""


@dataclass(frozen=True, slots=True)
class Sweep(Upkeep):
    """Forgets what no longer matters."""

    async def run(self, lane: ClaimedLane) -> None:
        """Sweep batch by batch until nothing is left."""
        for forget, batch in SWEPT:
            forgotten = batch
            while forgotten == batch:
                async with acquire(self.pool) as conn:
                    forgotten = await forget(conn, limit=batch)
        await self.completer.finish(lane)


@dataclass(frozen=True, slots=True)
class IndexArticle(Upkeep):
    """Makes the vectors of imported articles; the search finds their words meanwhile."""

    embedder: Embedder | None

    async def run(self, lane: ClaimedLane) -> None:
        """Index the articles that wait, and measure the search anew once none is left."""
        try:
            for job in lane.jobs:
                await indexing.index_article(self.pool, self.embedder, job.payload["article_id"])
            async with acquire(self.pool) as conn:
                is_last = not await queue.has_more(conn, lane)
            if is_last:
                await calibration.calibrate(self.pool, self.embedder)
        except EmbeddingUnavailable as error:
            raise RetryLater(str(error), delay=retry_delay(lane.attempts)) from error
        await self.completer.finish(lane)
