"""Looks on from outside: how much waits, what the vendor has accepted, whose lanes are taken up again."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from db.pool import UNAVAILABLE, Connection, open_connection
from tests.stand_ins.http import NoAnswer, NoConnection, call

LOOK_SECONDS = 0.3


@dataclass(slots=True)
class Watch:
    """What is known of the run so far, a moment ago."""

    database_url: str
    vendor_url: str
    backlog: int = 0
    """Messages and deliveries that wait or are in hand; as last seen while the database is down."""
    accepted: list[dict[str, Any]] = field(default_factory=list)
    """The vendor's journal."""
    counts: dict[str, Any] = field(default_factory=dict)
    """What else the vendor counted."""
    seen: int = 0
    """How often the backlog was read."""
    conn: Connection | None = None

    async def run(self) -> None:
        """Never returns."""
        while True:
            try:
                await self.look()
            except (*UNAVAILABLE, NoConnection, NoAnswer):
                self.conn = None
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Read both once more."""
        await self.read_journal()
        self.conn = self.conn or await open_connection(self.database_url)
        self.backlog = await self.conn.fetchval(
            "select count(*) from message_queue where kind in ('inbound', 'deliver')"
        )
        self.seen += 1

    async def read_journal(self) -> None:
        answer = await call("GET", f"{self.vendor_url}/journal?since={len(self.accepted)}", seconds=60)
        journal = answer.read_json()
        self.accepted += journal.pop("accepted")
        self.counts = journal

    async def wait_until_empty(self, seconds: float) -> bool:
        """Whether nothing waits any more, three looks in a row, within this time."""
        empty = 0
        try:
            async with asyncio.timeout(seconds):
                while empty < 3:
                    seen = self.seen
                    while self.seen == seen:
                        await asyncio.sleep(LOOK_SECONDS)
                    empty = empty + 1 if self.backlog == 0 else 0
        except TimeoutError:
            return False
        return True
