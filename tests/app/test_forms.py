from typing import Any, get_args

import pytest

from agent import brief
from agent.policy import REASONS
from app import forms
from app.forms import InvalidInput, Submission, check, check_key
from tests.app.desk import FORM

BAD = [
    ("name", ""), ("name", "   "), ("name", "\u200b"), ("name", "a\x00b"), ("name", "a\nb"), ("name", "a\u2028b"),
    ("name", "x" * 201), ("name", 5), ("name", None), ("name", ["a"]),
    ("email", ""), ("email", "ana"), ("email", "ana@"), ("email", "@example.com"), ("email", "ana@localhost"),
    ("email", "a b@example.com"), ("email", "ana@exa mple.com"), ("email", "ana@-x.com"), ("email", "ana@x..com"),
    ("email", "ana..b@example.com"), ("email", "ana@example.com\nBcc: x@y.z"), ("email", "<ana@example.com>"),
    ("email", "ana@127.0.0.1"), ("email", "a" * 250 + "@b.co"), ("email", "a" * 65 + "@b.co"),
    ("subject", ""), ("subject", "x" * 201), ("subject", "a\r\nBcc: b"),
    ("message", ""), ("message", "\n \t"), ("message", "\u200b\u2060"), ("message", "a\x00"), ("message", "a\x07"),
    ("message", "a\x85b"), ("message", "x" * 10_001), ("message", "a\ud800"), ("message", {"a": 1}),
    ("category", "nonsense"), ("category", 3), ("plan", "x" * 41), ("plan", "a\x00"), ("plan", {}),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), BAD)
def test_bad_field_is_named_and_its_value_is_not_repeated(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check(Submission, FORM | {field: value})
    [error] = refusal.value.errors
    assert error.field == field
    assert error.message.endswith(".")
    assert "\x00" not in error.message


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(InvalidInput) as refusal:
        check(Submission, {})
    assert [error.field for error in refusal.value.errors] == ["name", "email", "subject", "message"]


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "李小龍"}, {"name": "🎉"}, {"email": "ünï@exämple.com"}, {"email": "a+b@sub.example.co.uk"},
        {"message": "x" * 10_000}, {"message": "🎉" * 10_000}, {"message": "a\tb\nc"}, {"plan": ""}, {"category": " "},
        {"message": "a\r\n" * 4_999 + "ok"},
    ],
)  # fmt: skip
def test_unusual_but_good_input_is_taken(changed: dict[str, Any]) -> None:
    check(Submission, FORM | changed)


def test_what_is_stored_is_normalised() -> None:
    form = check(Submission, FORM | {"email": " Ana@Example.COM ", "message": "a\r\nb\rc ", "name": "Jose\u0301"})
    assert (form.email, form.message, form.name) == ("ana@example.com", "a\nb\nc", "Jos\u00e9")


@pytest.mark.parametrize("key", ["a b", "x" * 201, "schl\u00fcssel", "a\nb"])
def test_idempotency_key_is_short_visible_ascii(key: str) -> None:
    with pytest.raises(InvalidInput):
        check_key(key)


def test_what_may_be_corrected_is_what_the_agent_judges() -> None:
    assert set(get_args(forms.Category)) == set(get_args(brief.Category))
    assert set(get_args(forms.Mood)) == set(get_args(brief.Label))
    assert set(get_args(forms.Reason)) == {"none", *REASONS}
