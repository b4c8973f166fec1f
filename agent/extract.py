"""An answer cut out of an article, word for word: a whole list of steps, or the sentences nearest to the question."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from agent.facts import EMAIL, list_links
from agent.language import WORDS
from agent.text import HEADING, plain_text
from agent.words import fold, list_words, split_sentences, stem_word

BULLETS = re.compile(r"^\s*[-•]\s", re.MULTILINE)
LIST_LINE = re.compile(r"^\s{0,6}(?:\d{1,2}[.)]|[-*+•])\s+")
ASKS_FACT = re.compile(
    r"\b(?:how (?:much|many|long|often|fast|big|large|high)|what(?:'s| is| are| happens)|which|when|who|why"
    r"|was (?:ist|kostet|sind)|wie (?:viel|lange|oft|hoch|gross)|welche\w*|wann|gibt es|combien|quel\w*|quand|cuant\w*"
    r"|cual\w*|cuando|quant\w*|qua(?:l|is)|quali|quando|hoeveel|welke|wanneer|ile|jaki\w*|kiedy|ne kadar|kac)\b"
    r"|いくら|いつ|どの|ですか|多少|几|كم|متى|कितन|कब|сколько|когда"
    r"|(?:^|, (?:and|or|und|et|y|e|en) |, )(?:is|are|does|do (?:you|we|i)|will|may)\b",
    re.MULTILINE,
)
REFERS_BACK = re.compile(
    r"(?:it|they|this|these|that|those|then|otherwise|both|wait that|es|sie|das|dies\w*|dann|il|elle|ils|elles"
    r"|cela|ces|esto|eso|estos|ello|isso|isto|eles|questo|questi|dit|deze|daarna|ze)\b"
)
"""A sentence that begins so is not understood without the one before it."""

ASKS_WAY = re.compile(
    r"\b(?:how (?:do|can|to|would|could|should)|where (?:do|can)|wie (?:kann|stelle|mache|lade|setze|finde|andere)|wo "
    r"|comment|como|come |dove|hoe (?:kan|moet|stel|zet)|waar |jak |nasil|kaise)\b"
    r"|どうすれば|方法|怎么|如何|كيف|कैसे|как "
)
COMMON_WORDS = frozenset(word for words in WORDS.values() for word in words)
WHOLE_SHARE = 0.75
"""A passage that takes no more than this of the preferred length is quoted whole: what was left out might matter."""
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
    if len(join_units(units)) <= WHOLE_SHARE * space.preferred:
        return join_units(units)
    scores = score_units(question, units)
    steps = [unit for unit in units if unit.is_list]
    if steps and not asks_for_fact(question):
        first = max(steps, key=lambda unit: scores[unit.position])
    else:
        first = max(units, key=lambda unit: (scores[unit.position], -unit.position))
    chosen = add_context([first], first, units)
    opened = [unit for unit in units if unit.position == first.position + 1 and BULLETS.search(unit.text)]
    if opened and not first.is_list and len(join_units([*chosen, *opened])) <= space.preferred:
        chosen += opened
    for unit in sorted(units, key=lambda unit: -scores[unit.position]):
        wanted = scores[unit.position] >= NEAR_BEST * scores[first.position] > 0
        if unit in chosen or unit.is_list or not wanted:
            continue
        longer = add_context([*chosen, unit], unit, units)
        if len([u for u in longer if not u.is_list]) <= MAX_SENTENCES and len(join_units(longer)) <= space.preferred:
            chosen = longer
    for unit in units:
        # A lone sentence is completed with how the passage begins, or with what follows.
        near = unit.position in (0, first.position + 1) and not unit.is_list
        if len(chosen) < 2 and near and unit not in chosen and len(join_units([*chosen, unit])) <= space.preferred:
            chosen.append(unit)
    return join_units(chosen)


def add_context(chosen: list[Unit], unit: Unit, units: Sequence[Unit]) -> list[Unit]:
    """With the sentence before `unit` where it refers back to it."""
    before = next((other for other in units if other.position == unit.position - 1 and not other.is_list), None)
    if before is None or before in chosen or not REFERS_BACK.match(fold(unit.text)):
        return chosen
    return [*chosen, before]


def quote_best(question: str, passage: str, space: Space) -> str | None:
    """The one sentence or list nearest to the question, without any address: the safest answer there is."""
    units = [unit for unit in list_units(passage) if fits(unit, Space(space.preferred, space.most, links=False))]
    scores = score_units(question, units)
    return max(units, key=lambda unit: scores[unit.position]).text if units else None


def fits(unit: Unit, space: Space) -> bool:
    return len(unit.text) <= space.most and (space.links or not (list_links(unit.text) or EMAIL.search(unit.text)))


def asks_for_fact(question: str) -> bool:
    """Whether a sentence will do: how much, when, is there; rather than how to."""
    folded = fold("\n".join(split_sentences(question)))
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


def score_units(question: str, units: Sequence[Unit]) -> dict[int, float]:
    """By position, how much each unit has of the question's words; a word that few units have counts more."""
    asked = list_stems(question)
    found = {unit.position: list_stems(unit.text) for unit in units}
    spread = Counter(stem for stems in found.values() for stem in stems)
    return {at: sum(1 / spread[stem] ** 0.5 for stem in asked & stems) + 0.01 / (1 + at) for at, stems in found.items()}


def list_stems(text: str) -> set[str]:
    return {stem_word(word) for word in list_words(text) if word not in COMMON_WORDS and len(word) > 1}


def count_shared(question: str, text: str) -> int:
    """How many of the question's words stand in a text."""
    return len(list_stems(question) & list_stems(text))


def join_units(units: Sequence[Unit]) -> str:
    """The units in the article's order; a list stands on lines of its own."""
    parts: list[str] = []
    for unit in sorted(units, key=lambda unit: unit.position):
        separator = "\n" if parts and (unit.is_list or "\n" in parts[-1]) else " "
        parts.append(f"{separator}{unit.text}" if parts else unit.text)
    return "".join(parts)
