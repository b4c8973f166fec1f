"""Support words of other languages in English, so that a question meets articles that are not in its language.

glossary.toml is the table and says how it is read. What comes out is no translation: it is what a search needs.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.language import WORDS, detect_language
from agent.words import fold

SOURCE = tomllib.loads((Path(__file__).parent / "glossary.toml").read_text(encoding="utf-8"))
LANGUAGES: list[str] = [column.strip() for column in SOURCE["columns"].split("|")]
NAMES = frozenset(SOURCE["names"].split())
SPACELESS = frozenset(("ja", "zh"))
COMPOUNDING = frozenset(("de", "nl"))
CAPITALISING = frozenset(("de",))
"""Languages that write every noun with a capital, where it makes no name."""
INNER_CHARS = 5
"""A shorter word is not looked for inside a compound."""
MAX_CHARS = 2000
BETWEEN = re.compile(r"[^\w\u0900-\u0963\u0971-\u097f]+")
"""What parts words: vowel signs belong to them, though they are no letters."""
NAME = re.compile(r"(?:(?<=\w )|(?<=\w[,;:] ))[A-Z][^\W_]*|[^\W_]*[A-Z][^\W_]*[A-Z][^\W_]*")
"""A capital inside a sentence, or two in one word."""
LATIN = re.compile(r"[a-z0-9]+")
DIGIT = re.compile(r"\d")
PROCLITICS = re.compile("(?=([وف]?[بكل]?(?:ال|ل)?))")
"""What Arabic writes before a word without a space: and, with, for, the."""
KANA = re.compile("[\u3040-\u309f]")


@dataclass(frozen=True, slots=True)
class Gloss:
    """The English words, and the share (0 to 1) of the telling letters of the text that they stand for."""

    english: str
    known: float


@dataclass(frozen=True, slots=True)
class Lexicon:
    """One language: folded words to their English; a word that ends with a blank stands for itself alone."""

    language: str
    english: dict[str, str]
    longest: int
    silent: frozenset[str]

    def match(self, line: str, at: int) -> tuple[int, str] | None:
        """Where the longest known word that begins at `at` ends, and its English."""
        for end in range(min(len(line), at + self.longest), at, -1):
            english = self.english.get(line[at:end])
            if english is not None:
                return end, english
        return None


def gloss(text: str, language: str) -> str:
    """The English words for what the glossary knows of a text, in order, each once, with its numbers and names.

    "" for English, for a language that is not in the glossary, and where nothing is known.
    """
    return read_gloss(text, language).english


def read_gloss(text: str, language: str) -> Gloss:
    """The same, with how much of the text was recognised."""
    lexicon = LEXICONS.get(language)
    if lexicon is None:
        return Gloss("", 0.0)
    text = text[:MAX_CHARS]
    line = space_words(text)
    parts = read_spaceless(lexicon, line) if language in SPACELESS else read_words(lexicon, line, list_names(text))
    english: dict[str, None] = {}
    told = known = 0
    for letters, words in parts:
        told += letters
        known += letters if words else 0
        english |= dict.fromkeys(words.split())
    return Gloss(" ".join(english), known / told if told else 0.0)


def put_in_english(text: str, language: str | None) -> Gloss:
    """What an English index can take of a text: all of it when it is English or nothing of it is known."""
    if language not in LANGUAGES or detect_language(text, language) == "en":
        return Gloss(text, 1.0)
    glossed = read_gloss(text, language)
    return Gloss(glossed.english or text, glossed.known)


def space_words(text: str) -> str:
    """The folded words of a text with one blank after each."""
    return BETWEEN.sub(" ", fold(text)).strip() + " "


def list_names(text: str) -> frozenset[str]:
    return frozenset(fold(name) for name in NAME.findall(text))


def read_words(lexicon: Lexicon, line: str, names: frozenset[str]) -> Iterator[tuple[int, str]]:
    """(letters, English or "") of each word or phrase that says something."""
    at = 0
    while at < len(line):
        stop = line.index(" ", at)
        word = line[at:stop]
        found = find_word(lexicon, line, at)
        if word in NAMES or DIGIT.search(word) or (word == "pro" and word in names):
            yield len(word), word
        elif found is not None:
            stop = line.index(" ", max(at, found[0] - 1))
            yield stop - at, " ".join((found[1], *read_rest(lexicon, line[found[0] : stop])))
        elif is_name(word, lexicon.language, names):
            yield len(word), word
        elif word not in lexicon.silent:
            inner = " ".join(read_rest(lexicon, word[1:]))
            yield len(word), inner
        at = stop + 1


def find_word(lexicon: Lexicon, line: str, at: int) -> tuple[int, str] | None:
    found = lexicon.match(line, at)
    if found is None and lexicon.language == "ar":
        clitics = PROCLITICS.match(line, at)
        for skipped in range(len(clitics.group(1)) if clitics else 0, 0, -1):
            found = found or lexicon.match(line, at + skipped)
    return found


def read_rest(lexicon: Lexicon, rest: str) -> Iterator[str]:
    """The English of the further parts of a compound."""
    at = 0
    while lexicon.language in COMPOUNDING and at <= len(rest) - INNER_CHARS:
        found = lexicon.match(rest + " ", at)
        if found is not None and found[0] - at >= INNER_CHARS:
            yield found[1]
            at = found[0]
        else:
            at += 1


def is_name(word: str, language: str, names: frozenset[str]) -> bool:
    """Whether an unknown word is a name, which articles write the same way."""
    return (word in names and language not in CAPITALISING) or (language in UNLATIN and bool(LATIN.fullmatch(word)))


def read_spaceless(lexicon: Lexicon, line: str) -> Iterator[tuple[int, str]]:
    """The same where words are not parted: at every character the longest word that begins there."""
    at = 0
    while at < len(line):
        found, name = lexicon.match(line, at), LATIN.match(line, at)
        if found is not None:
            yield found[0] - at, found[1]
            at = found[0]
        elif name is not None:
            yield len(name.group()), name.group()
            at = name.end()
        else:
            is_silent = line[at] == " " or line[at] in lexicon.silent or KANA.match(line[at])
            yield 0 if is_silent else 1, ""
            at += 1


def load_lexicon(language: str) -> Lexicon:
    column = LANGUAGES.index(language)
    english: dict[str, str] = {}
    for headword, row in SOURCE["words"].items():
        for written in row.split("|")[column].split(","):
            for word in list_spellings(written.strip(), language):
                # A word of two meanings says both: the search will tell.
                english[word] = f"{english[word]} {headword}" if word in english else headword
    longest = max(map(len, english))
    silent = {*SOURCE["silent"].get(language, "").split(), *WORDS.get(language, ())}
    return Lexicon(language, english, longest, frozenset(fold(word) for word in silent))


def list_spellings(written: str, language: str) -> Iterator[str]:
    """How a word of the table is looked up, with the spelling of those who have no umlauts on their keyboard."""
    is_whole = written.endswith(".") and language not in SPACELESS
    spelled = [written]
    if language == "de":
        spelled.append(written.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue"))
    for word in filter(None, (space_words(word).strip() for word in spelled)):
        yield word + " " if is_whole else word


UNLATIN = frozenset(("ru", "hi", "ar"))
LEXICONS = {language: load_lexicon(language) for language in LANGUAGES}
