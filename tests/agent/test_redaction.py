"""Promises about texts that leave the desk for other eyes: no private value, no name of whoever wrote."""

import json

import pytest

from agent.redaction import Redaction

PRIVATE = {
    "EMAIL": "otto.quist@example.org",
    "PHONE": "+49 151 23456789",
    "CARD": "4111 1111 1111 1111",
    "IBAN": "DE89 3704 0044 0532 0130 00",
}


def hide(text: str, *names: str) -> str:
    return Redaction("a conversation", names).hide_text(text)


@pytest.mark.parametrize(("kind", "value"), PRIVATE.items())
def test_a_private_value_is_replaced_wherever_it_stands(kind: str, value: str) -> None:
    redaction = Redaction("a conversation", ())
    row = {"note": f"write to {value}", "deep": [{"body": value}], value: 1, "category": value}
    hidden = json.dumps(redaction.hide(row))
    assert value not in hidden
    assert hidden.count(f"<{kind}_") == 4
    assert value not in redaction.hide_json(json.dumps(row))
    assert value not in redaction.hide_json(f"no JSON: {value}")


def test_the_same_value_has_the_same_placeholder_in_a_conversation_and_another_one_in_another() -> None:
    first, second = Redaction("one", ()), Redaction("two", ())
    assert first.hide_text(PRIVATE["EMAIL"]) == Redaction("one", ()).hide_text(f"{PRIVATE['EMAIL']}")
    assert first.hide_text(PRIVATE["EMAIL"]) != second.hide_text(PRIVATE["EMAIL"])


@pytest.mark.parametrize(
    ("name", "text", "hidden"),
    [
        ("Ana Lima", "Ana Lima here. ANA  lima! ana; Lima's board", "<NAME> here. <NAME>! <NAME>; <NAME>'s board"),
        ("Ana Lima", "Banana and climate", "Banana and climate"),
        ("José Peña", "jose pena, JOSÉ", "<NAME>, <NAME>"),
        ("Bo Li", "Bo and Li wrote: lift the box, bo", "<NAME> and <NAME> wrote: lift the box, bo"),
        ("Q. Tarn", "Q. Tarn, and a Q", "<NAME>, and a Q"),
        ("Anne-Marie O'Neil", "Anne-Marie O'Neil, anne-marie", "<NAME>, <NAME>"),
        ("王伟", "我是王伟，你好", "我是<NAME>，你好"),
        ("Ольга", "Меня зовут ольга.", "Меня зовут <NAME>."),
        ("Email Card", "my email is x@y.example", "my <NAME> is <EMAIL_"),
        ("", "Nobody", "Nobody"),
        ("otto@quist.example", "otto and the example", "otto and the example"),
    ],
)  # fmt: skip
def test_a_name_is_replaced_in_any_case_and_nothing_else_is(name: str, text: str, hidden: str) -> None:
    assert hide(text, name).startswith(hidden)


def test_words_of_ours_and_times_stay_although_they_are_somebodys_name() -> None:
    row = {"category": "billing", "kind": "answer", "at": "2026-11-20T12:34:56.123456+00:00", "due": "2026-11-20"}
    assert Redaction("a conversation", ["Answer Billing"]).hide(row) == row


def test_what_only_looks_like_a_placeholder_cannot_be_taken_for_one() -> None:
    assert "<EMAIL_0001>" not in hide("I am <EMAIL_0001>")
