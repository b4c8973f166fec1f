"""Databases that live only as long as something is tried out in them, and a look at all that is in one."""

import re
from dataclasses import dataclass
from uuid import UUID

from db.pool import Connection

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation as an evaluation needs it."""

    id: UUID
    channel: str
    handler: str
    sentiment: float | None


@dataclass(frozen=True, slots=True)
class Wait:
    """A row of waiting_customers."""

    conversation_id: UUID
    waits_for: str
    is_unseen: bool


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left over when all work is done."""

    queued: int
    dead: int
    metrics: int
    """Rows of agent_metrics."""
    waits: tuple[Wait, ...]


async def create_database(conn: Connection, name: str, *, template: str | None = None) -> None:
    """An empty database, or a copy of one that nobody is connected to. ValueError for a name of other letters."""
    source = f" template {check_name(template)}" if template else ""
    await conn.execute(f"create database {check_name(name)}{source}")


async def drop_database(conn: Connection, name: str) -> None:
    """Also where somebody is still connected."""
    await conn.execute(f"drop database if exists {check_name(name)} with (force)")


async def list_databases(conn: Connection, pattern: str) -> list[str]:
    """Those whose whole name is like this regular expression."""
    rows = await conn.fetch("select datname from pg_database where datname ~ ('^(' || $1 || ')$')", pattern)
    return [row["datname"] for row in rows]


def check_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a database")
    return name


async def skip_quiet_time(conn: Connection) -> None:
    """Everything that waits is due now."""
    await conn.execute("update lanes set run_at = now() where pending > 0")


async def place_customer(
    conn: Connection, customer_id: UUID | None, *, name: str | None, plan: str | None, identifier: tuple[str, str, str]
) -> UUID:
    """A customer (a new one for None) who is known by this identifier: kind, value, proof. An identifier of somebody
    else stays theirs."""
    if customer_id is None:
        customer_id = await conn.fetchval("insert into customers (name, plan) values ($1, $2) returning id", name, plan)
    await conn.execute(
        """
        insert into customer_identifiers (kind, value, proof, proven_at, customer_id)
        values ($1, $2, $3, now(), $4) on conflict (kind, value) do nothing
        """,
        *identifier,
        customer_id,
    )
    assert customer_id is not None  # noqa: S101 (for mypy: an insert returns its id)
    return customer_id


async def list_talks(conn: Connection) -> list[Talk]:
    """All conversations, oldest first."""
    rows = await conn.fetch("select id, channel, handler, sentiment from conversations order by created_at, id")
    return [Talk(**row) for row in rows]


async def load_rest(conn: Connection) -> Rest:
    """Everything that is still to do, and who waits."""
    waits = await conn.fetch("select conversation_id, waits_for, is_unseen from waiting_customers")
    queued, dead, metrics = [
        await conn.fetchval(count)
        for count in (
            "select count(*) from message_queue",
            "select count(*) from dead_letters",
            "select count(*) from agent_metrics",
        )
    ]
    return Rest(queued, dead, metrics, tuple(Wait(**wait) for wait in waits))
