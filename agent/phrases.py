"""Fixed texts to customers, in the languages we can write well; English for the rest."""

import re
import tomllib
from functools import cache
from pathlib import Path

from agent.words import fold

FALLBACK = "en"
MIN_PIECE = 12
PLACEHOLDER = re.compile(r"\{\w+\}")


def say(key: str, language: str, **values: str) -> str:
    """The text `key` in `language` (a two-letter code or longer), with `values` filled in. KeyError for no such key."""
    return PLACEHOLDER.sub(lambda match: values[match.group()[1:-1]], load_texts()[key][choose_language(key, language)])


def choose_language(key: str, language: str) -> str:
    """The language `say` answers in: the one asked for, or English."""
    code = language.split("-")[0].lower()
    return code if code in load_texts()[key] else FALLBACK


def is_phrase(key: str, text: str) -> bool:
    """Whether a message contains this fixed text, in any language."""
    folded = " ".join(fold(text).split())
    return any(piece in folded for piece in load_pieces(key))


@cache
def load_texts() -> dict[str, dict[str, str]]:
    return tomllib.loads((Path(__file__).parent / "phrases.toml").read_text(encoding="utf-8"))


@cache
def load_pieces(key: str) -> tuple[str, ...]:
    """The longest stretch without a blank to fill in, per language; how a text is known again after it was sent."""
    pieces = (max(PLACEHOLDER.split(text), key=len) for text in load_texts()[key].values())
    return tuple(" ".join(fold(piece).split()) for piece in pieces if len(piece) >= MIN_PIECE)
