"""An answer cut out of an article, word for word: a whole list of steps, or the sentences nearest to the question."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from agent.facts import EMAIL, list_links
from agent.language import WORDS
from agent.text import HEADING, plain_text
from agent.words import fold, list_words, split_sentences, stem_word

LIST_LINE = re.compile(r"^\s{0,6}(?:\d{1,2}[.)]|[-*+•])\s+")
ASKS_FACT = re.compile(
    r"\b(?:how (?:much|many|long|often|fast|big|large|high)|what(?:'s| is| are| happens)|which|when|who|why|is|are|does"
    r"|do (?:you|we|i)|was (?:ist|kostet|sind)|wie (?:viel|lange|oft|hoch|gross)|welche\w*|wann|gibt es|combien|quel\w*"
    r"|quand|cuant\w*|cual\w*|cuando|quant\w*|qua(?:l|is)|quali|quando|hoeveel|welke|wanneer|ile|jaki\w*|kiedy|ne kadar"
    r"|kac)\b|いくら|いつ|どの|ですか|多少|几|كم|متى|कितन|कब|сколько|когда"
)
ASKS_WAY = re.compile(
    r"\b(?:how (?:do|can|to|would|could|should)|where (?:do|can)|wie (?:kann|stelle|mache|lade|setze|finde|andere)|wo "
    r"|comment|como|come |dove|hoe (?:kan|moet|stel|zet)|waar |jak |nasil|kaise)\b"
    r"|どうすれば|方法|怎么|如何|كيف|कैसे|как "
)
COMMON_WORDS = frozenset(word for words in WORDS.values() for word in words)
MAX_SENTENCES = 3
NEAR_BEST = 0.45
"""A further sentence must be this near to the best one's score."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece that is quoted whole or not at all."""

    text: str
    is_list: bool
    position: int


@dataclass(frozen=True, slots=True)
class Space:
    """How long an answer should be, and may be; and whether addresses may stand in it."""

    preferred: int
    most: int
    links: bool = True


def extract_answer(question: str, passage: str, space: Space, *, is_cut: bool = False) -> str | None:
    """The part of `passage` (Markdown) that answers `question`, as plain text; None when nothing of it fits.

    is_cut: the passage was shortened, so its last piece may be half of one.
    """
    units = list_units(passage)
    units = [unit for unit in (units[:-1] if is_cut else units) if fits(unit, space)]
    if not units:
        return None
    scores = score_units(question, units)
    steps = [unit for unit in units if unit.is_list]
    if steps and not asks_for_fact(question):
        first = max(steps, key=lambda unit: scores[unit.position])
    else:
        first = max(units, key=lambda unit: (scores[unit.position], -unit.position))
    chosen = [first]
    ranked = sorted(units, key=lambda unit: -scores[unit.position])
    for unit in ranked:
        wanted = scores[unit.position] >= NEAR_BEST * scores[first.position] > 0
        if unit is first or unit.is_list or not wanted or len(chosen) > MAX_SENTENCES - (not first.is_list):
            continue
        if len(join_units([*chosen, unit])) <= space.preferred:
            chosen.append(unit)
    return join_units(chosen)


def quote_best(question: str, passage: str, space: Space) -> str | None:
    """The one sentence or list nearest to the question, without any address: the safest answer there is."""
    units = [unit for unit in list_units(passage) if fits(unit, Space(space.preferred, space.most, links=False))]
    scores = score_units(question, units)
    return max(units, key=lambda unit: scores[unit.position]).text if units else None


def fits(unit: Unit, space: Space) -> bool:
    return len(unit.text) <= space.most and (space.links or not (list_links(unit.text) or EMAIL.search(unit.text)))


def asks_for_fact(question: str) -> bool:
    """Whether a sentence will do: how much, when, is there; rather than how to."""
    folded = fold(question)
    return bool(ASKS_FACT.search(folded)) and not ASKS_WAY.search(folded)


def list_units(passage: str) -> list[Unit]:
    """The sentences and lists of a Markdown text without its headings, in order; a list has its opening line."""
    units: list[Unit] = []
    for is_list, lines in group_lines(passage):
        texts = ["\n".join(plain_text(line) for line in lines)] if is_list else split_sentences(plain_text(lines[0]))
        if is_list and units and not units[-1].is_list and units[-1].text.endswith((":", "：")):
            opening = units.pop()
            texts = [f"{opening.text}\n{texts[0]}"]
        units.extend(Unit(text, is_list, 0) for text in texts if text)
    return [Unit(unit.text, unit.is_list, position) for position, unit in enumerate(units)]


def group_lines(passage: str) -> list[tuple[bool, list[str]]]:
    """Lines that follow each other: (is it a list, its lines). A line indented under a list's point belongs to it."""
    groups: list[tuple[bool, list[str]]] = []
    for line in passage.splitlines():
        if not line.strip() or HEADING.match(line):
            continue
        is_point = bool(LIST_LINE.match(line))
        if groups and groups[-1][0] and (is_point or line.startswith(("  ", "\t"))):
            groups[-1][1].append(line)
        else:
            groups.append((is_point, [line]))
    return groups


def score_units(question: str, units: Sequence[Unit]) -> list[float]:
    """How much each unit has of the question's words; a word that few units have counts more."""
    asked = list_stems(question)
    found = [list_stems(unit.text) for unit in units]
    spread = Counter(stem for stems in found for stem in stems)
    scores = [sum(1 / spread[stem] ** 0.5 for stem in asked & stems) for stems in found]
    return [score + 0.01 / (1 + at) for at, score in enumerate(scores)]


def list_stems(text: str) -> set[str]:
    return {stem_word(word) for word in list_words(text) if word not in COMMON_WORDS and len(word) > 1}


def join_units(units: Sequence[Unit]) -> str:
    """The units in the article's order; a list stands on lines of its own."""
    parts: list[str] = []
    for unit in sorted(units, key=lambda unit: unit.position):
        separator = "\n" if parts and (unit.is_list or "\n" in parts[-1]) else " "
        parts.append(f"{separator}{unit.text}" if parts else unit.text)
    return "".join(parts)
