"""Labelled examples as a classifier: what it says of its own examples, of new texts, and why."""

import pytest

from agent.classify import Classifier
from agent.fit import CATEGORIES, Fit, digest_examples
from db.examples import Example, read_shipped
from tests.shipped import load_classifier


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier()


def example(text: str, category: str = "technical", *reasons: str, sentiment: str = "neutral") -> Example:
    return Example(1, text, "en", category, sentiment, reasons, information_only=False)


SMALL = [
    example("I was charged twice for May", "billing", "billing_dispute", sentiment="negative"),
    example("You charged my card twice", "billing", "billing_dispute", sentiment="negative"),
    example("Which cards do you take?", "billing"),
    example("Which currencies do you take?", "billing"),
    example("The board does not load", sentiment="negative"),
    example("The calendar does not load", sentiment="negative"),
    example("How do I export a board?"),
    example("How do I export a calendar?"),
]


def test_an_example_speaks_for_its_own_labels() -> None:
    guess = Classifier.learn(SMALL).classify("I was charged twice for June")
    assert (guess.category, guess.reason) == ("billing", "billing_dispute")
    assert guess.must_see > 0
    assert guess.nearest[0].example.text == "I was charged twice for May"


def test_a_correction_changes_what_messages_like_it_are_taken_for() -> None:
    said = "Please wake the owls"
    before = Classifier.learn([*SMALL, example(said), example("Please wake the bears")])
    after = Classifier.learn(
        [*SMALL, example(said, "legal", "legal"), example("Please wake the bears", "legal", "legal")]
    )
    assert before.classify("please wake the owls today").category == "technical"
    assert after.classify("please wake the owls today").category == "legal"


@pytest.mark.parametrize("text", ["", "🙂", "qxzv", "\x00", "a" * 100_000])
def test_any_text_is_judged(classifier: Classifier, text: str) -> None:
    guess = classifier.classify(text)
    assert guess.category in CATEGORIES
    assert guess.must_see < 0


def test_the_same_text_gives_the_same_guess(classifier: Classifier) -> None:
    text = "the export of my board fails with an error"
    assert classifier.classify(text) == classifier.classify(text)


def test_what_was_learnt_can_be_kept(classifier: Classifier) -> None:
    again = Classifier(classifier.examples, Fit.unpack(classifier.fit.pack()))
    assert again.classify("I want my money back") == classifier.classify("I want my money back")


def test_a_verdict_names_examples_that_speak_for_it(classifier: Classifier) -> None:
    guess = classifier.classify("There are two identical payments from you on my statement")
    assert guess.must_see > 0
    assert any("billing_dispute" in neighbour.example.reasons for neighbour in guess.nearest)
    assert [n.weight for n in guess.nearest] == sorted((n.weight for n in guess.nearest), reverse=True)


def test_meanings_count_beside_words() -> None:
    vectors = [[1.0, 0.0] if row.reasons else [0.0, 1.0] for row in SMALL]
    classifier = Classifier.learn(SMALL, vectors)
    other_words = "some wholly other phrase"
    assert classifier.classify(other_words, [1.0, 0.0]).must_see > classifier.classify(other_words, [0.0, 1.0]).must_see


def test_no_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="examples"):
        Classifier.learn([])


def test_what_was_learnt_of_other_examples_is_not_taken_for_these() -> None:
    relabelled = [*SMALL[1:], example("I was charged twice for May")]
    assert len({digest_examples(SMALL, None), digest_examples(relabelled, None), digest_examples(SMALL, "m")}) == 3


def test_few_harmless_examples_are_handed_over_and_few_grave_ones_missed(classifier: Classifier) -> None:
    shipped = read_shipped()[::5]
    grave = [row for row in shipped if row.reasons]
    harmless = [row for row in shipped if not row.reasons]
    assert sum(classifier.classify(row.text).must_see > 0 for row in grave) >= 0.95 * len(grave)
    assert sum(classifier.classify(row.text).must_see > 0 for row in harmless) <= 0.1 * len(harmless)
