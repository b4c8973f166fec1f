"""The files that came with chat messages, as rows: see the table attachments."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from db.errors import NotFound
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file without its content."""

    id: UUID
    external_id: str
    place: int
    type: str
    size: int | None
    text: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class NewAttachment:
    """A file to keep, or why there is none."""

    external_id: str
    place: int
    type: str
    content: bytes | None
    text: str | None = None
    error: str | None = None


async def list_attachments(conn: Connection, channel: str, external_ids: Sequence[str]) -> list[Attachment]:
    """What is kept of the files of these messages, in their order."""
    rows = await conn.fetch(
        """
        select id, external_id, place, type, size, text, error from attachments
         where channel = $1 and external_id = any($2::text[]) order by external_id, place
        """,
        channel,
        list(external_ids),
    )
    return [Attachment(**row) for row in rows]


async def keep_attachment(conn: Connection, channel: str, new: NewAttachment) -> None:
    """Keep a file; one that is kept already stays as it is."""
    await conn.execute(
        """
        insert into attachments (channel, external_id, place, type, size, text, content, error)
        values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (channel, external_id, place) do nothing
        """,
        channel,
        new.external_id,
        new.place,
        new.type,
        None if new.content is None else len(new.content),
        new.text,
        new.content,
        new.error,
    )


async def load_content(conn: Connection, attachment_id: UUID) -> tuple[str, bytes]:
    """Type and content of a file. Raises NotFound, also for one that could not be fetched or is no longer kept."""
    row = await conn.fetchrow("select type, content from attachments where id = $1", attachment_id)
    if row is None or row["content"] is None:
        raise NotFound("no such file")
    return row["type"], row["content"]
