"""What a code of Twilio's leads to, and what a person reads about it."""

import pytest

from channels.twilio.codes import CODES, Follows, explain_code, is_blocking, pause_after, what_follows


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (63016, "Twilio 63016: more than 24 hours after their last message, only an approved template may be sent"),
        (21610, "Twilio 21610: the customer has opted out"),
        (12345, "Twilio 12345: see Twilio's error list"),
    ],
)
def test_code_is_explained_in_one_line(code: int, words: str) -> None:
    assert explain_code(code) == words


@pytest.mark.parametrize(
    ("code", "follows"),
    [
        (20429, "wait"), (63018, "wait"), (63038, "wait"),
        (20003, "off"), (21606, "off"), (63007, "off"), (63112, "off"),
        (21610, "blocked"),
        (63016, "refused"), (63024, "refused"), (63028, "refused"), (63049, "refused"), (12345, "refused"),
    ],
)  # fmt: skip
def test_code_says_what_follows(code: int, follows: Follows) -> None:
    assert what_follows(code) == follows


def test_only_an_opt_out_of_everything_stops_everything() -> None:
    assert [code for code in CODES if is_blocking(code)] == [21610]


def test_daily_limit_is_waited_out_longer_than_a_rate() -> None:
    assert pause_after(63038) > pause_after(63018) > pause_after(20429) == pause_after(None)


def test_every_explanation_fits_a_line_and_ends_open() -> None:
    assert [words for _, words in CODES.values() if not 0 < len(words) < 100 or words.endswith(".")] == []
