"""Work that no customer waits for."""

from dataclasses import dataclass

from agent import calibration, indexing
from agent.embeddings import Embedder, EmbeddingUnavailable
from db import queue
from db.errors import RetryLater
from db.pool import Pool, acquire
from db.queue import ClaimedLane
from worker.completer import Completer
from worker.retry import retry_delay

SWEEP_BATCH = 1000  # lanes


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
    """For work of a channel that is not set up here."""

    async def run(self, lane: ClaimedLane) -> None:
        await self.completer.finish(lane)


@dataclass(frozen=True, slots=True)
class Sweep(Upkeep):
    """Forgets what no longer matters: idle lanes, old quotas, silent workers."""

    async def run(self, lane: ClaimedLane) -> None:
        """Sweep batch by batch until nothing is left."""
        removed = SWEEP_BATCH
        while removed == SWEEP_BATCH:
            async with acquire(self.pool) as conn:
                removed = await queue.sweep_queue(conn, limit=SWEEP_BATCH)
        await self.completer.finish(lane)


@dataclass(frozen=True, slots=True)
class IndexArticle(Upkeep):
    """Makes the vectors of imported articles; the search finds their words meanwhile."""

    embedder: Embedder | None

    async def run(self, lane: ClaimedLane) -> None:
        """Index the articles that wait, and measure the search anew once none is left."""
        try:
            if self.embedder is not None:
                for job in lane.jobs:
                    await indexing.index_article(self.pool, self.embedder, job.payload["article_id"])
            async with acquire(self.pool) as conn:
                is_last = not await queue.has_more(conn, lane)
            if is_last:
                await calibration.calibrate(self.pool, self.embedder)
        except EmbeddingUnavailable as error:
            raise RetryLater(str(error), delay=retry_delay(lane.attempts)) from error
        await self.completer.finish(lane)
