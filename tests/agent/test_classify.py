"""Labelled examples as a classifier: what it says of its own examples, of new texts, and of none."""

import json
from pathlib import Path

import pytest

from agent.classify import CATEGORIES, Classifier, Example
from agent.policy import find_escalations
from agent.routing import route_message

EXAMPLES = Path(__file__).parents[2] / "agent" / "examples.jsonl"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(EXAMPLES)


def test_an_example_is_its_own_nearest_neighbour(classifier: Classifier) -> None:
    example = classifier.examples[10]
    guess = classifier.classify(example.text)
    assert guess.nearest[0].example.text == example.text
    assert guess.nearest[0].similarity == pytest.approx(1.0)


def test_an_example_left_out_is_not_among_the_nearest(classifier: Classifier) -> None:
    example = classifier.examples[10]
    assert example not in [neighbour.example for neighbour in classifier.classify(example.text, without=10).nearest]


@pytest.mark.parametrize("text", ["", "🙂", "qxzv"])
def test_a_text_like_no_example_is_general_without_a_margin(classifier: Classifier, text: str) -> None:
    guess = classifier.classify(text)
    assert guess.category in CATEGORIES
    assert guess.margin <= 0.3


def test_the_same_text_gives_the_same_guess(classifier: Classifier) -> None:
    text = "the export of my board fails with an error"
    assert classifier.classify(text) == Classifier(classifier.examples).classify(text)


def test_reasons_of_the_nearest_are_shared_out(classifier: Classifier) -> None:
    reasons = dict(classifier.classify("please delete my account and all my data").reasons)
    assert reasons
    assert all(0 < share <= 1.001 for share in reasons.values())


def test_short_names_of_reasons_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "examples.jsonl"
    rows = [{"text": "refund", "category": "billing", "reasons": ["bill"]}, {"text": "export", "category": "technical"}]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    assert Classifier.load(path).examples == (
        Example("refund", "billing", ("billing_dispute",)),
        Example("export", "technical"),
    )


def test_a_category_we_do_not_know_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "examples.jsonl"
    path.write_text('{"text": "x", "category": "sales"}\n')
    with pytest.raises(ValueError, match="sales"):
        Classifier.load(path)


def test_no_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="examples"):
        Classifier([])


def test_routing_is_right_for_most_examples_that_are_left_out(classifier: Classifier) -> None:
    rows = [json.loads(line) for line in EXAMPLES.read_text(encoding="utf-8").splitlines()]
    right = 0
    for position, row in enumerate(rows):
        guess = classifier.classify(row["text"], without=position)
        category, _ = route_message(row["text"], row["lang"], guess, find_escalations(row["text"], row["lang"]))
        right += category == row["category"]
    assert right / len(rows) >= 0.75


def test_what_the_customer_chose_on_the_form_tips_a_close_vote(classifier: Classifier) -> None:
    text = "something about the thing"
    guess = classifier.classify(text)
    plain, _ = route_message(text, "en", guess, ())
    other = next(category for category in CATEGORIES if category != plain)
    hinted = {hint: route_message(text, "en", guess, (), hint)[0] for hint in (plain, other)}
    assert hinted[plain] == plain
