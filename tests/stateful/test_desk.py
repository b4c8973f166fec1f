"""Whatever happens at a desk, and in whatever order: no message is lost, none is answered or sent twice unmarked,
nobody speaks over a person's head, and whoever waits is listed.

`make test` plays about the same 80 histories every time. For more, and other ones at every run:
`STATEFUL_EXAMPLES=3000 python -m pytest tests/stateful`. A history that breaks a promise is printed as it came: to
shorten one on a real database takes longer than to read it.
"""

import asyncio
import os
from collections import Counter
from functools import partial

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from db.pool import Connection, open_connection
from tests.stateful.machine import DeskMachine

USUAL = 80
EXAMPLES = int(os.environ.get("STATEFUL_EXAMPLES", USUAL))
REACHED = {"turn done", "turn superseded", "turn silenced", "delivery send", "delivery look_up again"}
REACHED |= {"take over accepted", "parked", "failed", "report known"}
"""Histories in which none of these happens prove nothing. Rarer ones (a lease lost, a letter requeued) come about in
most runs, and each has a test of its own."""


async def open_desk(url: str) -> Connection:
    conn = await open_connection(url)
    await conn.execute("set synchronous_commit = off")  # no machine loses its power here
    await conn.execute(
        """
        insert into channel_configs (channel, max_chars, preferred_chars)
        values ('drafts', 2000, 900), ('mute', 2000, 900) on conflict do nothing
        """
    )
    await conn.execute("update channel_configs set rate_per_address = 1000, rate_per_ip = 1000")
    return conn


def test_every_history_of_a_desk_keeps_the_promises(database_url: str) -> None:
    seen: Counter[str] = Counter()
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        conn = runner.run(open_desk(database_url))
        run_state_machine_as_test(
            partial(DeskMachine, runner, conn, seen),  # type: ignore[arg-type]  # whatever makes a machine
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=60,
                derandomize=EXAMPLES == USUAL,
                database=None,
                phases=[Phase.explicit, Phase.generate],
                deadline=None,
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
        runner.run(conn.close())
    assert EXAMPLES < USUAL or seen.keys() >= REACHED, f"never came about: {REACHED - seen.keys()}"
