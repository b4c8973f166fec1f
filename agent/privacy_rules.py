"""The kinds of private values, and what a rule that recognises one looks like."""

import re
from collections.abc import Callable, Iterator
from typing import Literal

Kind = Literal["SECRET", "IBAN", "CARD", "NATIONALID", "EMAIL", "PHONE"]
ALWAYS: frozenset[Kind] = frozenset(("SECRET", "IBAN", "CARD", "NATIONALID"))
"""What no provider of a model has any business with."""
CONTACTS: frozenset[Kind] = frozenset(("EMAIL", "PHONE"))

Span = tuple[int, int]
Finder = Callable[[str, int, int], Iterator[Span]]
"""Where values of one kind stand between two places of a text whose digits, blanks and dashes are plain ones."""

TAKEN = "\x00"
"""Stands where something was found already; no value has it."""

# No letter of another script: in Chinese or Japanese nothing stands between a word and a number.
START = r"(?<![A-Za-z0-9_])"
END = r"(?![A-Za-z0-9_])"
NUMBER_START = r"(?<![A-Za-z0-9_+])(?<![0-9][-.,/])"
NUMBER_END = r"(?![A-Za-z0-9_]|[-.,/][0-9])"


def match_values(pattern: str, is_real: Callable[[str], bool] = bool, flags: int = re.IGNORECASE) -> Finder:
    """A rule by pattern: the group `value`, or the whole match without one, where `is_real` says so."""
    compiled = re.compile(pattern, flags)
    group = "value" if "value" in compiled.groupindex else 0

    def find(text: str, start: int, end: int) -> Iterator[Span]:
        for match in compiled.finditer(text, start, end):
            if is_real(match[group]):
                yield match.span(group)

    return find


def keep_digits(text: str) -> str:
    """The digits of a text, without what separates them."""
    return "".join(sign for sign in text if sign.isdigit())


def keep_signs(text: str) -> str:
    """The letters and digits of a text, letters in upper case."""
    return "".join(sign for sign in text.upper() if sign.isalnum())
