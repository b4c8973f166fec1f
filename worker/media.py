"""The files of waiting messages -> rows, before the turn that needs them; each is fetched once."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from channels.base import Attached, InboundMessage, MediaSource, Unfetchable
from db import attachments
from db.attachments import Attachment, NewAttachment
from db.errors import RetryLater
from db.pool import Pool, acquire
from worker.file_marks import ReadMessage, mark_files, read_type

SECONDS = 20.0  # that a turn waits for its files
MAX_DAY = 100_000_000  # bytes of one conversation, plus what is under way when they are reached

AGAIN = timedelta(seconds=5)
"""When the source was busy with the files of others."""
TOO_MUCH = "too much for one day"
TOO_LATE = "it did not come in time"

__all__ = ["ReadMessage", "read_media"]

Kept = dict[tuple[str, int], Attachment]
"""By external id and place."""


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A file that is not kept yet."""

    external_id: str
    place: int
    attached: Attached

    def refuse(self, error: str) -> NewAttachment:
        """The row that says why there is none."""
        return NewAttachment(self.external_id, self.place, read_type(self.attached.type), None, error=error)


async def read_media(
    pool: Pool, sources: Mapping[str, MediaSource], messages: Sequence[InboundMessage], *, seconds: float = SECONDS
) -> list[ReadMessage]:
    """Fetch what is not kept yet, keep it, and put into each message what its files say.

    messages: of one lane. What was begun and has not come after `seconds` counts as not to be had. Raises RetryLater
    where others kept the source busy for so long; what came is kept.
    """
    if not any(message.attached for message in messages):
        return [ReadMessage(message) for message in messages]
    kept = await find_kept(pool, messages)
    wanted = [
        WantedFile(message.external_id, place, attached)
        for message in messages
        for place, attached in enumerate(message.attached)
        if (message.external_id, place) not in kept
    ]
    source = sources.get(messages[0].channel)
    if wanted and source is not None:
        await Fetching(pool, source, messages).keep_all(wanted, seconds)
        kept = await find_kept(pool, messages)
    return mark_files(messages, kept)


async def find_kept(pool: Pool, messages: Sequence[InboundMessage]) -> Kept:
    ids = [message.external_id for message in messages if message.attached]
    async with acquire(pool) as conn:
        rows = await attachments.list_attachments(conn, messages[0].channel, ids)
    return {(row.external_id, row.place): row for row in rows}


class Fetching:
    """The files of one turn on their way here."""

    def __init__(self, pool: Pool, source: MediaSource, messages: Sequence[InboundMessage]) -> None:
        self.pool = pool
        self.source = source
        self.messages = messages
        self.channel = messages[0].channel
        self.begun: list[WantedFile] = []
        self.left = 0
        """Bytes that this conversation may still have today."""

    async def keep_all(self, wanted: Sequence[WantedFile], seconds: float) -> None:
        """A row for each: the file, or why there is none."""
        async with acquire(self.pool) as conn:
            ids = [message.external_id for message in self.messages]
            self.left = MAX_DAY - await attachments.sum_fetched(
                conn, self.channel, self.messages[0].thread_key, ids
            )  # fmt: skip
        if await run_within(seconds, [self.keep_file(file) for file in wanted]):
            return
        async with acquire(self.pool) as conn:
            for file in self.begun:  # those that came stay as they are
                await attachments.keep_attachment(conn, self.channel, file.refuse(TOO_LATE))
        if len(self.begun) < len(wanted):
            raise RetryLater("files wait for their turn", delay=AGAIN)

    async def keep_file(self, file: WantedFile) -> None:
        async with self.source.slots:
            self.begun.append(file)
            row = await self.fetch(file)
            async with acquire(self.pool) as conn:
                await attachments.keep_attachment(conn, self.channel, row)

    async def fetch(self, file: WantedFile) -> NewAttachment:
        if self.left <= 0:
            return file.refuse(TOO_MUCH)
        try:
            fetched = await self.source.fetch(file.attached)
        except Unfetchable as error:
            return file.refuse(str(error))
        self.left -= len(fetched.content)
        return NewAttachment(file.external_id, file.place, fetched.type, fetched.content, fetched.text)


async def run_within(seconds: float, work: Sequence[Awaitable[None]]) -> bool:
    """Whether all of it was done in time. The first failure ends it all and is raised as it is."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        done, late = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        return not late
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
