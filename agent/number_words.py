"""Numbers written as words: "seven", "twenty-four", "six hundred", "fünfunddreißig", "treinta y cinco"."""

import re
from collections.abc import Iterator, Mapping
from functools import cache

from agent.words import fold

WORD = re.compile(r"\bquatre-vingts?\b|[^\W\d_]+", re.IGNORECASE)
JOINTS = frozenset(("and", "y", "e"))
BETWEEN = re.compile(r"-| | (?:and|y|e) ")
"""What may stand between two words of one number; "and" only after a hundred: "thirty and seven days" are two."""
TEN, HUNDRED, THOUSAND = 10, 100, 1000
SCORES = (60, 80)
"""French counts on from them up to nineteen."""
GLUE = ("", "und", "en", "e", "i")
"""What joins the two numbers of one word; in "veinticuatro" and "ventotto" an end is lost as well."""


class NumberWords:
    """Reads the numbers of a text by their words. `values`: the simple ones, folded."""

    def __init__(self, values: Mapping[str, int]) -> None:
        self.values = values
        self.read_word = cache(self.find_value)

    def locate(self, text: str) -> Iterator[tuple[int, int, int]]:
        """(start, end, value) of each number in words, in order; words that make up one number together."""
        held: tuple[int, int, list[int]] | None = None
        for match in WORD.finditer(text):
            value = self.read_word(fold(match.group()))
            if match.group() in JOINTS:
                continue
            if value and held and joins(held[2], value, text[held[1] : match.start()]):
                held = (held[0], match.end(), [*held[2], value])
                continue
            if held:
                yield held[0], held[1], add_up(held[2])
            held = (match.start(), match.end(), [value]) if value else None
        if held:
            yield held[0], held[1], add_up(held[2])

    def find_value(self, word: str) -> int | None:
        """The number a word is, alone or glued from two."""
        if word in self.values:
            return self.values[word]
        for at in range(3, len(word) - 2):
            value = self.read_glued(word[:at], word[at:])
            if value:
                return value
        return None

    def read_glued(self, first: str, second: str) -> int | None:
        """What two parts of a word make: "vier" and "undzwanzig" 24, "trenta" and "cinque" 35, "zwei" and "hundert"."""
        for glue in GLUE:
            if not second.startswith(glue):
                continue
            last = self.values.get(second.removeprefix(glue), 0)
            for end in ("", "a", "e", "i"):  # "trent'otto", "veinticuatro"
                value = self.values.get(first + end, 0)
                if value < TEN and last in range(2 * TEN, HUNDRED, TEN) and glue in ("und", "en") and value:
                    return value + last
                if value in range(2 * TEN, HUNDRED, TEN) and 0 < last < TEN and glue in ("", "i"):
                    return value + last
                if 1 < value < TEN and last in (HUNDRED, THOUSAND) and glue == "":
                    return value * last
        return None


def joins(parts: list[int], value: int, between: str) -> bool:
    """Whether a number goes on with this word: "twenty" with "four", "six" with "hundred", "hundred" with anything
    below."""
    last = parts[-1]
    if not BETWEEN.fullmatch(between) or (between == " and " and last < HUNDRED):
        return False
    if value in (HUNDRED, THOUSAND):
        return last < value
    if last in (HUNDRED, THOUSAND):
        return value < last
    return last % TEN == 0 and last > TEN and value < (2 * TEN if last in SCORES else TEN)


def add_up(parts: list[int]) -> int:
    """The number its words make: each hundred and thousand times what stands before it."""
    total = group = 0
    for part in parts:
        if part in (HUNDRED, THOUSAND):
            group = (group or 1) * part
            total, group = (total + group, 0) if part == THOUSAND else (total, group)
        else:
            group += part
    return total + group
