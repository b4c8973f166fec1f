"""The command as people use it: whole tickets on a real Postgres, in databases that are gone afterwards."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.commands import eval as command
from app.evaluation.records import Ticket
from app.evaluation.scratch import open_scratch
from app.evaluation.trial import play_ticket
from app.settings import Settings
from db.pool import open_connection
from db.scratch import create_database, drop_database
from tests.app.desk import make_settings

MAIL = """From: Ana Lima <ana@example.com>\r
To: support@tidefern.example\r
Subject: Two questions\r
Message-ID: <{id}@mail.example.com>\r
{more}\r
{text}\r
"""
EXPORT = "How many projects can be exported at once on the Pro plan?"
ANSWER_TO_US = "In-Reply-To: <{last_message_id}>\r\nReferences: <{last_message_id}>\r\n"
DISPUTE = "You charged me twice in October. I want my money back."
FREE = {"ref": "c-2", "plan": "free", "name": "Ben Okafor"}


def make_ticket(name: str, channel: str, *turns: dict[str, Any], **more: Any) -> dict[str, Any]:
    customer = {"ref": "c-1", "plan": "pro", "name": "Ana Lima"}
    return {"id": name, "group": name[0], "channel": channel, "customer": customer, "turns": list(turns)} | more


ANSWERED = {"escalate": "must_not", "docs": [["export-pro"]], "facts": [["20 projects"]], "state": {"messages_out": 1}}
TICKETS = [
    make_ticket("A-1", "web", {"raw": EXPORT, "subject": "Export", "expect": ANSWERED}),
    make_ticket("A-2", "whatsapp", {"raw": ["hi there,", EXPORT], "expect": ANSWERED}),
    make_ticket(
        "B-1", "email",
        {"raw": MAIL.format(id="a1", more="", text=EXPORT), "expect": ANSWERED},
        {
            "raw": MAIL.format(id="a2", more=ANSWER_TO_US, text=DISPUTE),
            "expect": {"escalate": "must", "team": "billing", "category": "billing", "reason": "billing_dispute"},
        },
    ),
]  # fmt: skip


@pytest.fixture
def settings(server_url: str, tmp_path: Path) -> Settings:
    """A desk on a server where databases may be created, without an embedding model."""
    return make_settings(DATABASE_URL=server_url, EMBEDDINGS="off", STATE_FOLDER=str(tmp_path))


def write(path: Path, tickets: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(ticket) for ticket in tickets))
    return path


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(list(words))


async def list_databases(server_url: str) -> set[str]:
    conn = await open_connection(server_url)
    try:
        return {row["datname"] for row in await conn.fetch("select datname from pg_database")}
    finally:
        await conn.close()


async def test_tickets_of_three_channels_are_played_and_scored(
    settings: Settings, server_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = await list_databases(server_url)
    file, kept = write(tmp_path / "t.jsonl", TICKETS), tmp_path / "kept.json"
    assert await command.run(parse(str(file), "--runs", "2", "--out", str(kept)), settings) == 0
    result = json.loads(kept.read_text())
    assert {one["id"]: one["failures"] for one in result["tickets"] if not one["passed"]} == {}
    assert len(result["tickets"]) == 6
    assert [turn["outcomes"] for turn in result["tickets"][-1]["turns"]] == [["answered"], ["escalated"]]
    shares = {(one["agent"], one["group"]): one["pass_1"]["share"] for one in result["summaries"]}
    assert (shares["agent", "all"], shares["always hand over", "A"]) == (1.0, 0.0)
    assert "paste the top passage" in capsys.readouterr().out
    assert await list_databases(server_url) == before


async def test_what_came_out_otherwise_is_told_and_compared(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = make_ticket("A-1", "web", {"raw": EXPORT, "subject": "Export", "expect": {"facts": [["30 projects"]]}})
    kept = tmp_path / "kept.json"
    earlier = {"at": "2026-11-21T10:00", "models": "x", "tickets": [{"id": "A-1", "passed": True, "failures": []}]}
    kept.write_text(json.dumps(earlier))
    words = (str(write(tmp_path / "t.jsonl", [wrong])), "--no-baselines", "--compare", str(kept))
    assert await command.run(parse(*words), settings) == 0
    said = capsys.readouterr().out
    assert "turn 1, facts: does not say 30 projects" in said
    assert "worse: A-1" in said
    [stored] = (tmp_path / "evals").iterdir()
    assert str(stored) in said


async def test_every_ticket_begins_on_untouched_ground_with_the_plan_of_its_customer(settings: Settings) -> None:
    ask = {"raw": "How many projects can be exported at once?"}
    async with open_scratch(settings, is_offline=True) as scratch:
        for customer, slug in ((TICKETS[0]["customer"], "export-pro"), (FREE, "export-free")):
            ticket = Ticket.model_validate(make_ticket("A-1", "whatsapp", ask, customer=customer))
            async with scratch.open_desk() as desk:
                [seen] = await play_ticket(desk, ticket)
            assert (seen.metrics, seen.all_replies) == (1, 1)
            assert slug in {one for reply in seen.replies for one in reply.slugs}


async def test_what_a_killed_evaluation_left_is_gone_a_day_later_and_nothing_else(
    settings: Settings, server_url: str
) -> None:
    old, young = "deskhand_eval_20200101000000_0123abcd", f"deskhand_eval_{datetime.now(UTC):%Y%m%d%H%M%S}_0123abcd"
    others = {young, "deskhand_eval_2020", "eval_20200101000000_0123abcd"}
    admin = await open_connection(server_url)
    try:
        for name in (old, *others):
            await create_database(admin, name)
        async with open_scratch(settings, is_offline=True):
            assert await list_databases(server_url) & {old, *others} == others
    finally:
        for name in (old, *others):
            await drop_database(admin, name)
        await admin.close()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["missing.jsonl"], "cannot be read"),
        (["{file}", "--group", "D"], "there is no ticket of group D"),
        (["{file}", "--runs", "0"], "--runs must be 1 or more"),
        (["{file}", "--compare", "{file}"], "is not a result of eval"),
        (["{file}", "--out", "{file}/below.json"], "no result can be written there"),
    ],
)
async def test_wrong_use_is_told_before_anything_is_done(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    file = write(tmp_path / "t.jsonl", TICKETS)
    given = [word.format(file=file) for word in words]
    assert await command.run(parse(*given), settings) == 2
    assert complaint in capsys.readouterr().err
