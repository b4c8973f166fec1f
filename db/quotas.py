"""Rate limits: a bucket that refills evenly, and a row that must be won."""

from datetime import timedelta

from db.pool import Connection


async def win_quota(conn: Connection, key: str, *, capacity: int, window: timedelta) -> timedelta | None:
    """Take one of `capacity` per `window`; None when won, otherwise how long to wait."""
    wait: timedelta | None = await conn.fetchval("select win_quota($1, $2, $3)", key, capacity, window)
    return wait


async def return_quota(conn: Connection, key: str) -> None:
    """Give back one that was taken and need not count."""
    await conn.execute("update quotas set level = level + 1 where key = $1", key)
