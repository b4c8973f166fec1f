"""What a customer who writes in bursts may rely on: one answer to all of it, and no endless wait for the last word."""

from datetime import timedelta

import pytest

from app.settings import Settings
from db.pool import Connection
from db.queue import NewWork, add_many

LANE = "whatsapp:+4915112345678"


async def write(conn: Connection, key: str, quiet: timedelta, cap: timedelta) -> None:
    await add_many(conn, [NewWork(LANE, "inbound", {"channel": "whatsapp"}, key, quiet=quiet, quiet_cap=cap)])


async def read_wait(conn: Connection) -> float:
    """Seconds from the first waiting message to the moment the lane may be claimed."""
    waited = await conn.fetchval("select extract(epoch from run_at - waiting_since) from lanes")
    return float(waited)


@pytest.mark.parametrize(
    ("channel", "setting", "quiet", "cap"),
    [("web", "debounce_seconds_web", 0.5, 3), ("whatsapp", "debounce_seconds_whatsapp", 2, 8)],
)
async def test_a_burst_is_waited_for_as_long_as_its_channel_says(
    conn: Connection, channel: str, setting: str, quiet: float, cap: float
) -> None:
    assert Settings.model_fields[setting].default == quiet
    assert await conn.fetchval("select quiet_cap_seconds from channel_configs where channel = $1", channel) == cap


async def test_each_message_begins_the_quiet_time_anew_and_the_first_one_bounds_it(conn: Connection) -> None:
    quiet, cap = timedelta(seconds=2), timedelta(seconds=8)
    await write(conn, "a", quiet, cap)
    alone = await read_wait(conn)
    assert alone == pytest.approx(2, abs=0.5)
    await conn.execute("update lanes set waiting_since = waiting_since - interval '3 seconds'")
    await write(conn, "b", quiet, cap)
    assert await read_wait(conn) == pytest.approx(5, abs=0.5)
    await conn.execute("update lanes set waiting_since = waiting_since - interval '4 seconds'")
    await write(conn, "c", quiet, cap)
    longest = await read_wait(conn)
    await write(conn, "d", quiet, cap)
    assert await read_wait(conn) == longest  # the cap is reached: whoever goes on writing waits no longer
    assert await conn.fetchval("select pending from lanes") == 4
