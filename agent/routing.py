"""Words that place a message in a queue, counted in every language it may be in."""

import tomllib
from functools import cache
from pathlib import Path
from re import Pattern
from typing import Any, get_args

from agent.brief import Category
from agent.policy import choose_languages, compile_any, join_lines


def count_word_votes(text: str, language: str) -> dict[Category, float]:
    """For each category the share of the telling words that are its own; the sum is 1 or 0."""
    lines = join_lines(text)
    likely, _ = choose_languages(text, language)
    found = {
        category: len({match.group() for code in likely for match in load_words(category, code).finditer(lines)})
        for category in get_args(Category)
    }
    total = sum(found.values())
    return {category: count / total for category, count in found.items() if total and count}


@cache
def load_source() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "category_words.toml").read_text(encoding="utf-8"))


@cache
def load_words(category: Category, language: str) -> Pattern[str]:
    return compile_any(load_source()[category].get(language, ()), language)
