"""The record of what people, their machines and the agent did. Rows are only ever added."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from db.people import Actor
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody who is not logged in; SQL takes it where it takes an Actor."""

    name: str
    """What they claimed to be, or a keyed hash of it."""
    kind: str = "stranger"
    id: None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One thing that was done."""

    id: int
    at: datetime
    actor_kind: str
    actor_id: UUID | None
    actor_name: str
    action: str
    about: str
    details: dict[str, Any]


async def note_audit(
    conn: Connection, who: Actor | Stranger, action: str, about: str, details: dict[str, Any] | None = None
) -> None:
    """Record an act that changes nothing else; what changes something records it in its own SQL function."""
    await conn.execute("select note_audit($1, $2, $3, $4)", who, action, about, details or {})


async def note_view(conn: Connection, who: Actor, about: str, *, is_look: bool = True) -> None:
    """Record that somebody looked at something of a customer's, at most once in ten minutes.

    Not `is_look`: a page of theirs loaded itself again, which is recorded only where they have not looked for a day.
    """
    await conn.execute("select note_view($1, $2, $3)", who, about, is_look)


async def list_audit(
    conn: Connection, *, actor: str | None, about: str | None, before: int | None, limit: int
) -> list[AuditRow]:
    """Newest first, of one actor's name, about one thing (all of a kind: `customer:`), older than the row `before`."""
    rows = await conn.fetch(
        """
        select id, at, actor_kind, actor_id, actor_name, action, about, details from audit
         where ($1::text is null or actor_name = $1) and ($3::bigint is null or id < $3)
           and ($2::text is null or about = $2 or (right($2, 1) = ':' and starts_with(about, $2)))
         order by id desc limit $4
        """,
        actor,
        about,
        before,
        limit,
    )
    return [AuditRow(**row) for row in rows]
