"""The files that came with chat messages, as rows: see the table attachments."""

from collections.abc import Collection, Sequence
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


@dataclass(frozen=True, slots=True)
class ShownFile:
    """One file as the team sees it."""

    id: UUID
    message_id: UUID
    type: str
    size: int | None
    text: str | None
    error: str | None
    is_kept: bool
    """Whether its content is there: false where it could not be fetched, or is too old."""


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


async def sum_fetched(conn: Connection, channel: str, thread_key: str, waiting: Sequence[str]) -> int:
    """Bytes fetched within a day for one conversation. waiting: its messages that no turn has taken up yet."""
    size: int = await conn.fetchval(
        """
        with ids as (
          select m.external_id from messages m join conversations c on c.id = m.conversation_id
           where c.channel = $1 and c.thread_key = $2 and m.direction = 'inbound'
             and m.sent_at > now() - interval '2 days'
          union select unnest($3::text[]))
        select coalesce(sum(a.size), 0)
          from ids join attachments a on a.channel = $1 and a.external_id = ids.external_id
         where a.created_at > now() - interval '1 day'
        """,
        channel,
        thread_key,
        list(waiting),
    )
    return size


async def list_conversation_files(conn: Connection, conversation_id: UUID) -> list[ShownFile]:
    """The files of all messages of a conversation in the log; message_id is messages.id."""
    rows = await conn.fetch(
        """
        select a.id, m.id as message_id, a.type, a.size, a.text, a.error, a.content is not null as is_kept
          from messages m join attachments a using (channel, external_id)
         where m.conversation_id = $1 order by m.id, a.place
        """,
        conversation_id,
    )
    return [ShownFile(**row) for row in rows]


async def list_thread_files(conn: Connection, conversation_ids: Collection[UUID]) -> list[ShownFile]:
    """The files of these conversations, waiting messages included; message_id is db.threads.Entry.id."""
    rows = await conn.fetch(
        """
        with said as (
          select m.channel, m.external_id from messages m
           where m.conversation_id = any($1) and m.direction = 'inbound'
          union
          select c.channel, q.payload->>'external_id'
            from conversations c join message_queue q on q.lane = c.channel || ':' || c.thread_key
           where c.id = any($1) and q.kind = 'inbound')
        select a.id, md5(a.channel || ':' || a.external_id)::uuid as message_id, a.type, a.size, a.text, a.error,
               a.content is not null as is_kept
          from said join attachments a using (channel, external_id) order by 2, a.place
        """,
        list(conversation_ids),
    )
    return [ShownFile(**row) for row in rows]


async def drop_old_content(conn: Connection, *, limit: int) -> int:
    """Forget what is in files older than 90 days, whose rows stay; how many that were."""
    dropped: int = await conn.fetchval(
        """
        with fading as (
          select id from attachments where content is not null and created_at < now() - interval '90 days'
           order by created_at limit $1 for update skip locked),
        faded as (update attachments a set content = null from fading where a.id = fading.id returning 1)
        select count(*) from faded
        """,
        limit,
    )
    return dropped


async def load_content(conn: Connection, attachment_id: UUID) -> tuple[str, bytes]:
    """Type and content of a file. Raises NotFound, also for one that could not be fetched or is no longer kept."""
    row = await conn.fetchrow("select type, content from attachments where id = $1", attachment_id)
    if row is None or row["content"] is None:
        raise NotFound("no such file")
    return row["type"], row["content"]
