"""Where other programs are told what happens here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from db.people import Actor
from db.pool import Connection
from db.queue import ClaimedLane

Happening = Literal["person_needed", "resolved", "answered_by_person"]
HAPPENINGS: tuple[Happening, ...] = ("person_needed", "resolved", "answered_by_person")


@dataclass(frozen=True, slots=True)
class Webhook:
    """As its page shows it; the secret is not among it."""

    id: UUID
    url: str
    events: list[Happening]
    is_on: bool
    created_by: str
    created_at: datetime
    last_at: datetime | None
    last_status: int | None
    last_error: str | None
    failures: int
    """Tries since it last took something."""
    waiting: int
    """Words that it has not taken yet."""


@dataclass(frozen=True, slots=True)
class Target:
    """What telling one webhook takes. Holds its secret: never show it."""

    url: str
    secret: str


async def list_webhooks(conn: Connection) -> list[Webhook]:
    """All of them, oldest first."""
    rows = await conn.fetch(
        """
        select w.id, w.url, w.events, w.is_on, w.created_by, w.created_at, w.last_at, w.last_status, w.last_error,
               w.failures, coalesce(l.pending, 0) as waiting
          from webhooks w left join lanes l on l.lane = 'hook:' || w.id order by w.id
        """
    )
    return [Webhook(**row) for row in rows]


async def add_webhook(conn: Connection, who: Actor, *, url: str, secret: str, events: Sequence[Happening]) -> UUID:
    """Add one, switched on; the address must have been checked."""
    added: UUID = await conn.fetchval("select add_webhook($1, $2, $3, $4)", who, url, secret, list(events))
    return added


async def remove_webhook(conn: Connection, who: Actor, webhook_id: UUID) -> bool:
    """Remove it for good. False when there is none."""
    removed: bool = await conn.fetchval("select remove_webhook($1, $2)", who, webhook_id)
    return removed


async def switch_webhook(conn: Connection, who: Actor, webhook_id: UUID, *, is_on: bool) -> bool:
    """Tell it what happens from now on, or nothing more. False when there is none."""
    switched: bool = await conn.fetchval("select switch_webhook($1, $2, $3)", who, webhook_id, is_on)
    return switched


async def queue_test(conn: Connection, who: Actor, webhook_id: UUID, *, base_url: str) -> str:
    """Queue a word of kind test: accepted, off or missing."""
    outcome: str = await conn.fetchval("select test_webhook($1, $2, $3)", who, webhook_id, base_url)
    return outcome


async def find_target(conn: Connection, webhook_id: UUID) -> Target | None:
    """Where a webhook is told; None for one that is off or gone."""
    row = await conn.fetchrow("select url, secret from webhooks where id = $1 and is_on", webhook_id)
    return Target(**row) if row else None


async def note_post(conn: Connection, webhook_id: UUID, *, status: int | None, error: str) -> None:
    """A try that failed and will be made again."""
    await conn.execute("select note_post($1, $2, $3)", webhook_id, status, error)


async def end_post(
    conn: Connection,
    lane: ClaimedLane,
    *,
    webhook_id: UUID,
    notice_id: UUID,
    status: int | None,
    error: str | None,
    is_dead: bool = False,
) -> bool:
    """The first word of a lane was taken (no error), or is not told again; is_dead: that leaves a dead letter.

    notice_id: of the word, which tells of a notice where there is one with this id. False when the lease was lost.
    """
    ended = {
        "lane": lane.lane,
        "token": lane.token,
        "job_id": lane.jobs[0].id,
        "webhook_id": webhook_id,
        "notice_id": notice_id,
        "status": status,
        "error": error,
        "is_dead": is_dead,
    }
    kept: bool = await conn.fetchval("select end_post($1)", ended)
    return kept
