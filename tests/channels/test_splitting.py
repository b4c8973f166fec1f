"""Long texts in pieces: nothing lost, nothing broken, nothing too long."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.graphemes import is_boundary
from channels.splitting import measure, split_text

GRAPHEMES = [
    "a", "Z", "é", "e\u0301", "👍🏽", "\U0001f469\u200d\U0001f469\u200d\U0001f467", "🇧🇷", "\u2764\ufe0f",
    "1\ufe0f\u20e3",
    "क्ष", "नी", "각", "กำ", "日", "。", "ل\u0651", "\u1100\u1161\u11a8", "a\u0308\u0323\u0301",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
]  # fmt: skip
WHOLE = ["https://desk.example.com/tickets/1?x=2&y=(3)", "1,234,567.89", "+44 20 7946 0958", "ana@example.com", "12:30"]
WORDS = ["Hello", "there.", "Yes!", "no", "wörld", "…", "(maybe)", *WHOLE]
GAPS = [" ", " ", " ", "\n", "\n\n", " \n \n", "  "]


@st.composite
def texts(draw: st.DrawFn) -> str:
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=120))
    # letters between, so that two neighbours are never read as one number
    return "".join(word + draw(st.sampled_from(GAPS)) + "so" + draw(st.sampled_from(GAPS)) for word in words)


@given(texts(), st.integers(min_value=60, max_value=200))
def test_words_numbers_and_links_come_through_whole(text: str, limit: int) -> None:
    parts = split_text(text, limit)
    assert all(0 < measure(part) <= limit for part in parts)
    assert [word for part in parts for word in part.split()] == text.split()
    for whole in WHOLE:
        assert sum(part.count(whole) for part in parts) == text.count(whole)


@given(st.lists(st.sampled_from(GRAPHEMES), min_size=1, max_size=200), st.integers(min_value=30, max_value=60))
def test_cut_never_goes_through_a_character(letters: list[str], limit: int) -> None:
    text = "".join(letters)
    parts = split_text(text, limit)
    assert "".join(parts) == text
    assert all(measure(part) <= limit for part in parts)
    ends = {sum(map(len, letters[:count])) for count in range(len(letters) + 1)}
    cut = 0
    for part in parts:
        cut += len(part)
        assert cut in ends


@given(st.text(max_size=300), st.integers(min_value=2, max_value=50))
def test_any_text_loses_nothing_but_white_space(text: str, limit: int) -> None:
    parts = split_text(text, limit)
    assert all(0 < measure(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


@given(st.text(max_size=1600).filter(lambda text: measure(text) <= 1600))
def test_text_that_fits_stays_one_message(text: str) -> None:
    assert split_text(text, 1600) == ([text.strip()] if text.strip() else [])


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One. Two.\nThree.\n\nFour five six", "One. Two.\nThree."),
        ("One two.\nThree. Four five six seven", "One two.\nThree."),
        ("One two three four five. Six seven", "One two three four five."),
        ("One two three four five six seven", "One two three four five six"),
        ("你好。" + "日" * 30, "你好。" + "日" * 26),
        ("Call +44 20 7946 0958 today please", "Call +44 20 7946 0958 today"),
        ("Please do call +44 20 7946 0958 now", "Please do call"),
        ("See https://example.com/a/long/way", "See"),
    ],
)  # fmt: skip
def test_cut_is_where_a_reader_would_pause(text: str, first: str) -> None:
    assert split_text(text, 29)[0] == first


def test_link_longer_than_a_message_is_cut_all_the_same() -> None:
    link = "https://example.com/" + "x" * 60
    assert split_text("See " + link, 30) == ["See", link[:30], link[30:60], link[60:]]


def test_emoji_count_twice() -> None:
    assert [measure(part) for part in split_text("😀" * 801, 1600)] == [1600, 2]


@given(st.text(max_size=50))
def test_line_ends_and_marks_are_never_parted(text: str) -> None:
    for found in re.finditer(r"\r\n|.[\u0300-\u036f]|.\u200d", text):
        assert not is_boundary(text, found.start() + 1)
