from hypothesis import given
from hypothesis import strategies as st

from db.passages import MAX_WORDS, count_words, split_passages

LONG = " ".join(["word"] * 60) + "."


def test_a_heading_begins_a_new_passage() -> None:
    passages = split_passages(f"{LONG}\n\n## Export\n{LONG}\n\n### As CSV\n{LONG}")
    assert [heading for heading, _ in passages] == ["", "Export", "Export: As CSV"]


def test_sections_of_a_few_words_stay_together_with_their_headings() -> None:
    [(heading, text)] = split_passages("## Free\n1 GB.\n\n## Pro\n10 GB.")
    assert heading == "Free; Pro"
    assert text == "## Free\n\n1 GB.\n\n## Pro\n\n10 GB."


def test_a_step_list_is_never_cut_however_long_it_is() -> None:
    steps = "\n".join(f"{number}. {LONG}" for number in range(1, 9))
    texts = [text for _, text in split_passages(f"{LONG}\n\nTo do it:\n\n{steps}\n\n{LONG}")]
    [holding] = [text for text in texts if "1. word" in text]
    assert steps in holding
    assert "To do it:" in holding


def test_steps_go_on_after_a_remark_between_them() -> None:
    body = f"{LONG * 3}\n\n1. Open it.\n\nNote: {LONG}\n\n2. {LONG}\n   {LONG}\n\n3. Close it.\n\n{LONG}"
    [holding] = [text for _, text in split_passages(body) if "1. Open it." in text]
    assert "3. Close it." in holding


def test_a_number_sign_in_code_is_no_heading() -> None:
    [(heading, text)] = split_passages("Run this:\n\n```\n# comment\n1. not a step\n```")
    assert heading == ""
    assert "# comment" in text


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    texts = [text for _, text in split_passages(" ".join([LONG] * 7))]
    assert len(texts) > 1
    assert all(text.endswith(".") and count_words(text) <= MAX_WORDS for text in texts)


LINES = ["## A", "plain words", "1. step", "2. step", "- point", "", "```", "| a |", "   more"]


@given(st.lists(st.sampled_from(LINES)))
def test_no_word_is_lost(lines: list[str]) -> None:
    body = "\n".join([*lines, "last words"])
    kept = "\n".join(f"{heading}\n{text}" for heading, text in split_passages(body))
    for line in lines:
        assert line.strip("# ") in kept
    assert "last words" in kept
