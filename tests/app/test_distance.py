"""Promises about how much of a draft was changed: nothing is nothing, and however long a text is, a change is seen."""

import pytest

from app.routes.thread import MOST_COMPARED, measure_distance

LONG = [f"word{number}" for number in range(5 * MOST_COMPARED)]


@pytest.mark.parametrize("words", [[], LONG[:5], LONG], ids=["empty", "short", "long"])
def test_a_text_that_was_only_laid_out_anew_is_unchanged(words: list[str]) -> None:
    assert measure_distance(" ".join(words), "\n\n".join(words)) == 0


@pytest.mark.parametrize("at", [0, MOST_COMPARED, len(LONG) - 1])
def test_one_word_changed_anywhere_in_a_long_text_is_a_small_change(at: int) -> None:
    changed = [*LONG[:at], "another", *LONG[at + 1 :]]
    assert 0 < measure_distance(" ".join(LONG), " ".join(changed)) < 0.01


def test_what_was_changed_beyond_the_words_that_are_compared_in_their_order_counts() -> None:
    half = len(LONG) // 2
    changed = ["first", *LONG[1:half], *(f"new{number}" for number in range(half))]
    assert measure_distance(" ".join(LONG), " ".join(changed)) == pytest.approx(0.5, abs=0.01)
    assert measure_distance(" ".join(LONG), " ".join(reversed(LONG))) > 0
    assert measure_distance("Yes, it is.", "No.") == 1


def test_the_same_words_over_and_over_are_measured_too() -> None:
    assert 0 < measure_distance("a b " * 2_500, "b c " * 2_500) < 1
