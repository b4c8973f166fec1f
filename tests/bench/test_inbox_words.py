"""What the customers of the bench write: varied, of the promised length, and the same for the same seed."""

from bench.inbox_words import SHORTEST, choose_searched, cut_texts


def test_texts_are_40_to_400_characters_and_varied() -> None:
    texts = cut_texts(2_000, 1)
    assert all(SHORTEST <= len(text) <= 400 for text in texts)
    assert len(set(texts)) > 1_900
    assert not any(text != text.strip() for text in texts)


def test_the_same_seed_gives_the_same_texts_and_another_one_others() -> None:
    assert cut_texts(50, 1) == cut_texts(50, 1) != cut_texts(50, 2)


def test_words_are_chosen_by_how_many_texts_they_are_in() -> None:
    texts = [f"we are always {'often' if n % 100 == 0 else ''} {'once' if n == 0 else ''}" for n in range(1_000)]
    searched = choose_searched(texts)
    assert searched.common in ("we", "are", "always")
    assert (searched.hundredth, searched.thousandth, searched.phrase) == ("often", "once", "we are always")
