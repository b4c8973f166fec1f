"""The command that exports turns and runs them again, as people use it."""

import argparse
import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from agent.models.base import Reasoning
from agent.models.scripted import ScriptedModel
from app.commands import turn as command
from app.settings import Settings
from db.pool import Connection, Pool
from tests.app.desk import make_settings
from tests.app.test_command_line import run
from tests.fakes import call, claim_one, make_runner, reply_with, search_for, submit, write_again

REPLAYS = Path(__file__).parents[1] / "replays"
PLANTED = ("otto.quist@example.org", "+49 151 23456789", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00")
NAMES = ("Ana", "Lima", "Quentin")


@pytest.fixture
def settings(database_url: str) -> Settings:
    return make_settings(DATABASE_URL=database_url)


async def play(settings: Settings, *words: object) -> int:
    """The exit code of the command."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return await command.run(parser.parse_args([str(word) for word in words]), settings)


async def answer(pool: Pool, *steps: Any) -> None:
    await make_runner(pool, ScriptedModel(steps)).run(await claim_one(pool))


async def find_turn(conn: Connection) -> str:
    return str(await conn.fetchval("select id from turns order by started_at desc limit 1"))


async def plant(pool: Pool, conn: Connection) -> str:
    """Private values in what was said, found, told by tools and noted for a colleague; the id of the last turn."""
    private = ", ".join(PLANTED)
    await conn.execute("update escalation_routes set assignee = 'Quentin'")
    reference = await submit(conn, f"I am Ana Lima: {private}. Where is my board?", email=PLANTED[0])
    await answer(pool, reply_with("Ana, where did you look?", kind="clarifying_question"))
    await write_again(conn, reference, f"Everywhere. Call lima: {PLANTED[1]}")
    await conn.execute("update tickets set subject = $1", f"Board of Ana Lima, {private}")
    secret = Reasoning("scripted", {"type": "reasoning", "encrypted_content": "sealed words"})
    await answer(
        pool,
        [secret, *search_for(f"board of ana lima {private}")],
        call("get_customer_history", scope="all"),
        call("no_such_tool", **{PLANTED[0]: private}),
        call(
            "escalate_to_human", category="technical", reason_code="no_answer", priority="high",
            handoff_note=f"Ana Lima ({private}) misses a board.", customer_message="A colleague takes over.",
        ),
    )  # fmt: skip
    return await find_turn(conn)


async def test_an_exported_turn_holds_no_private_value_and_no_name(
    settings: Settings, pool: Pool, conn: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await play(settings, "export", await plant(pool, conn)) == 0
    output = capsys.readouterr().out
    assert [len(step["results"]) for step in json.loads(output)["steps"]] == [1, 1, 1, 1]
    assert "misses a board" in output
    for value in (*PLANTED, *(value.replace(" ", "") for value in PLANTED), "encrypted_content", "sealed"):
        assert value not in output
    for name in NAMES:
        assert not re.search(rf"\b{name}\b", output, re.IGNORECASE)
    for kind in ("<EMAIL_", "<PHONE_", "<CARD_", "<IBAN_", "<NAME>"):
        assert kind in output


async def test_the_same_turn_is_exported_in_the_same_bytes_and_goes_the_same_way_again(
    settings: Settings, pool: Pool, conn: Connection, tmp_path: Path
) -> None:
    turn = await plant(pool, conn)
    files = [tmp_path / "first.json", tmp_path / "second.json"]
    for file in files:
        assert await play(settings, "export", turn, "--out", file) == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    assert await run("turn", "replay", str(files[0])) == (0, "1 of 1 turns are identical\n", "")


async def test_what_a_turn_was_given_is_rebuilt_as_it_was_although_the_customer_has_changed_since(
    settings: Settings, pool: Pool, conn: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = await submit(conn, "How do I export?", plan="pro")
    await answer(pool, reply_with("Which plan are you on?", kind="clarifying_question"))
    await write_again(conn, reference, "On Pro.")
    await answer(pool, reply_with("Thank you."))
    turn = await find_turn(conn)
    await conn.execute("update conversations set plan = 'free', subject = 'x', trust = 4, context_from = now()")
    await write_again(conn, reference, "Still there?")
    await answer(pool, reply_with("Yes."))
    assert await play(settings, "export", turn) == 0
    brief = json.loads(capsys.readouterr().out)["brief"]
    assert (brief["plan"], brief["subject"], brief["trust"]) == ("pro", "A question", 0)
    assert [line["text"] for line in brief["history"]] == ["How do I export?", "Which plan are you on?"]
    assert [(line["ref"], line["text"]) for line in brief["burst"]] == [("m3", "On Pro.")]


async def test_a_conversation_is_exported_as_its_turns_in_order(
    settings: Settings, pool: Pool, conn: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = await submit(conn, "Hello there")
    await answer(pool, reply_with("Hello."))
    await write_again(conn, reference, "Where is my board?")
    await answer(pool, reply_with("In its folder?", kind="clarifying_question"))
    talk, file = await conn.fetchval("select id from conversations"), tmp_path / "talk.json"
    assert await play(settings, "export", "--conversation", talk, "--out", file) == 0
    assert [one["end"]["terminal"]["body"] for one in json.loads(file.read_text())] == ["Hello.", "In its folder?"]
    assert await play(settings, "replay", file) == 0
    assert capsys.readouterr().out == "2 of 2 turns are identical\n"


async def test_a_turn_that_cannot_be_exported_is_told_with_the_reason(
    settings: Settings, pool: Pool, conn: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    await submit(conn, "Hello there")
    await answer(pool, reply_with("Hello."))
    turn = await find_turn(conn)
    for change, reason in (
        ("update turns set brief = brief #- '{brief,trust}'", "cannot be read"),
        ("delete from messages where direction = 'inbound'", "no longer stored"),
        ("update turns set brief = null", "older than the version"),
        ("update turns set outcome = 'silent'", "no such turn"),
    ):
        await conn.execute(change)
        assert await play(settings, "export", turn) == 1
        [complaint] = capsys.readouterr().err.splitlines()
        assert reason in complaint
    assert await play(settings, "export", uuid4()) == 1
    assert await play(settings, "export") == 2
    assert await play(settings, "export", turn, "--conversation", uuid4()) == 2


async def test_the_exit_code_says_whether_all_files_are_identical_and_the_first_difference_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad, broken = REPLAYS / "greeting.json", tmp_path / "bad.json", tmp_path / "broken.json"
    turn = json.loads((REPLAYS / "limit_steps.json").read_text())
    turn["limits"]["steps"] = 2
    bad.write_text(json.dumps(turn))
    broken.write_text("{")
    assert await play(make_settings(), "replay", bad, good) == 1
    output = capsys.readouterr().out
    assert "step 3 (primary): recorded search_knowledge_base" in output
    assert "1 of 2 turns are identical" in output
    for file in (broken, tmp_path / "missing.json"):
        assert await play(make_settings(), "replay", good, file) == 2
        told = capsys.readouterr()
        assert (told.out, file.name in told.err) == ("", True)
