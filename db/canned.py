"""Answers the team gives often."""

from dataclasses import dataclass
from datetime import datetime

from db.people import Actor
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class CannedReply:
    """A text with the placeholders {name}, {reference} and {company}."""

    name: str
    body: str
    updated_by: str
    updated_at: datetime


async def list_canned(conn: Connection) -> list[CannedReply]:
    """All of them, by name."""
    rows = await conn.fetch("select name, body, updated_by, updated_at from canned_replies order by name")
    return [CannedReply(**row) for row in rows]


async def keep_canned(conn: Connection, name: str, body: str, who: Actor, *, was: str | None) -> str:
    """Write a new one, or change the one that `was` names.

    accepted, taken (another one has the name) or gone (there is none to change).
    """
    outcome: str = await conn.fetchval("select keep_canned($1, $2, $3, $4)", name, body, who, was)
    return outcome


async def drop_canned(conn: Connection, name: str, who: Actor) -> bool:
    """False when there is none of this name."""
    return bool(await conn.fetchval("select drop_canned($1, $2)", name, who))
