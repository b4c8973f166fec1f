"""Finds what is private in a text, whatever digits, blanks and dashes it is written with."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from agent.privacy_ids import IDS
from agent.privacy_numbers import PHONES, find_cards, find_ibans
from agent.privacy_rules import END, START, TAKEN, Finder, Kind, Span, keep_digits, keep_signs, match_values
from agent.privacy_secrets import NAMED, NAMES, SHAPED

LABEL = r"(?:[A-Za-z0-9À-ӿ_-]{1,63}\.){1,8}[A-Za-zÀ-ӿ][A-Za-zÀ-ӿ0-9-]{1,23}"
EMAILS: tuple[Finder, ...] = (
    match_values(rf"[A-Za-z0-9À-ӿ._%+&-]{{1,64}}(?:@|%40){LABEL}"),
    match_values(r"[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_][\w-]{1,23}"),
)
KEPT = re.compile(
    # references of tickets and the like, ids, days
    rf"{START}[A-Z][A-Z0-9]{{0,7}}-(?:19|20)[0-9]{{6}}-[0-9A-Z]{{4,12}}{END}"
    rf"|{START}[0-9a-f]{{8}}-(?:[0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}{END}"
    r"|(?<![0-9.])(?:19|20)[0-9]{2}([-./])(?:0?[1-9]|1[0-2])\1(?:[0-2]?[0-9]|3[01])(?![0-9]|[-./][0-9])"
    r"|(?<![0-9.])(?:[0-2]?[0-9]|3[01])([-./])(?:0?[1-9]|1[0-2])\2(?:19|20)[0-9]{2}(?![0-9]|[-./][0-9])"
    # addresses of machines
    r"|(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9]|\.[0-9])",
    re.IGNORECASE,
)
"""What looks like a number of somebody and is none."""

DENSE = re.compile(r"[0-9](?:[^0-9]{0,3}[0-9]){3,}")
"""Fewer digits than four near each other are no number of anybody."""
NEAR = 64
"""How far before and after its digits a number may begin, end, or have the word that says what it is."""

NUMBERS: tuple[tuple[Kind, Finder], ...] = (
    ("IBAN", find_ibans),
    ("CARD", find_cards),
    *(("NATIONALID", finder) for finder in IDS),
    *(("PHONE", finder) for finder in PHONES),
)
"""What was found first is not looked at again."""


@dataclass(frozen=True, slots=True)
class Found:
    """A private value at text[start:end]; `normal` is the same for all its spellings."""

    kind: Kind
    start: int
    end: int
    normal: str


class PlainSigns(dict[int, str]):
    """Each character as the one that stands for all of its like: digits of any script, blanks, dashes, full width."""

    def __missing__(self, code: int) -> str:
        self[code] = plain = choose_plain_sign(chr(code))
        return plain


def choose_plain_sign(sign: str) -> str:
    """Always one character, so that places in the plain text are places in the text."""
    kind = unicodedata.category(sign)
    if kind == "Nd":
        return str(unicodedata.decimal(sign))
    if kind in ("Zs", "Cf"):
        return " "
    if kind == "Pd" or sign == "−":
        return "-"
    folded = unicodedata.normalize("NFKC", sign)
    return folded if len(folded) == 1 and " " <= folded <= "~" else sign


PLAIN_SIGNS = PlainSigns()


class Search:
    """One look at one text: what was found is out of sight for what comes after."""

    def __init__(self, text: str, kinds: frozenset[Kind]) -> None:
        self.plain = text if text.isascii() else text.translate(PLAIN_SIGNS)
        self.rest = self.plain
        self.kinds = kinds
        self.found: list[Found] = []

    def look(self, kind: Kind, finder: Finder, places: Sequence[Span]) -> None:
        if kind not in self.kinds:
            return
        spans = [span for start, end in places for span in finder(self.rest, start, end)]
        self.found += [Found(kind, start, end, normalise(kind, self.plain[start:end])) for start, end in spans]
        self.rest = take(self.rest, spans)

    def look_for_secrets(self) -> None:
        everywhere = [(0, len(self.rest))]
        for finder in SHAPED if not NAMES.search(self.rest) else (*SHAPED, *NAMED):
            self.look("SECRET", finder, everywhere)

    def look_for_addresses(self) -> None:
        if "@" in self.rest or "%40" in self.rest:
            for finder in EMAILS:
                self.look("EMAIL", finder, [(0, len(self.rest))])

    def look_for_numbers(self) -> None:
        places = list_number_places(self.rest)
        self.rest = take(self.rest, [m.span() for start, end in places for m in KEPT.finditer(self.rest, start, end)])
        places = list_number_places(self.rest)
        for kind, finder in NUMBERS:
            self.look(kind, finder, places)


@lru_cache(maxsize=512)
def find_private(text: str, kinds: frozenset[Kind]) -> tuple[Found, ...]:
    """Every private value of these kinds in a text, in the order they stand there; none overlaps another.

    Remembered for the last texts: each step of a turn shows the model all of the turn's texts once more.
    """
    search = Search(text, kinds)
    search.look_for_secrets()
    search.look_for_addresses()
    search.look_for_numbers()
    return tuple(sorted(search.found, key=lambda one: one.start))


def list_number_places(text: str) -> list[Span]:
    """The parts of a text that may hold somebody's number, none overlapping another."""
    places: list[Span] = []
    for match in DENSE.finditer(text):
        start, end = max(0, match.start() - NEAR), min(len(text), match.end() + NEAR)
        if places and start <= places[-1][1]:
            start = places.pop()[0]
        places.append((start, end))
    return places


def take(text: str, spans: Iterable[Span]) -> str:
    """The text with these places made unreadable for whoever looks at it next."""
    parts: list[str] = []
    at = 0
    for start, end in spans:
        parts += [text[at:start], TAKEN * (end - start)]
        at = end
    return "".join([*parts, text[at:]])


def normalise(kind: Kind, plain: str) -> str:
    """One form for all spellings of a value. A secret has only one spelling."""
    match kind:
        case "SECRET":
            return plain
        case "EMAIL":
            return plain.lower()
        case "PHONE":
            return keep_digits(plain)
        case _:
            return keep_signs(plain)
