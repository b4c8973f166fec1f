"""Promises to customers: what was broken, what soon will be, and how many held."""

from dataclasses import dataclass

from db.health import PATIENCE
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class PromiseRates:
    """How many promises held, of the tickets opened in a period. Shares of 1; None: none is decided yet."""

    channel: str
    """`total` for all."""
    first_response_met_rate: float | None
    resolution_met_rate: float | None
    n: int


async def record_breaches(conn: Connection) -> int:
    """Record what is overdue and not met; how many promises that were. What is recorded stays."""
    count: int = await conn.fetchval("select record_breaches()")
    return count


async def warn_soon(conn: Connection) -> int:
    """Warn of what is due soon and not met; how many customers wait for it."""
    count: int = await conn.fetchval("select warn_soon()")
    return count


async def list_promise_rates(conn: Connection, *, hours: int) -> dict[str, PromiseRates]:
    """By channel, and `total`; a channel without such tickets is left out."""
    rows = await conn.fetch("select * from count_promises(now() - make_interval(hours => $1))", hours, timeout=PATIENCE)
    return {row["channel"]: PromiseRates(**row) for row in rows}
