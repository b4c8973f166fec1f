"""Which language a text is in: by script first, then by its commonest words."""

import re
import tomllib
from functools import lru_cache
from pathlib import Path

from agent.words import WORD, fold

PROFILES = tomllib.loads((Path(__file__).parent / "language_words.toml").read_text(encoding="utf-8"))
WORDS = {language: frozenset(words.split()) for language, words in PROFILES["words"].items()}
LETTERS = {language: frozenset(letters) for language, letters in PROFILES["letters"].items()}
SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff\uff66-\uff9d]")),
    ("ko", re.compile("[\uac00-\ud7af\u1100-\u11ff]")),
    ("zh", re.compile("[\u3400-\u9fff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("ar", re.compile("[\u0600-\u06ff\u0750-\u077f]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
)
NOISE = re.compile(r"https?://\S+|\S+@\S+|<[A-Z]+_\d+>|`[^`]*`")
LATIN = re.compile("[a-zA-Z\u00c0-\u024f]")
MAX_CHARS = 4000
CERTAIN = 2.0
"""How much a language must be ahead to overrule the one the conversation is in."""


def detect_language(text: str, default: str) -> str:
    """The two-letter language of `text`; `default` when the text is short or could be either."""
    found, lead = rank_languages(text, favourite=default)
    # Three words without one of the default language are a change of language even when few of them are telling.
    enough = 1.0 if len(WORD.findall(text)) >= 3 and not has_evidence(text, default) else CERTAIN
    return found if found is not None and lead >= enough else default


def find_language(text: str) -> str | None:
    """The likeliest language of a text nobody knows anything about; None without a single telling word."""
    found, lead = rank_languages(text, favourite=None)
    return found if lead >= 1.0 else None


def has_evidence(text: str, language: str) -> bool:
    """Whether a single common word of this language occurs."""
    return not WORDS.get(language, frozenset()).isdisjoint(WORD.findall(fold(text[:MAX_CHARS])))


@lru_cache(maxsize=32)  # the checks of one turn ask about the same few texts many times
def rank_languages(text: str, *, favourite: str | None) -> tuple[str | None, float]:
    sample = NOISE.sub(" ", text[:MAX_CHARS])
    script, letters = find_script(sample)
    if script is not None:
        return script, float(letters)
    scores = score_latin(sample)
    if favourite in scores:
        scores[favourite] += 0.25
    ranked = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
    (best, score), (_, second) = ranked[0], ranked[1]
    return (best, score - second) if score > second else (None, 0.0)


def find_script(text: str) -> tuple[str | None, int]:
    """The language of a script other than Latin that carries the text, and how many of its letters there are."""
    latin = len(LATIN.findall(text))
    counts = {language: len(pattern.findall(text)) for language, pattern in SCRIPTS}
    if counts["ja"]:
        counts["ja"] += counts.pop("zh")
    language = max(counts, key=lambda key: counts[key])
    # A foreign product name weighs more letters than a word of Chinese: a third of the letters decides.
    return (language, counts[language]) if counts[language] * 2 > latin else (None, 0)


def score_latin(text: str) -> dict[str, float]:
    """Per language: its common words (a word many languages share counts less) and its own letters."""
    scores = dict.fromkeys(WORDS, 0.0)
    for word in set(WORD.findall(fold(text))):
        owners = [language for language, words in WORDS.items() if word in words]
        for language in owners:
            scores[language] += 1.2 / len(owners)
    found = set(text.casefold()) | set(text)
    for language, own in LETTERS.items():
        scores[language] += min(2, len(own & found)) * 0.9
    return scores
