"""The word lists that the checks of a reply share."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from agent.language import WORDS
from agent.phrases import load_texts
from agent.policy import compile_any
from agent.word_vectors import find_word_vectors
from agent.words import fold, list_words, stem_word

TALK_CHARS = 6
"""Forms of a word share so many letters at their beginning."""
MIN_FIXED = 5
FREQUENT = 5_000
"""So many of the table's pieces of words, which stand in order of frequency, name nothing rare."""
PART = re.compile(r"[,;–—:]\s*|\s-\s")
DRAWN = re.compile(r"'(?:s|ll|d|ve|re|m)$")
"""The possessive, and verbs drawn together with the word before them."""
COMMON_WORDS = frozenset(word for words in WORDS.values() for word in words)


@cache
def load_words() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "check_words.toml").read_text(encoding="utf-8"))


@cache
def load_set(section: str, name: str) -> frozenset[str]:
    """The folded words of one line; empty where there is no such line."""
    return frozenset(fold(word) for word in load_words()[section].get(name, "").split())


@cache
def load_pattern(section: str, language: str) -> re.Pattern[str]:
    return compile_any(load_words()[section].get(language, ()), language)


@cache
def load_talk(language: str) -> frozenset[str]:
    """The beginnings of the words that courtesies, questions back and refusals are made of in a language."""
    return list_beginnings("talk", language)


@cache
def load_withheld(language: str) -> frozenset[str]:
    """The beginnings of the words that name what we do not give."""
    return list_beginnings("withheld", language)


@cache
def load_everyday(language: str) -> frozenset[str]:
    """The beginnings of words anybody explains anything with; empty for most languages."""
    return list_beginnings("everyday", language)


@cache
def load_product() -> frozenset[str]:
    """The stems of English words that name what a software company sells, charges for or promises."""
    return frozenset(stem_word(word) for word in load_set("product", "en"))


@cache
def load_frequent(language: str) -> frozenset[str]:
    """The beginnings of the most frequent English words, but those of the product; empty for other languages."""
    table = find_word_vectors() if language == "en" else None
    places = table.places.items() if table else ()
    words = (word for word, place in places if place < FREQUENT and word.isalpha() and len(word) > 2)
    return frozenset(word[:TALK_CHARS] for word in words if stem_word(word) not in load_product())


def list_beginnings(section: str, language: str) -> frozenset[str]:
    return frozenset(word[:TALK_CHARS] for word in list_words(load_words()[section].get(language, "")))


def is_fixed(sentence: str) -> bool:
    """Whether a sentence stands in one of our own fixed texts."""
    folded = " ".join(fold(sentence).split()).strip(" .!?")
    return len(folded) >= MIN_FIXED and any(folded in text for text in load_fixed())


def is_courtesy(sentence: str, language: str) -> bool:
    """Whether all parts of a sentence are thanks, regret, a wish, an offer or a request to write again."""
    line = " ".join(fold(sentence).split())
    parts = [part for part in (part.strip(" .!?¡*\"'") for part in PART.split(line)) if part]
    polite = [matches("courtesy", part, language) for part in parts]
    return any(polite) and all(
        is_polite or matches("condition", part, language) for part, is_polite in zip(parts, polite, strict=True)
    )


def matches(section: str, part: str, language: str) -> bool:
    return any(load_pattern(section, code).fullmatch(part) is not None for code in {language, "en"})


@cache
def load_fixed() -> tuple[str, ...]:
    return tuple(" ".join(fold(text).split()) for texts in load_texts().values() for text in texts.values())


def speaks_of_it(sentence: str, language: str, *sections: str) -> bool:
    """Whether a pattern of one of these sections occurs, in this language or in English."""
    line = " ".join(fold(sentence).split())
    return any(load_pattern(section, code).search(line) for section in sections for code in {language, "en"})


def list_content(sentence: str) -> list[str]:
    """The words that carry a sentence's meaning, folded, without what is drawn together with them."""
    return [DRAWN.sub("", word) for word in list_words(sentence) if is_content(word)]


def is_content(word: str) -> bool:
    bare = DRAWN.sub("", word)
    return len(bare) > 1 and not {word, bare} & COMMON_WORDS and not {word, bare} & load_fillers()


@cache
def load_fillers() -> frozenset[str]:
    return frozenset(fold(word) for words in load_words()["filler"].values() for word in words.split())


def weigh_word(word: str) -> float:
    """Longer words, being rarer, weigh more."""
    return min(2.0, 0.5 + len(word) / 6)
