"""What the rules and word lists tell a learner, and that none of it decides."""

from dataclasses import replace

import pytest

from agent.policy import NEVER, REASONS, Reader, find_escalations, join_lines, load_rule
from agent.signs import list_signs
from db.examples import read_shipped

TEN_LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "tr", "ru")


@pytest.mark.parametrize("language", TEN_LANGUAGES)
def test_weak_words_are_there_in_ten_languages_and_never_hand_over_by_themselves(language: str) -> None:
    hinted = 0
    for reason in REASONS:
        weak = replace(load_rule(reason, language), strong=NEVER, topic=NEVER)
        for row in read_shipped()[::10]:
            reader = Reader(join_lines(row.text), (language,), ())
            hinted += bool(weak.hint.search(reader.lines))
            assert not list(weak.find(reader, topics=True, own_case_only=False))
    assert hinted


def test_a_text_of_weak_words_is_marked_but_stays_with_the_agent() -> None:
    text = "Our bookkeeper likes the plan and its price."
    assert find_escalations(text, "en") == ()
    assert "billing_dispute?" in list_signs(text, "en")


@pytest.mark.parametrize(
    ("text", "language", "signs"),
    [
        ("You charged me twice for October.", "en", {"billing_dispute", "own_case", "words:billing"}),
        ("Mein Anwalt meldet sich bei Ihnen.", "de", {"legal"}),
        ("Where do I download the invoice?", "en", {"information", "question", "words:billing"}),
    ],
)
def test_a_sign_has_one_name_in_every_language(text: str, language: str, signs: set[str]) -> None:
    found = list_signs(text, language)
    assert signs <= set(found)
    assert len(found) == len(set(found))
