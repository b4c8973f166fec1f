"""Answers that were sent and whose source has changed since, and what is drafted to put them right."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from db.people import Actor
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class Told:
    """An answer that cites a passage whose text the article has no longer.

    reply_id: messages.reply_id, or messages.id where it has none. version: the one it cites; article_id: of the newest
    one. new_passage, new_text: what took the passage's place, None where nothing did; is_public: whether a customer may
    read it. corrected_by, corrected_at: who drafted a correction for this change already.
    """

    reply_id: UUID
    conversation_id: UUID
    customer: str | None
    language: str
    channel: str
    sent_at: datetime
    said: str
    version: int
    old_heading: str
    old_text: str
    article_id: int
    new_passage: int | None
    new_text: str | None
    is_public: bool
    corrected_by: str | None
    corrected_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewCorrection:
    """A correction of answers of one conversation. note: which article changed, for whoever decides."""

    replies: Sequence[UUID]
    article_id: int
    body: str
    citations: list[dict[str, Any]]
    note: str


async def list_told(conn: Connection, slug: str, *, limit: int) -> list[Told]:
    """Newest first, those corrected already at the end; an answer that cites several such passages comes for each."""
    rows = await conn.fetch(
        """
        select t.*, (select string_agg(m.body, E'\\n\\n' order by m.part) from messages m
                      where m.reply_id = t.reply_id or m.id = t.reply_id) as said,
               a.made_by as corrected_by, a.made_at as corrected_at
          from list_told($1) t left join article_corrections a using (reply_id, article_id)
         order by a.made_by is not null, t.sent_at desc, t.reply_id, t.old_heading limit $2
        """,
        slug, limit,
    )  # fmt: skip
    return [Told(**row) for row in rows]


async def count_told(conn: Connection, slug: str) -> int:
    """How many answers list_told() has that nobody has drafted a correction for."""
    return int(
        await conn.fetchval(
            """
            select count(distinct t.reply_id) from list_told($1) t
             where not exists (select from article_corrections a
                                where a.reply_id = t.reply_id and a.article_id = t.article_id)
            """,
            slug,
        )
    )


async def draft_correction(conn: Connection, who: Actor, new: NewCorrection) -> str:
    """accepted, repeated, waiting (another correction of this conversation is not decided yet) or missing."""
    outcome = await conn.fetchval(
        "select draft_correction($1, $2, $3, $4, $5, $6)",
        who, list(new.replies), new.article_id, new.body, new.citations, new.note,
    )  # fmt: skip
    return str(outcome)
