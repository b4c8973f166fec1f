"""How the desk is: schema, queue, workers, channels, providers, and who waits unseen."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from db.pool import Connection

REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.FeatureNotSupportedError,
)
"""The database answers and says no: somebody must change an address, a password, a right or the server."""

PATIENCE = 10.0  # seconds; counting a backlog of a million takes a few, and whoever asks how bad it is must be told


@dataclass(frozen=True, slots=True)
class Footing:
    """What the database says of itself and of the whole desk."""

    schema_version: int
    vector_version: str | None
    embedding_model: str | None
    passages: int
    queue_depth: int
    queue_oldest_seconds: float | None
    queue_due_seconds: float | None
    """How long the most overdue free lane has waited for a worker; None when none is due."""
    in_doubt: int
    """Replies of which nobody knows whether the vendor took them."""
    dead_letters: int


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process by its last heartbeat."""

    name: str
    started_at: datetime
    heartbeat_at: datetime
    heartbeat_age_seconds: float
    running: int


@dataclass(frozen=True, slots=True)
class ChannelState:
    """What the team configured for a channel, and how far it has been read."""

    channel: str
    is_on: bool
    mode: str
    watch_expires_at: datetime | None
    watch_ends_soon: bool
    """Within 48 hours: it should have been renewed."""
    synced_at: datetime | None
    """When it was last read to its end; null where nothing is read."""
    red_since: datetime | None
    red_reason: str | None
    """Why the vendor refuses us."""
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Provider:
    """The circuit breaker of a model provider."""

    provider: str
    state: str
    failures: int
    opened_until: datetime | None
    not_before: datetime | None
    last_error: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """A customer whose last word has no answer, and whom somebody must look at."""

    conversation_id: UUID | None
    reference: str | None
    channel: str | None
    waiting_since: datetime
    waits_for: str
    owner: str | None
    due_at: datetime | None
    is_unseen: bool
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong now: see the view alarms."""

    alarm: str
    about: str
    needs_person: bool
    since: datetime | None
    """None where nothing in the database tells."""
    value: float | None
    """In `unit`; None where it has no end, as a worker that was never heard of."""
    unit: str
    detail: str
    what_to_do: str


async def find_server_version(conn: Connection) -> int:
    """The major version of Postgres."""
    number: int = await conn.fetchval("select current_setting('server_version_num')::int / 10000")
    return number


async def find_schema_version(conn: Connection) -> int | None:
    """The newest migration that was applied; None where there was none."""
    if await conn.fetchval("select to_regclass('schema_migrations')") is None:
        return None
    version: int | None = await conn.fetchval("select max(version) from schema_migrations")
    return version


async def find_vector_version(conn: Connection) -> tuple[str | None, str | None]:
    """The version of the extension vector that is installed, and the one that could be."""
    row = await conn.fetchrow(
        """
        select (select extversion from pg_extension where extname = 'vector') as installed,
               (select default_version from pg_available_extensions where name = 'vector') as available
        """
    )
    return (row["installed"], row["available"]) if row else (None, None)


async def load_footing(conn: Connection) -> Footing:
    row = await conn.fetchrow(
        """
        select (select coalesce(max(version), 0) from schema_migrations) as schema_version,
               (select extversion from pg_extension where extname = 'vector') as vector_version,
               (select name from embedding_models where state = 'active') as embedding_model,
               (select count(*) from passages p join knowledge_base k on k.id = p.article_id
                 where k.state = 'live') as passages,
               (select count(*) from message_queue) as queue_depth,
               (select extract(epoch from now() - min(created_at))::float8 from message_queue) as queue_oldest_seconds,
               (select extract(epoch from now() - min(due.run_at))::float8
                  from generate_series(0, 2) level cross join lateral (  -- one probe of lanes_ready for each
                    select run_at from lanes where priority = level and pending > 0 and lease_until is null
                     order by run_at limit 1) due where due.run_at <= now()) as queue_due_seconds,
               (select count(*) from messages where delivery = 'unknown') as in_doubt,
               (select count(*) from dead_letters) as dead_letters
        """,
        timeout=PATIENCE,
    )
    return Footing(**row)  # type: ignore[arg-type]  # a select without from always has its row


async def list_queue(conn: Connection) -> list[dict[str, Any]]:
    """The view queue_overview: one row per kind and priority."""
    rows = await conn.fetch("select * from queue_overview order by priority, kind", timeout=PATIENCE)
    return [dict(row) for row in rows]


async def list_alarms(conn: Connection) -> list[Alarm]:
    """The view alarms: what is wrong now, what needs a person first, then the oldest."""
    rows = await conn.fetch(
        "select alarm, about, needs_person, since, value, unit, detail, what_to_do from alarms", timeout=PATIENCE
    )
    return [Alarm(**row) for row in rows]


async def list_workers(conn: Connection) -> list[Worker]:
    """Those heard of within the last hour, the liveliest first."""
    rows = await conn.fetch(
        """
        select name, started_at, heartbeat_at, running,
               extract(epoch from now() - heartbeat_at)::float8 as heartbeat_age_seconds
          from workers where heartbeat_at > now() - interval '1 hour' order by heartbeat_at desc
        """
    )
    return [Worker(**row) for row in rows]


async def list_channel_states(conn: Connection) -> list[ChannelState]:
    rows = await conn.fetch(
        """
        select channel, is_on, mode, watch_expires_at,
               coalesce(watch_expires_at < now() + interval '48 hours', false) as watch_ends_soon,
               synced_at, red_since, red_reason, updated_at
          from channel_configs order by channel
        """
    )
    return [ChannelState(**row) for row in rows]


async def list_providers(conn: Connection) -> list[Provider]:
    rows = await conn.fetch(
        """
        select provider, state, failures, opened_until, not_before, last_error, updated_at
          from provider_health order by provider
        """
    )
    return [Provider(**row) for row in rows]


async def count_waiting(conn: Connection) -> int:
    """Everybody whose last word has no answer yet, also those who are served in time."""
    count: int = await conn.fetchval("select count(*) from waiting_customers", timeout=PATIENCE)
    return count


async def list_neglected(conn: Connection, *, limit: int = 50) -> list[Waiting]:
    """Customers who wait unseen or longer than promised, the longest first."""
    rows = await conn.fetch(
        """
        select conversation_id, reference, channel, waiting_since, waits_for, owner, due_at, is_unseen, is_overdue
          from waiting_customers where is_unseen or is_overdue order by waiting_since limit $1
        """,
        limit,
        timeout=PATIENCE,
    )
    return [Waiting(**row) for row in rows]
