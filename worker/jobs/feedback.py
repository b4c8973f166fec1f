"""Asks customers how content they are, once their matter is resolved."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

from agent.phrases import say
from db import csat
from db.pool import acquire
from db.queue import ClaimedLane
from worker.jobs.upkeep import Upkeep

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AskFeedback(Upkeep):
    """Asks everybody who may be asked."""

    make_link: Callable[[UUID], str]
    """The address at which a question is answered."""

    async def run(self, lane: ClaimedLane) -> None:
        asked = 0
        async with acquire(self.pool) as conn:
            for one in await csat.list_to_ask(conn):
                question = uuid4()
                words = say("feedback", one.language, link=self.make_link(question))
                asked += await csat.ask(conn, one.conversation_id, question, words)
        if asked:
            log.info("customers were asked how content they are", extra={"customers": asked})
        await self.completer.finish(lane)
