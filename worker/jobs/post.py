"""Words to webhooks: tried for a day, then given up where everybody sees it."""

import json
import logging
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from channels.base import Unfetchable
from channels.outgoing import Teller, Word
from db import queue, webhooks
from db.errors import LeaseLost, PermanentFailure, RetryLater
from db.pool import Pool, acquire
from db.queue import ClaimedLane

log = logging.getLogger(__name__)

PATIENCE = timedelta(days=1)
FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(hours=1)
GONE = 410


@dataclass(frozen=True, slots=True)
class Post:
    """Tells one webhook one thing after the other, in order; what it does not take is tried again, ever more rarely."""

    pool: Pool
    teller: Teller

    async def run(self, lane: ClaimedLane) -> None:
        """Tell it the oldest thing that waits. Raises LeaseLost, RetryLater, PermanentFailure, database errors."""
        webhook_id, body = read_row(lane)
        async with acquire(self.pool) as conn:
            target = await webhooks.find_target(conn, webhook_id)
            if target is None:  # switched off or removed: nobody wants to know
                if not await queue.finish_work(conn, lane):
                    raise LeaseLost(lane.lane)
                return
        word = Word(str(body["id"]), target.url, target.secret, json.dumps(body, ensure_ascii=False).encode())
        try:
            status: int | None = await self.teller.tell(word)
            error = None if status is not None and 200 <= status < 300 else f"it answered with status {status}"
        except Unfetchable as refusal:
            status, error = None, str(refusal)
        await self.settle(lane, status, error)

    async def settle(self, lane: ClaimedLane, status: int | None, error: str | None) -> None:
        is_over = error is None or status == GONE or lane.waited > PATIENCE
        if is_over:
            return await self.end(lane, status, error, is_dead=error is not None and status != GONE)
        webhook_id, _ = read_row(lane)
        async with acquire(self.pool) as conn:
            await webhooks.note_post(conn, webhook_id, status=status, error=error or "")
        log.info("a webhook took nothing", extra={"webhook": webhook_id, "status": status, "error": error})
        raise RetryLater(error or "", delay=choose_pause(lane.waited), waited=timedelta(0))

    async def end(self, lane: ClaimedLane, status: int | None, error: str | None, *, is_dead: bool) -> None:
        webhook_id, body = read_row(lane)
        async with acquire(self.pool) as conn:
            kept = await webhooks.end_post(
                conn,
                lane,
                webhook_id=webhook_id,
                notice_id=UUID(body["id"]),
                status=status,
                error=error,
                is_dead=is_dead,
            )
        if not kept:
            raise LeaseLost(lane.lane)

    async def give_up(self, lane: ClaimedLane, error: str) -> None:
        """The dead letter tells the team; what waits behind it is sound."""
        async with acquire(self.pool) as conn:
            await queue.bury_work(conn, lane, error=error, only=lane.jobs[0])


def choose_pause(waited: timedelta, *, chance: float | None = None) -> timedelta:
    """About as long again as it has waited, between the two pauses. chance: 0 to 1, drawn when not given."""
    drawn = random.random() if chance is None else chance  # noqa: S311 (spreading load needs no secret)
    return max(FIRST_PAUSE, min(LONGEST_PAUSE, waited)) * (0.75 + drawn / 2)


def read_row(lane: ClaimedLane) -> tuple[UUID, dict[str, Any]]:
    """Which webhook is told what. Raises PermanentFailure for a row that nobody can read."""
    try:
        body = lane.jobs[0].payload["body"]
        UUID(body["id"])
        return UUID(lane.jobs[0].payload["webhook_id"]), body
    except (KeyError, TypeError, ValueError) as error:
        raise PermanentFailure("the row names no webhook") from error
