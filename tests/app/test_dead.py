"""The command that looks at what was given up."""

import pytest

from db import dead_letters, queue
from db.pool import Connection, Pool
from tests.app.test_command_line import run
from tests.fakes import claim_one, write_on_a_channel_without_tickets


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("list", 0, "nothing was given up"),
        ("show 1", 1, "no dead letter 1"),
        ("show x", 2, "no id"),
        ("retry", 2, "either ids or a --kind"),
        ("retry 1 --kind inbound", 2, "either ids or a --kind"),
        ("retry 1", 1, "no dead letter 1"),
        ("retry --kind nonsense", 1, "0 of 0"),
    ],
)
async def test_exit_code_says_whether_there_was_anything(database_url: str, words: str, code: int, said: str) -> None:
    exit_code, output, errors = await run("dead", *words.split(), DATABASE_URL=database_url)
    assert exit_code == code
    assert said in output + errors


async def test_what_can_be_retried_is_although_something_else_cannot(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    await write_on_a_channel_without_tickets(conn, "Nobody else's business")
    await queue.bury_work(conn, await claim_one(pool), error="TimeoutError")
    [dead] = await dead_letters.list_dead(conn)
    _, listed, _ = await run("dead", "list", DATABASE_URL=database_url)
    for part in (str(dead.id), "inbound", "whatsapp:+49", "TimeoutError", "dead retry ID"):
        assert part in listed
    assert "business" not in listed
    code, output, errors = await run("dead", "retry", str(dead.id), "999", DATABASE_URL=database_url)
    assert (code, output) == (0, "1 of 2 dead letters queued again\n")
    assert "999" in errors
