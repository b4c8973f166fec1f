"""Promises about "Why did it say that": a colleague who wrote none of this reads what was done, and why not."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from app.why import explain_step
from db.conversations import Step


def make_step(name: str, arguments: str, **result: Any) -> Step:
    call = {"type": "tool_call", "id": "c1", "name": name, "arguments": arguments}
    told = [{"call_id": "c1", "output": "{}"} | result]
    return Step(uuid4(), 1, "m", [call], told, [], [], {}, None, 1.0, None, None, datetime.now(UTC))


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("search_knowledge_base", '{"query": "export a board"}', "It searched the articles for “export a board”."),
        (
            "escalate_to_human",
            '{"reason_code": "asked_for_a_person", "category": "billing"}',
            "It handed the conversation over: asked for a person.",
        ),
        ("send_response", '{"kind": "clarifying_question", "body": "{x}"}', "It wrote a reply: clarifying question."),
        ("send_response", '{"kind": ', "It called send_response."),
        ("send_response", "[1]", "It called send_response."),
        ("an_unknown_tool", "{}", "It called an_unknown_tool."),
    ],
)
def test_a_call_is_told_in_words_and_stands_below_them_as_it_was_made(name: str, arguments: str, words: str) -> None:
    [act] = explain_step(make_step(name, arguments)).did
    assert (act.words, act.call) == (words, f"{name} {arguments}")


def test_what_was_refused_says_why() -> None:
    refused = make_step("get_customer_history", "{}", refused=True, output='{"error": {"code": "not_proven"}}')
    [act] = explain_step(refused).did
    assert act.words == "It read what this customer wrote before. That was refused: not proven."
