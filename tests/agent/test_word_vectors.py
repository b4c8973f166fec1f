from pathlib import Path

import pytest

from agent.word_vectors import WordVectors, embed_built_in, embed_words, find_word_vectors


def cosine(left: str, right: str) -> float:
    first, second = embed_words([left, right])
    assert first is not None
    assert second is not None
    return sum(a * b for a, b in zip(first, second, strict=True))


def test_vectors_have_unit_length_and_the_dimensions_of_the_table() -> None:
    table = find_word_vectors()
    assert table is not None
    vector = table.embed("Where is my invoice?")
    assert vector is not None
    assert len(vector) == table.dimensions
    assert sum(number * number for number in vector) == pytest.approx(1)


@pytest.mark.parametrize(
    ("question", "near", "far"),
    [
        ("our supplier sent a bill", "invoice of a vendor", "weather in the mountains"),
        ("I lost my mobile", "phone was stolen", "yearly discount"),
        ("wire money abroad", "international bank transfer", "keyboard shortcuts"),
    ],
)
def test_other_words_for_the_same_are_nearer_than_words_for_something_else(question: str, near: str, far: str) -> None:
    assert cosine(question, near) > cosine(question, far) + 0.1


def test_case_accents_and_apostrophes_do_not_matter() -> None:
    assert cosine("CAFE don't", "café don’t") == pytest.approx(1)


@pytest.mark.parametrize("text", ["", "   ", "?!", "請求書", "\x00"])
def test_a_text_without_known_words_has_no_vector(text: str) -> None:
    assert embed_words([text]) == [None]
    assert embed_built_in([text], [1.0]) is None


def test_an_earlier_turn_draws_the_query_as_far_as_it_weighs() -> None:
    alone = embed_built_in(["and on the phone?"], [1.0])
    led = embed_built_in(["and on the phone?", "How do I export a board?"], [1.0, 0.6])
    wanted = embed_words(["export a board"])[0]
    assert alone is not None
    assert led is not None
    assert wanted is not None
    assert sum(a * b for a, b in zip(led[1], wanted, strict=True)) > sum(
        a * b for a, b in zip(alone[1], wanted, strict=True)
    )


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.bin").write_bytes(b"something else\n")
    with pytest.raises(ValueError, match="Expecting value"):
        WordVectors(tmp_path / "table.bin")
