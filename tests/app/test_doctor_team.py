"""doctor says who of the team gets in, and whether anybody is told that a customer needs a person."""

import pytest

from app.settings import read_settings
from app.team_checks import check_team
from db import webhooks
from db.pool import Connection
from db.sessions import TOKEN_HOLDER
from tests.app.people import add_person
from tests.app.test_command_line import run

MAILBOX = {
    "GMAIL_ADDRESS": "help@tidefern.example", "GMAIL_CLIENT_ID": "c", "GMAIL_CLIENT_SECRET": "s",
    "GMAIL_REFRESH_TOKEN": "r", "ADMIN_TOKEN": "t",
}  # fmt: skip
NOBODY = "warn nobody is told when a customer needs a person: "
HOOK = "https://hooks.example/secret-path?key=hidden"


async def look(conn: Connection, **environ: str) -> list[str]:
    """What doctor finds, a line each."""
    settings = read_settings({"APP_SECRET": "for-tests"} | environ)
    return [f"{finding.state} {finding.text}" async for finding in check_team(settings, conn)]


async def find_line(conn: Connection, words: str, **environ: str) -> str:
    [line] = [line for line in await look(conn, **environ) if words in line]
    return line


async def add_webhook(conn: Connection, *happenings: webhooks.Happening) -> None:
    await webhooks.add_webhook(conn, TOKEN_HOLDER, url=HOOK, secret="x", events=happenings)


async def note_notice(conn: Connection, error: str | None, *, is_told: bool) -> None:
    await conn.execute(
        """
        insert into notices (conversation_id, reason, told_at, error)
        values (new_id(), 'late', case when $1 then now() end, $2)
        """,
        is_told, error,
    )  # fmt: skip


# Who gets in


async def test_without_a_token_the_first_admin_cannot_come_and_doctor_says_how(conn: Connection) -> None:
    assert (await look(conn))[0] == (
        "warn the team has no admin yet: set ADMIN_TOKEN (the default command draws one), log in with it at "
        "http://localhost:8000/login and invite one in /team"
    )


async def test_with_a_token_the_first_admin_is_yet_to_be_invited(conn: Connection) -> None:
    assert (await look(conn, ADMIN_TOKEN="t"))[0] == (
        "warn the team has no admin yet: log in with ADMIN_TOKEN at http://localhost:8000/login and invite one in /team"
    )


async def test_a_team_with_an_admin_needs_no_token(conn: Connection) -> None:
    await add_person(conn, "kim@example.com")
    await add_person(conn, "lee@example.com", "admin")
    assert (await look(conn))[0] == "ok 2 people are on the team, of them 1 admin"


# Whether anybody is told


@pytest.mark.parametrize("environ", [{}, MAILBOX])
async def test_a_desk_that_tells_nobody_says_what_is_to_do(conn: Connection, environ: dict[str, str]) -> None:
    await add_webhook(conn, "resolved")
    line = await find_line(conn, "a customer needs a person", **environ)
    assert line.startswith(NOBODY)
    assert ("set Gmail up" in line) is (environ == {})
    for words in ("invite people in /team", "escalation_routes.notify", "add a webhook in /webhooks"):
        assert words in line


async def test_people_without_a_mailbox_are_not_told(conn: Connection) -> None:
    await add_person(conn)
    line = await find_line(conn, "a customer needs a person")
    assert line == NOBODY + "set Gmail up, or add a webhook in /webhooks"


async def test_a_mailbox_and_people_or_a_webhook_are_enough(conn: Connection) -> None:
    await add_webhook(conn, "person_needed")
    found = await find_line(conn, "a customer needs a person")
    assert found == "ok when a customer needs a person, 1 webhook is told"
    await add_person(conn)
    found = await find_line(conn, "a customer needs a person", **MAILBOX)
    assert found == "ok when a customer needs a person, whoever is to answer gets a mail and 1 webhook is told"


async def test_where_nobody_is_on_the_team_routes_without_addresses_reach_nobody(conn: Connection) -> None:
    await conn.execute(
        "update escalation_routes set notify = '{x@example.com}' where category not in ('general', 'legal')"
    )
    line = await find_line(conn, "gets a mail of what", **MAILBOX)
    assert line == (
        "warn nobody gets a mail of what is handed over as general, legal: "
        "invite people in /team, or fill escalation_routes.notify on the page /hours"
    )


async def test_the_last_word_that_reached_nobody_is_named_until_one_arrives(conn: Connection) -> None:
    await add_person(conn)
    await note_notice(conn, "the mailbox is closed", is_told=False)
    line = await find_line(conn, "the mailbox is closed", **MAILBOX)
    assert line.startswith("warn the last time a customer needed a person nobody was told (")
    await note_notice(conn, None, is_told=True)
    assert not any("the mailbox is closed" in line for line in await look(conn, **MAILBOX))


async def test_a_way_of_telling_that_failed_beside_another_is_named(conn: Connection) -> None:
    await add_person(conn)
    await note_notice(conn, "it came back from kim@example.com", is_told=True)
    line = await find_line(conn, "it came back", **MAILBOX)
    assert line.startswith("warn the last time a customer needed a person not everybody was told (")


async def test_a_webhook_that_takes_nothing_is_named_without_what_its_address_hides(conn: Connection) -> None:
    await add_webhook(conn, "person_needed")
    hook = await conn.fetchval("select id from webhooks")
    await webhooks.note_post(conn, hook, status=500, error="it answered with status 500")
    lines = await look(conn)
    assert (
        "warn a webhook at hooks.example has failed 1 time in a row (it answered with status 500): see /webhooks"
        in lines
    )
    await webhooks.note_post(conn, hook, status=410, error="it answered with status 410")
    lines = await look(conn)
    assert any(line.startswith(NOBODY) for line in lines)
    assert "off a webhook at hooks.example is switched off, last it answered with status 410: see /webhooks" in lines
    assert "hidden" not in str(lines)
    assert "secret-path" not in str(lines)


async def test_doctor_shows_all_of_it(database_url: str) -> None:
    code, output, _ = await run("doctor", DATABASE_URL=database_url)
    assert code == 0
    assert "warn the team has no admin yet: set ADMIN_TOKEN" in output
    assert NOBODY in output
    assert "staff routes" not in output
