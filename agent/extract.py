"""An answer quoted from an article, word for word: whole paragraphs and lists; only what stands around is left out."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from agent.facts import EMAIL, list_links
from agent.language import WORDS
from agent.words import LIST_MARK, fold, list_words, split_sentences, stem_word
from db.passages import Block, keep_steps_whole, list_sections
from db.text import plain_text

ASKS_FACT = re.compile(
    r"\b(?:how (?:much|many|long|often|fast|big|large|high)|what(?:'?s| is| are| happens| will| would| does)|which|when"
    r"|who|why|was (?:ist|kostet|sind)|wie (?:viel|lange|oft|hoch|gross)|welche\w*|wann|gibt es|combien|quel\w*|quand"
    r"|cuant\w*|cual\w*|cuando|quant\w*|qua(?:l|is)|quali|quando|hoeveel|welke|wanneer|ile|jaki\w*|kiedy|ne kadar"
    r"|kac)\b"
    r"|いくら|いつ|どの|ですか|多少|几|كم|متى|कितन|कब|сколько|когда"
    r"|(?:^|, (?:and|or|und|et|y|e|en) |, )(?:is|are|does|do (?:you|we|i)|will|may)\b",
    re.MULTILINE,
)
REFERS_BACK = re.compile(
    r"(?:example|for example|zum beispiel|par exemple|por ejemplo|per esempio"
    r"|it|they|this|these|that|those|then|otherwise|both|wait that|es|sie|das|dies\w*|dann|il|elle|ils|elles"
    r"|cela|ces|esto|eso|estos|ello|isso|isto|eles|questo|questi|dit|deze|daarna|ze)\b"
)
"""A paragraph that begins so is not understood without the one before it."""

ASKS_NUMBER = re.compile(
    r"\b(?:how (?:much|many|long|often|fast|big|large|high|soon|far|old)|(?:at|until|by) what time"
    r"|wie (?:viele?|lange|oft|hoch|gross|teuer|schnell)|combien|cuant\w*|quant\w*|hoeveel|hoe (?:lang|vaak|groot)|ile"
    r"|jak dlugo|ne kadar|kac|kitn\w*)\b|いくら|何[分日時人文]|多少|几|كم|कितन|сколько|как долго"
)
NUMBER = re.compile(r"\d|\bunlimited\b|\bno limit\b|\bunbegrenzt\b")
NUMBER_BONUS = 0.35
"""Who asks how much is answered by a piece with a number in it rather than by one with as many of their words."""
ASKS_WAY = re.compile(
    r"\b(?:how (?:do|can|to|would|could|should)|where (?:do|can)|wie (?:kann|stelle|mache|lade|setze|finde|andere)|wo "
    r"|comment|como|come |dove|hoe (?:kan|moet|stel|zet)|waar |jak |nasil|kaise)\b"
    r"|どうすれば|方法|怎么|如何|كيف|कैसे|как "
)
LISTS = ("bullets", "table")
LEAST = 0.1
"""A unit with a lower score shares no word with the question."""
TELLING = frozenset(("year", "month", "week", "day", "hour", "jahr", "monat", "woche", "tag", "stunde"))
COMMON_WORDS = frozenset(word for words in WORDS.values() for word in words) - TELLING
WHOLE_SHARE = 0.75
"""A passage that takes no more than this of the preferred length is quoted whole: what was left out might matter."""
STEPS_SHARE = 0.5
"""Who asks for a way is told the steps, unless a paragraph has more than twice as much of the question."""
NEAR_BEST = 0.45
"""A further paragraph must be this near to the best one's score."""
NEWS, FURTHER = 1.5, 0.8
"""What was not said before counts so much more; a further sentence must be this near to the best one's score."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A paragraph, or a list with the line that opens it: quoted whole or not at all."""

    text: str
    kind: str
    """Of the last of its blocks: paragraph, steps, bullets, code, table."""
    section: int
    heading: str
    position: int


@dataclass(frozen=True, slots=True)
class Space:
    """How long an answer should be, and may be; and whether addresses may stand in it."""

    preferred: int
    most: int
    links: bool = True


def extract_answer(question: str, passage: str, space: Space, *, is_cut: bool = False) -> str | None:
    """What of `passage` (Markdown) answers `question`, as plain text; None when nothing of it fits.

    All of it where that is short; else the paragraph or list that answers with what it cannot be understood without,
    even if that is longer than preferred. is_cut: the passage was shortened, so its last piece may be half of one.
    """
    return extract_answers([question], passage, space, is_cut=is_cut)


def extract_answers(questions: Sequence[str], passage: str, space: Space, *, is_cut: bool = False) -> str | None:
    """The same for several questions at once, which may be answered by different pieces; at least one question."""
    units = list_units(passage)
    units = [unit for unit in (units[:-1] if is_cut else units) if fits(unit, space)]
    if not units:
        return None
    needed: list[Unit] = []
    best = 0.0
    for question in questions:
        scores = score_units(question, units)
        wanted = list_needed(question, units, scores)
        needed += wanted
        best = max(best, scores[wanted[0].position])
    lead = needed[0] if len(questions) == 1 and asks_for_fact(questions[0]) else None
    if len(join_units(units)) <= WHOLE_SHARE * space.preferred:
        return join_units(lead_with(lead, units))
    scores = score_units(" ".join(questions), units)
    ranked = sorted(units, key=lambda unit: -scores[unit.position])
    near = [u for u in ranked if u.kind == "paragraph" and scores[u.position] >= NEAR_BEST * best > 0]
    chosen = add_fitting(add_fitting([], list(dict.fromkeys(needed)), space.most), near, space.preferred)
    return join_units(lead_with(lead, sorted(chosen, key=lambda unit: unit.position)))


def lead_with(lead: Unit | None, units: Sequence[Unit]) -> Sequence[Unit]:
    """The units with the paragraph that answers first, where it and its neighbours stand on their own."""
    if lead is None or lead not in units or lead.kind != "paragraph" or len({unit.section for unit in units}) > 1:
        return units
    at = units.index(lead)
    rest = [*units[:at], *units[at + 1 :]]
    begins = any(REFERS_BACK.match(fold(unit.text)) for unit in (lead, *units[at + 1 : at + 2]))
    is_torn = begins or any(unit.kind != "paragraph" for unit in rest)
    return units if is_torn else [lead, *rest]


def list_needed(question: str, units: Sequence[Unit], scores: dict[int, float]) -> list[Unit]:
    """The unit that answers, then all that must stand with it: its condition, its steps and what comes of them."""
    is_fact = asks_for_fact(question)

    def rank(unit: Unit) -> tuple[float, bool, int]:
        return round(scores[unit.position], 1), is_fact or unit.kind not in LISTS, -unit.position

    best = max(units, key=rank)
    needed = [best]
    steps = [unit for unit in units if unit.kind == "steps" and unit.section == best.section]
    if steps and not is_fact:
        likely = max(steps, key=lambda unit: scores[unit.position])
        opens = likely.position == best.position + 1
        needed += [likely] if opens or scores[likely.position] >= STEPS_SHARE * scores[best.position] else []
    if is_fact:
        needed += [u for u in units if u.kind in LISTS and u.section == best.section and scores[u.position] > LEAST]
    for unit in list(needed):
        needed += list_context(unit, units)
    return list(dict.fromkeys(needed))


def list_context(unit: Unit, units: Sequence[Unit]) -> list[Unit]:
    """What a unit is not understood without: how its section begins, which is where conditions stand, what it refers
    back to, and around steps the paragraphs before and after them."""
    section = [other for other in units if other.section == unit.section]
    before = [other for other in section if other.position == unit.position - 1]
    after = [other for other in section if other.position == unit.position + 1 and other.kind == "paragraph"]
    context = [other for other in section[:1] if other.kind == "paragraph"]
    if unit.kind == "steps":
        return [*context, *before, *after]
    if before and REFERS_BACK.match(fold(unit.text)):
        return [*context, *before, *list_context(before[0], units)]
    return context


def add_fitting(chosen: list[Unit], more: Sequence[Unit], most: int) -> list[Unit]:
    """With as many of the units in `more`, the first ones first, as stay within `most` characters."""
    for unit in more:
        if unit not in chosen and len(join_units(sorted([*chosen, unit], key=lambda unit: unit.position))) <= most:
            chosen = [*chosen, unit]
    return chosen


def quote_best(question: str, passage: str, space: Space) -> str | None:
    """The one paragraph or list nearest to the question: the shortest answer there is."""
    units = [unit for unit in list_units(passage) if fits(unit, space)]
    scores = score_units(question, units)
    return max(units, key=lambda unit: scores[unit.position]).text if units else None


def fits(unit: Unit, space: Space) -> bool:
    return len(unit.text) <= space.most and (space.links or not (list_links(unit.text) or EMAIL.search(unit.text)))


def asks_for_fact(question: str) -> bool:
    """Whether a paragraph will do: how much, when, is there; rather than how to."""
    folded = fold("\n".join(split_sentences(question)))
    return bool(ASKS_FACT.search(folded)) and not ASKS_WAY.search(folded)


def list_units(passage: str) -> list[Unit]:
    """The paragraphs and lists of a Markdown text, in order, each with the heading it stands under."""
    units: list[Unit] = []
    for number, section in enumerate(list_sections(passage)):
        heading = plain_text(section.line)
        for blocks in keep_steps_whole(section.blocks):
            text = "\n".join(filter(None, (write_block(block) for block in blocks)))
            if text:
                units.append(Unit(text, blocks[-1].kind, number, heading, len(units)))
    return units


def write_block(block: Block) -> str:
    """As plain text; the lines of a paragraph are one, wherever its author broke them."""
    return plain_text(" ".join(block.text.split("\n")) if block.kind == "paragraph" else block.text)


def score_units(question: str, units: Sequence[Unit]) -> dict[int, float]:
    """By position, how much each unit has of the question's words; a word that few units have counts more."""
    asked = list_stems(question)
    found = {unit.position: list_stems(f"{unit.heading} {unit.text}") for unit in units}
    spread = Counter(stem for stems in found.values() for stem in stems)
    wants_number = asks_number(question)
    scores = {at: sum(1 / spread[stem] ** 0.5 for stem in asked & stems) for at, stems in found.items()}
    bonus = {unit.position: NUMBER_BONUS * (wants_number and has_number(unit.text)) for unit in units}
    return {at: score + (bonus[at] if score else 0) + 0.01 / (1 + at) for at, score in scores.items()}


def asks_number(question: str) -> bool:
    return ASKS_NUMBER.search(fold(question)) is not None


def has_number(text: str) -> bool:
    """Whether a number stands in a text, beside those that count its steps."""
    return any(NUMBER.search(LIST_MARK.sub("", line, count=1)) for line in text.splitlines())


def list_stems(text: str) -> set[str]:
    return {stem_word(word) for word in list_words(text) if word not in COMMON_WORDS and len(word) > 1}


def join_units(units: Sequence[Unit]) -> str:
    """The units as they are given, a blank line between them; with their headings where there are several."""
    has_headings = len({unit.section for unit in units}) > 1
    parts: list[str] = []
    last = None
    for unit in units:
        is_new = has_headings and unit.heading and unit.section != last
        parts.append(f"{unit.heading}\n{unit.text}" if is_new else unit.text)
        last = unit.section
    return "\n\n".join(parts)


def quote_further(question: str, passages: Sequence[str], said: str, space: Space) -> str | None:
    """The sentences or the list of `passages` that answer a further question about them, best those that are not in
    `said` (folded); None when the question shares no word with them."""
    units = [unit for passage in passages for unit in list_units(passage) if fits(unit, space)]
    pieces = list(dict.fromkeys(piece for unit in units for piece in cut_pieces(unit)))
    found = [list_stems(piece) for piece in pieces]
    spread = Counter(stem for stems in found for stem in stems)
    asked = list_stems(question)
    bonus = [NUMBER_BONUS * (asks_number(question) and has_number(piece)) for piece in pieces]
    scores = [sum(1 / spread[s] ** 0.5 for s in asked & stems) + more for stems, more in zip(found, bonus, strict=True)]
    news = [score * (1 if fold(piece) in said else NEWS) for piece, score in zip(pieces, scores, strict=True)]
    best = max(news, default=0.0)
    if best <= LEAST:
        return None
    chosen: list[int] = []
    for at in sorted(range(len(pieces)), key=lambda at: -news[at]):
        length = sum(len(pieces[other]) + 1 for other in (*chosen, at))
        if not chosen or (news[at] >= FURTHER * best and length <= space.preferred):
            chosen.append(at)
    return "\n".join(pieces[at] for at in sorted(chosen))


def cut_pieces(unit: Unit) -> list[str]:
    """The sentences of a paragraph, one that refers back with the one before it; the items of a list, steps whole."""
    if unit.kind == "bullets":
        return unit.text.splitlines()
    if unit.kind != "paragraph":
        return [unit.text]
    pieces: list[str] = []
    for sentence in split_sentences(unit.text):
        if pieces and REFERS_BACK.match(fold(sentence)):
            pieces[-1] += f" {sentence}"
        else:
            pieces.append(sentence)
    return pieces
