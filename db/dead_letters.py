"""Work that was given up: looked at, and queued again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Work that was given up, with the reason."""

    id: int
    lane: str
    kind: str
    payload: dict[str, Any]
    attempts: int
    error: str
    created_at: datetime
    failed_at: datetime


async def list_dead(conn: Connection, *, kind: str | None = None) -> list[DeadLetter]:
    """Dead letters, latest first; of one kind, or all."""
    rows = await conn.fetch(
        """
        select id, lane, kind, payload, attempts, error, created_at, failed_at from dead_letters
         where $1::text is null or kind = $1 order by id desc
        """,
        kind,
    )
    return [DeadLetter(**row) for row in rows]


async def find_dead(conn: Connection, dead_id: int) -> DeadLetter | None:
    """One dead letter with its payload."""
    row = await conn.fetchrow(
        """
        select id, lane, kind, payload, attempts, error, created_at, failed_at from dead_letters where id = $1
        """,
        dead_id,
    )
    return DeadLetter(**row) if row else None


async def revive_dead(conn: Connection, dead_id: int) -> bool:
    """Queue a dead letter again. False when there is none of that id.

    Where a person was called only because the agent failed, and has not spoken yet, the agent answers.
    """
    revived: bool = await conn.fetchval("select revive_dead($1)", dead_id)
    return revived
