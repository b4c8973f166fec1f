"""What the team configured per channel."""

from dataclasses import dataclass
from datetime import timedelta

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
