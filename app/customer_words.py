"""What pages and corrections say to customers in their language: customer_words.toml; English for all others.

The assistant has such texts of its own (agent/phrases.toml), which no page may import.
"""

import re
import tomllib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

FALLBACK = "en"
PLACEHOLDER = re.compile(r"\{(\w+)\}")
WRITTEN = {"ur": "ur-Latn"}
"""Languages that we write in another script than the usual one."""
RIGHT_TO_LEFT = frozenset({"ar"})


def say(key: str, language: str | None, **values: str) -> str:
    """The text `key` in `language` (a two-letter code or longer), with `values` filled in. KeyError for no such key."""
    text = load_words()[key][choose_language(language)]
    return PLACEHOLDER.sub(lambda found: values[found.group(1)], text)


def say_all(language: str | None, keys: tuple[str, ...]) -> dict[str, str]:
    """Texts without a blank to fill in, by key."""
    return {key: say(key, language) for key in keys}


def say_marks(language: str | None) -> dict[int, str]:
    """What the marks are called, the best one first."""
    return {mark: say(f"mark_{mark}", language) for mark in (5, 4, 3, 2, 1)}


def say_day(moment: datetime, language: str | None) -> str:
    """The day by UTC, as dates are written in that language."""
    day = moment.astimezone(UTC)
    parts = {"day": str(day.day), "month": str(day.month), "month_name": f"{day:%B}", "year": str(day.year)}
    return say("day", language, **parts)


def has_words(language: str | None) -> bool:
    """Whether `say` speaks this language."""
    return read_code(language) in load_words()["question"]


def choose_language(language: str | None) -> str:
    """The language `say` answers in: the one asked for, or English."""
    return read_code(language) if has_words(language) else FALLBACK


def name_language(language: str | None) -> str:
    """The same as an HTML page names it (BCP 47)."""
    code = choose_language(language)
    return WRITTEN.get(code, code)


def name_direction(language: str | None) -> str:
    """ltr or rtl."""
    return "rtl" if choose_language(language) in RIGHT_TO_LEFT else "ltr"


def read_code(language: str | None) -> str:
    return (language or FALLBACK).split("-")[0].lower()


@cache
def load_words() -> dict[str, dict[str, str]]:
    return tomllib.loads((Path(__file__).parent / "customer_words.toml").read_text(encoding="utf-8"))
