"""What the team configured per channel, and how far it was read."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from db.errors import NotFound
from db.people import Actor
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """What intake needs to know of a channel."""

    is_on: bool
    quiet_cap: timedelta
    """How long a burst may put the answer off."""


async def find_channel_rules(conn: Connection, channel: str) -> ChannelRules | None:
    """The rules of one channel; None when it has no row."""
    row = await conn.fetchrow("select is_on, quiet_cap_seconds from channel_configs where channel = $1", channel)
    return ChannelRules(row["is_on"], timedelta(seconds=row["quiet_cap_seconds"])) if row else None


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a channel was read whose vendor counts in time."""

    is_on: bool
    reached: datetime | None
    """Where the next reading begins; None: it was never read."""
    quiet_cap: timedelta


async def load_reading(conn: Connection, channel: str) -> Reading:
    """The row of the channel, which the migrations have put there."""
    row = await conn.fetchrow(
        "select is_on, cursor, quiet_cap_seconds from channel_configs where channel = $1", channel
    )
    if row is None:
        raise NotFound(f"channel_configs has no row {channel}: run migrate")
    reached = datetime.fromtimestamp(float(row["cursor"]), UTC) if row["cursor"] else None
    return Reading(row["is_on"], reached, timedelta(seconds=row["quiet_cap_seconds"]))


async def advance_reading(conn: Connection, channel: str, reached: datetime) -> None:
    """The channel was read to its end, and the vendor lets us in; the next reading begins there, never earlier."""
    await conn.execute("select advance_cursor($1, $2)", channel, f"{reached.timestamp():.3f}")


async def stop_reading(conn: Connection, channel: str) -> None:
    """Nobody reads the channel here, so nothing is wrong with that; it is gone on with where it was left."""
    await conn.execute("select stop_reading($1)", channel)


async def turn_red(conn: Connection, channel: str, reason: str) -> None:
    """Say that the vendor refuses us, and what to do about it."""
    await conn.execute("select turn_red($1, $2)", channel, reason)


async def list_switched_off(conn: Connection) -> list[str]:
    """The channels the team has switched off."""
    rows = await conn.fetch("select channel from channel_configs where not is_on order by channel")
    return [row["channel"] for row in rows]


@dataclass(frozen=True, slots=True)
class ChannelTexts:
    """What stands around the agent's replies on a channel, and whether its customers are asked how content they are."""

    channel: str
    is_on: bool
    greeting: str
    signature: str
    asks_csat: bool


async def list_channel_texts(conn: Connection) -> list[ChannelTexts]:
    """Of every channel, by name."""
    rows = await conn.fetch(
        "select channel, is_on, greeting, signature, asks_csat from channel_configs order by channel"
    )
    return [ChannelTexts(**row) for row in rows]


async def set_channel_texts(
    conn: Connection, channel: str, *, greeting: str, signature: str, asks_csat: bool, who: Actor
) -> str:
    """From the next message on. accepted, unchanged or missing."""
    outcome: str = await conn.fetchval(
        "select set_channel_texts($1, $2, $3, $4, $5)", channel, greeting, signature, asks_csat, who
    )
    return outcome
