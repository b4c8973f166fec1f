"""Notifications: hints that something is worth a look. Whoever listens also looks by the clock."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress

from db.pool import UNAVAILABLE, Connection, open_connection

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.2  # seconds before the first try to reconnect; doubled up to the longest
LONGEST_PAUSE = 5.0  # seconds
PROBE_INTERVAL = 20.0  # seconds of silence after which the connection must prove that it lives
PROBE_TIMEOUT = 5.0  # seconds


async def listen(url: str, channel: str, wake: Callable[[str], None]) -> None:
    """Call `wake` with the payload of every notification on `channel`, until cancelled.

    Reconnects by itself, at the latest every 5 s. After each (re)connect `wake("")` is called once, because what was
    sent before is lost. `url` must reach Postgres itself: a transaction pooler delivers nothing, silently.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            conn = await open_connection(url)
            try:
                await conn.add_listener(channel, lambda _conn, _pid, _channel, payload: wake(str(payload)))
                pause = FIRST_PAUSE
                wake("")
                await outlive(conn)
            finally:
                with suppress(*UNAVAILABLE):
                    await conn.close(timeout=1)
        except UNAVAILABLE as error:
            log.warning("not listening to %s", channel, extra={"error_kind": type(error).__name__})
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


async def notify_each(conn: Connection, channel: str, payloads: Iterable[str]) -> None:
    """One hint per payload, together in one statement that does not wait for the disk.

    Never inside a transaction that wrote: there it would make all commits of the server queue up.
    """
    await conn.execute(
        "select set_config('synchronous_commit', 'off', true), pg_notify($1, payload) from unnest($2::text[]) payload",
        channel,
        list(payloads),
    )


async def outlive(conn: Connection) -> None:
    """Return when the connection has ended; a silent network ends it within 25 s."""
    ended = asyncio.Event()
    conn.add_termination_listener(lambda _conn: ended.set())
    while not conn.is_closed():
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), PROBE_INTERVAL)
            return
        await conn.execute("select 1", timeout=PROBE_TIMEOUT)
