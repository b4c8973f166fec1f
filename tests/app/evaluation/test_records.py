"""A file of tickets is read as a whole or refused with the place of its first mistake."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.evaluation.records import UnreadableTickets, read_tickets

TICKET: dict[str, Any] = {
    "id": "A-1", "group": "A", "channel": "whatsapp", "customer": {"ref": "c", "plan": "pro"}, "lang": "en",
    "turns": [{"raw": "How do I export?", "expect": {"category": ["technical"], "facts": [["CSV"]]}}],
}  # fmt: skip


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_one_word_may_stand_for_a_list_of_one(tmp_path: Path) -> None:
    turn = {"raw": "Hi", "expect": {"category": "general", "facts": ["CSV"], "state": {"ticket.status": "answered"}}}
    [ticket] = read_tickets(write(tmp_path / "t.jsonl", TICKET | {"turns": [turn]}))
    expect = ticket.turns[0].expect
    assert (ticket.turns[0].raw, expect.category, expect.facts) == (["Hi"], ["general"], [["CSV"]])
    assert expect.state.ticket_status == ["answered"]


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"group": "Z"}, "line 2, group: input should be"),
        ({"channel": "fax"}, "line 2, channel: input should be"),
        ({"turns": []}, "line 2, turns: list should have at least 1"),
        ({"chanel": "web"}, "line 2, chanel: is not a field we know, did you mean channel?"),
        (
            {"turns": [{"raw": "Hi", "expect": {"factz": [["a"]]}}]},
            "line 2, turns.0.expect.factz: is not a field we know, did you mean facts?",
        ),
        (
            {"turns": [{"raw": "Hi", "expect": {"facts": [["(CSV"]]}}]},
            "line 2, turns.0.expect.facts.0.0: value error, is no regular expression",
        ),
        ({"turns": [{"raw": "Hi", "expect": {"category": ["tech"]}}]}, "line 2, turns.0.expect.category.0"),
        ({"id": "A-1"}, "line 2, id: A-1 was there before"),
        ({"customer": {"history": ["B-9"]}}, "A-2, customer.history: there is no ticket B-9"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_field(tmp_path: Path, changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UnreadableTickets) as refused:
        read_tickets(write(tmp_path / "t.jsonl", TICKET, TICKET | {"id": "A-2"} | changed))
    assert complaint in str(refused.value)


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("{not json")
    with pytest.raises(UnreadableTickets, match="line 1, the object: invalid JSON"):
        read_tickets(tmp_path / "t.jsonl")


def test_the_tickets_of_the_project_can_be_read() -> None:
    tickets = read_tickets(Path(__file__).parents[2] / "evals" / "tickets.jsonl")
    assert len(tickets) >= 120
    assert {ticket.group for ticket in tickets} == set("ABCDEFG")
