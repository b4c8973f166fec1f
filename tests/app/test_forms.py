from typing import Any, get_args

import pytest
from pydantic import BaseModel

from agent import brief
from agent.policy import REASONS
from app import forms
from app.article_forms import ArticleForm
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


@pytest.mark.parametrize(("field", "most"), [("name", 200), ("subject", 200), ("message", 10_000), ("plan", 40)])
def test_whoever_writes_too_much_is_told_how_much_there_may_be(field: str, most: int) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check(Submission, FORM | {field: "x" * (most + 1)})
    assert refusal.value.errors[0].message == f"Please use at most {most:,} characters."


def most(characters: str) -> str:
    return f"Please use at most {characters} characters."


EMPTY, TEXT, ID = "Please fill this in.", "Please send text.", "Please send an id."
WHOLE = "Please send a whole number."
TOPIC = "Please choose one of 'billing', 'technical', 'account', 'security', 'legal', 'feedback' or 'general'."
MOOD = "Please choose one of 'positive', 'neutral', 'negative' or 'angry'."
REASON = (
    "Please choose one of 'none', 'human_wanted', 'billing_dispute', 'legal', 'security', 'account_deletion', "
    "'safety', 'data_loss', 'outage', 'churn_risk', 'anger' or 'repeated_failure'."
)
MODE = "Please choose one of 'off', 'draft' or 'auto'."
TOLD: dict[tuple[type[BaseModel], str], tuple[str, str | None, str]] = {
    (forms.Assignment, "assignee"): (most("254"), None, TEXT),
    (forms.Autonomy, "channel"): (most("40"), EMPTY, TEXT),
    (forms.Autonomy, "category"): (TOPIC, EMPTY, TOPIC),
    (forms.Autonomy, "mode"): (MODE, EMPTY, MODE),
    (forms.Canned, "message"): (most("10,000"), EMPTY, TEXT),
    (forms.Canned, "name"): (most("80"), EMPTY, TEXT),
    (forms.Canned, "was"): (most("80"), None, TEXT),
    (forms.CannedName, "name"): (most("80"), EMPTY, TEXT),
    (forms.Correction, "category"): (TOPIC, EMPTY, TOPIC),
    (forms.Correction, "sentiment"): (MOOD, EMPTY, MOOD),
    (forms.Correction, "reason"): (REASON, EMPTY, REASON),
    (forms.FollowUp, "message"): (most("10,000"), EMPTY, TEXT),
    (forms.Note, "message"): (most("10,000"), EMPTY, TEXT),
    (forms.PersonAnswer, "message"): (most("10,000"), EMPTY, TEXT),
    (forms.PersonAnswer, "seen"): (WHOLE, None, WHOLE),
    (forms.PersonAnswer, "draft"): (ID, None, ID),
    (forms.Rejection, "draft"): (ID, EMPTY, ID),
    (forms.SelfTest, "message"): (most("10,000"), None, TEXT),
    (forms.SelfTest, "timeout_seconds"): ("Please send a number.", None, "Please send a number."),
    (forms.Seen, "seen"): (WHOLE, None, WHOLE),
    (forms.Snooze, "seen"): (WHOLE, None, WHOLE),
    (forms.Snooze, "hours"): (WHOLE, EMPTY, WHOLE),
    (forms.Sorting, "category"): (TOPIC, EMPTY, TOPIC),
    (forms.Sorting, "priority"): (WHOLE, EMPTY, WHOLE),
    (forms.Sorting, "tags"): (most("400"), None, TEXT),
    (Submission, "name"): (most("200"), EMPTY, TEXT),
    (Submission, "email"): (most("254"), EMPTY, TEXT),
    (Submission, "subject"): (most("200"), EMPTY, TEXT),
    (Submission, "message"): (most("10,000"), EMPTY, TEXT),
    (Submission, "category"): (TOPIC, None, TOPIC),
    (Submission, "plan"): (most("40"), None, TEXT),
    (forms.Undo, "reply"): (ID, EMPTY, ID),
}
"""What is said of 10,001 letters, of nothing (None: it may be left out), and of what is no text, by form and field."""


def find_words(form: type[BaseModel], name: str, values: dict[str, Any]) -> str | None:
    """What is said of this field; None: nothing."""
    try:
        check(form, values)
    except InvalidInput as refusal:
        return next((error.message for error in refusal.errors if error.field == name), None)
    return None


@pytest.mark.parametrize(("form", "name"), TOLD)
def test_every_kind_of_mistake_is_told_in_its_own_words(form: type[BaseModel], name: str) -> None:
    too_long, missing, wrong_kind = TOLD[form, name]
    assert find_words(form, name, {name: "x" * 10_001}) == too_long
    assert find_words(form, name, {}) == missing
    assert find_words(form, name, {name: {"a": 1}}) == wrong_kind


def test_the_words_of_every_form_are_known() -> None:
    own = [one for one in vars(forms).values() if isinstance(one, type) and issubclass(one, BaseModel)]
    fields = {(form, name) for form in own for name in form.model_fields}
    assert fields == set(TOLD)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.05, "Please send a number of at least 0.1."), (61, "Please send a number of at most 60."),
        (float("nan"), "Please send a number."), (True, "Please send a number."),
    ],
)  # fmt: skip
def test_a_number_out_of_bounds_is_told_the_bound(seconds: float, words: str) -> None:
    assert find_words(forms.SelfTest, "timeout_seconds", {"timeout_seconds": seconds}) == words


@pytest.mark.parametrize("count", ["9" * 12, 10**12, "9" * 401])
def test_a_count_nobody_reaches_is_refused_in_words(count: object) -> None:
    words = find_words(forms.PersonAnswer, "seen", {"message": "Hello", "seen": count})
    assert words in ("Please send a smaller number.", WHOLE)


def test_a_mistake_nobody_foresaw_is_told_nothing_untrue() -> None:
    assert forms.explain("set_type", {}) == "This cannot be taken as it is. Please look at it again."


@pytest.mark.parametrize("form", [forms.PersonAnswer, forms.Note, ArticleForm])
def test_whoever_of_the_team_writes_nothing_is_told_to_fill_it_in(form: type[BaseModel]) -> None:
    name = "body" if form is ArticleForm else "message"
    assert find_words(form, name, {name: " \n"}) == EMPTY


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
