"""What a reply may say in other words than its source."""

from agent.nearness import REMEMBERED, list_near_stems, read_vector
from agent.words import stem_word


def test_a_word_that_means_what_a_known_one_does_is_near_it_and_another_is_not() -> None:
    near = list_near_stems(["buy", "weather"], frozenset(), ["purchase", "invoice"])
    assert near == {stem_word("buy")}


def test_words_whose_stems_are_known_are_not_asked_for() -> None:
    assert list_near_stems(["bills"], frozenset({stem_word("bills")}), ["invoice"]) == frozenset()


def test_words_no_table_knows_are_near_nothing() -> None:
    assert list_near_stems(["請求書"], frozenset(), ["invoice"]) == frozenset()
    assert list_near_stems(["bill"], frozenset(), ["請求書"]) == frozenset()
    assert list_near_stems([], frozenset(), []) == frozenset()


def test_words_of_customers_do_not_pile_up_in_memory() -> None:
    list_near_stems((f"word{number}" for number in range(REMEMBERED + 500)), frozenset(), ["invoice"])
    assert read_vector.cache_info().currsize <= REMEMBERED
