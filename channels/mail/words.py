"""The words of mail_words.toml, ready to look for."""

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

MARK = r"\s*(?:$|[\])】）:：;!(|\[（【]|[-–—](?=\s))"
"""What stands between a machine's words and the subject it answers. A letter there makes them a person's sentence."""
BRACKETS = r"[\s\[(*<\"'«„“【（]*"
CLOSED = r"[\s*>\"'».!…]*"
MAX_SUBJECT = 500  # characters that are looked at


def fold(text: str) -> str:
    """Lower case, without accents, white space as single blanks."""
    letters = unicodedata.normalize("NFKD", " ".join(text.split()).casefold())
    return unicodedata.normalize("NFC", "".join(letter for letter in letters if not unicodedata.combining(letter)))


@cache
def load_words() -> dict[str, dict[str, list[str]]]:
    text = (Path(__file__).parent / "words.toml").read_text(encoding="utf-8")
    words: dict[str, Any] = tomllib.loads(text)
    return words


def join_patterns(patterns: Iterable[str]) -> str:
    """One pattern for all of them, the longest first, blanks open to hyphens."""
    folded = sorted(map(fold, patterns), key=len, reverse=True)
    return "|".join(pattern.replace(" ", r"[\s-]*") for pattern in folded)


@cache
def find_patterns(section: str, key: str = "patterns") -> re.Pattern[str]:
    """Any of a section's patterns."""
    return re.compile(f"(?:{join_patterns(load_words()[section][key])})")


@cache
def automatic_subject() -> re.Pattern[str]:
    """A subject that a machine begins; `rest` is what it answers."""
    phrases = join_patterns(phrase for language in load_words()["automatic"].values() for phrase in language)
    absence = join_patterns(load_words()["absence"]["patterns"])
    dates = join_patterns(load_words()["dates"]["words"])
    answer = rf"(?=[\s\])】）:：-]*{subject_prefix('answers').pattern})"
    return re.compile(
        rf"{BRACKETS}(?:(?:{phrases}){CLOSED}(?:{MARK}|\s(?:{dates})|{answer})|(?:{absence}){answer})(?P<rest>.*)"
    )


@cache
def subject_prefix(*sections: str) -> re.Pattern[str]:
    """What mail programs put before a subject, as often as they did: "Re:", "AW:", "Re[2]:", "RE :"."""
    words = join_patterns(word for section in sections for word in load_words()[section]["words"])
    return re.compile(rf"(?:\s*(?:{words})\s*(?:\[\d{{1,3}}\]|\(\d{{1,3}}\)|\^\d{{1,3}})?\s*[:：])+\s*")
