"""Does an answer say what its sources say: judged anew here, without anything of the agent's own check."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise

MIN_SHARED, MIN_COVERED = 0.5, 0.8
"""How many of its content words a sentence shares with one source, and how many of the sentences must."""
MIN_WORDS = 3
"""A sentence of fewer content words claims nothing."""
RUN_WORDS = 8
"""So many words in a row are a quotation."""
NUMBER = re.compile(r"(?P<before>[$€£]\s?)?(?P<number>\d+(?:[.,:\u00a0\u202f' ]\d+)*)(?P<after>\s?[%$€£])?")
LIST_MARK = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s+", re.MULTILINE)
LINK = re.compile(r"https?://[^\s<>\"')\]]+|www\.[^\s<>\"')\]]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
LABEL = re.compile(
    r"\"([^\"\n]{2,80})\"|“([^”\n]{2,80})”|„([^“”\n]{2,80})[“”]|«\s?([^»\n]{2,80}?)\s?»|「([^」\n]{2,80})」"
)
ARROW = re.compile(r"\s*(?:>|→|›|->)\s*")
NAME = re.compile(r"(?<=[a-z,;] )[A-Z][\w-]{2,}")
SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
COMMON = frozenset(
    WORD.findall(
        """a about after all also an and any are as at be because been before being but by can cannot could did do does
        each for from get had has have here how i if in into is it its may me more most my no not of on once one only or
        other our out over own per please same so some such than that the their them then there these they this those to
        too under until up us use was we were what when where which while who will with without would you your yours"""
    )
)


def find_unsupported(text: str, sources: Iterable[str]) -> list[str]:
    """Numbers, amounts, links, addresses and quoted labels that no source contains, as they are written."""
    ground = "\n".join(sources)
    flat, numbers = flatten(ground), {number for _, number in list_numbers(ground)}
    found = [link for link in LINK.findall(text) if flatten(link.rstrip(".,;:!?")) not in flat]
    found += [written for written, number in list_numbers(LINK.sub(" ", text)) if number not in numbers]
    labels = [next(filter(None, groups)) for groups in LABEL.findall(text)]
    return found + [f'"{label}"' for label in labels if flatten(label) not in flat]


def list_numbers(text: str) -> Iterator[tuple[str, str]]:
    """Each number as written and in one form, with its currency or % where it has one; marks of lists are none."""
    for match in NUMBER.finditer(LIST_MARK.sub("", text)):
        sign = (match["before"] or match["after"] or "").strip()
        digits = re.sub(r"(?<=\d)[,.\u00a0\u202f' ](?=\d{3}(?!\d))", "", match["number"])
        digits = re.sub(r"[.,]0+$", "", digits).replace(",", ".")
        yield match.group().strip(), digits
        if sign:
            yield match.group().strip(), f"{sign}{digits}"


def find_uncovered(text: str, passages: Iterable[str], boilerplate: Iterable[str]) -> list[str]:
    """The sentences no single passage bears out, where they are more than a fifth of all; else none."""
    fixed = [flatten(phrase) for phrase in boilerplate if len(phrase) > MIN_WORDS]
    grounds = [set(list_stems(passage)) for passage in passages]
    claims = [sentence for sentence in split_sentences(text) if is_claim(sentence, fixed)]
    bare = [claim for claim in claims if not any(share(claim, ground) >= MIN_SHARED for ground in grounds)]
    return bare if claims and 1 - len(bare) / len(claims) < MIN_COVERED else []


def find_unknown_names(text: str, sources: Iterable[str]) -> list[str]:
    """Names within English sentences that no source has: of products and features, most likely."""
    known = set(list_words("\n".join(sources)))
    return [name for name in NAME.findall(text) if not known.intersection(list_words(name))]


def split_sentences(text: str) -> list[str]:
    return [part.strip() for part in SENTENCE.split(LIST_MARK.sub("", text)) if part and part.strip()]


def is_claim(sentence: str, boilerplate: list[str]) -> bool:
    flat = flatten(sentence)
    is_fixed = any(phrase in flat or flat in phrase for phrase in boilerplate)
    return not is_fixed and not sentence.endswith(("?", "？", ":")) and len(set(list_stems(sentence))) >= MIN_WORDS


def share(sentence: str, ground: set[str]) -> float:
    stems = set(list_stems(sentence))
    return len(stems & ground) / len(stems)


def list_stems(text: str) -> list[str]:
    """The first letters of the content words, so that forms of a word are one."""
    return [word[:5] for word in list_words(text) if word not in COMMON]


def list_words(text: str) -> list[str]:
    """Folded words; Chinese and Japanese in pairs of characters."""
    words: list[str] = []
    for word in WORD.findall(fold(text)):
        is_spaceless = any("\u3040" <= letter <= "\u9fff" for letter in word)
        words += ["".join(pair) for pair in pairwise(word)] if is_spaceless and len(word) > 1 else [word]
    return words


def list_runs(text: str) -> set[tuple[str, ...]]:
    """Every run of RUN_WORDS words."""
    words = list_words(text)
    return {tuple(words[at : at + RUN_WORDS]) for at in range(len(words) - RUN_WORDS + 1)}


def fold(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).replace("’", "'")


def flatten(text: str) -> str:
    """Comparable letters: no marks of emphasis, one kind of arrow, single spaces."""
    return " ".join(ARROW.sub(" > ", re.sub(r"[*_`]", "", fold(text))).split()).strip(" .,;:!?")
