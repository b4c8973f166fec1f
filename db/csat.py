"""How content customers were with what they were told."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from db.health import PATIENCE
from db.pool import Connection

About = Literal["agent", "person"]


@dataclass(frozen=True, slots=True)
class ToAsk:
    """Somebody whose matter was resolved and who may be asked."""

    conversation_id: UUID
    language: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question that was asked, and the answer if there is one."""

    id: UUID
    language: str | None
    score: int | None
    """1 (very bad) to 5 (very good)."""
    comment: str | None
    is_open: bool
    """It may still be answered, or changed."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An answer as the team sees it."""

    about: About
    score: int
    comment: str | None
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Marks:
    """Those of a channel about the agent or people. average: 1 to 5, None without any."""

    average: float | None = None
    n: int = 0


QUESTION = """
    select s.id, s.language, s.score, s.comment,
           coalesce(s.answered_at + interval '7 days', s.asked_at + interval '30 days') > now() as is_open
      from csat s
"""


async def list_to_ask(conn: Connection) -> list[ToAsk]:
    """Everybody who may be asked now."""
    rows = await conn.fetch("select conversation_id, language from list_to_ask()")
    return [ToAsk(**row) for row in rows]


async def ask(conn: Connection, conversation_id: UUID, question_id: UUID, words: str) -> bool:
    """Ask in these words, on the customer's channel; False when they are not to be asked any more."""
    asked: bool = await conn.fetchval("select ask_csat($1, $2, $3)", conversation_id, question_id, words)
    return asked


async def find_question(conn: Connection, question_id: UUID) -> Question | None:
    row = await conn.fetchrow(QUESTION + " where s.id = $1", question_id)
    return Question(**row) if row else None


async def find_ticket_question(conn: Connection, reference: str) -> Question | None:
    """What the customer of a ticket was asked last about it."""
    row = await conn.fetchrow(
        QUESTION + " join tickets t on t.id = s.ticket_id where t.reference = $1 and t.status = 'resolved'", reference
    )
    return Question(**row) if row else None


async def keep_score(conn: Connection, question_id: UUID, score: int, comment: str) -> str:
    """accepted, closed or missing. An empty comment leaves the one there is."""
    outcome: str = await conn.fetchval("select keep_score($1, $2, $3)", question_id, score, comment)
    return outcome


async def list_marks(conn: Connection, conversation_id: UUID) -> list[Mark]:
    """What the customer of a conversation answered, newest first."""
    rows = await conn.fetch(
        """
        select about, score, comment, answered_at from csat where conversation_id = $1 and score is not null
         order by asked_at desc
        """,
        conversation_id,
    )
    return [Mark(**row) for row in rows]


async def count_marks(conn: Connection, *, hours: int) -> dict[tuple[str, str], Marks]:
    """By channel (and `total`) and what they are about: agent or person."""
    rows = await conn.fetch("select * from count_csat(now() - make_interval(hours => $1))", hours, timeout=PATIENCE)
    return {(row["channel"], row["about"]): Marks(row["average"], row["n"]) for row in rows}
