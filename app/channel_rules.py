"""The team's rules for a channel, read once in a while and not for every message."""

import asyncio

from db.channels import ChannelRules, find_channel_rules
from db.pool import Pool, acquire

FRESH = 5.0  # seconds until a change of the row is noticed


class RulesBook:
    """The rules by channel, as they were at most FRESH seconds ago."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.known: dict[str, tuple[float, ChannelRules | None]] = {}
        self.reading = asyncio.Lock()

    async def find(self, channel: str) -> ChannelRules | None:
        """None when the channel has no row. Raises one of UNAVAILABLE."""
        if self.is_stale(channel):
            async with self.reading:
                if self.is_stale(channel):
                    async with acquire(self.pool) as conn:
                        rules = await find_channel_rules(conn, channel)
                    self.known[channel] = (asyncio.get_running_loop().time(), rules)
        return self.known[channel][1]

    def is_stale(self, channel: str) -> bool:
        return channel not in self.known or asyncio.get_running_loop().time() - self.known[channel][0] > FRESH
