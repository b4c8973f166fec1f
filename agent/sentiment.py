"""The mood of a support message, from words, negation, shouting and marks; no model file, the same on every machine."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agent.brief import Label, Sentiment
from agent.language import find_language
from agent.words import WORD, fold, split_sentences

MAX_CHARS = 8192
WEIGHTS = {"good_strong": 3.0, "good": 2.0, "good_mild": 1.0, "bad_strong": -3.0, "bad": -2.0, "bad_mild": -0.8}
NEGATION_WINDOW = 3
SPREAD = 12.0
"""How fast the score saturates: a sum of 3.5 gives 0.71."""
RAGE_WEIGHT = -2.9
ANGRY_SCORE, NEGATIVE_SCORE, POSITIVE_SCORE = -0.6, -0.2, 0.3
MOOD_SCORES: dict[Label, float] = {"positive": 0.9, "neutral": 0.0, "negative": -0.6, "angry": -1.0}
WORDS_SHARE = 0.3
SHOUT = re.compile(r"\b[A-Z\u00c0-\u00de]{3,}\b")
EXCLAIM = re.compile(r"[!！]{2,}|[?!]*\?![?!]*|!\?|\?{2,}")
REQUEST = re.compile(r"\?|？|\b(please|could you|can you|bitte|svp|por favor|per favore|alstublieft)\b")


SOURCE = tomllib.loads((Path(__file__).parent / "sentiment_words.toml").read_text(encoding="utf-8"))
THANKS, BUT, ACRONYMS = (frozenset(SOURCE["marks"][name].split()) for name in ("thanks", "but", "acronyms"))
MARK_WEIGHTS = {
    mark: weight for name, weight in (("joy", 1.5), ("sadness", -1.5), ("rage", -3.0)) for mark in SOURCE["marks"][name]
}


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The words of one language: exact ones, beginnings, fixed phrases, and what turns or raises them."""

    exact: dict[str, float]
    starts: dict[str, float]
    phrases: dict[tuple[str, ...], float]
    negations: frozenset[str]
    boosters: frozenset[str]

    def weigh(self, word: str) -> float:
        if word in self.exact:
            return self.exact[word]
        for length in range(len(word), 2, -1):
            if word[:length] in self.starts:
                return self.starts[word[:length]]
        return 0.0


@dataclass(slots=True)
class Tally:
    """What was found so far, and how much of it is rage."""

    total: float
    rage: int
    signals: list[str]

    def add(self, weight: float, signal: str) -> None:
        self.total += weight
        if abs(weight) >= 0.5:
            self.signals.append(signal)


def score_sentiment(text: str, language: str) -> Sentiment:
    """The mood of `text`. `language` is the conversation's; another is recognised. Only the first 8 KB are read."""
    text = text[:MAX_CHARS]
    tally = Tally(0.0, 0, [])
    detected = find_language(text) or language
    for sentence in split_sentences(text):
        score_words(sentence, load_lexicon(detected), tally)
    score_fragments(fold(text), detected, tally)
    score_marks(text, tally)
    score = round(tally.total / (tally.total**2 + SPREAD) ** 0.5, 3) if tally.total else 0.0
    return Sentiment(score, label_score(score, tally.rage), tuple(dict.fromkeys(tally.signals))[:8])


def blend_mood(words: Sentiment, moods: Mapping[Label, float], *, is_angry: bool) -> Sentiment:
    """The mood that words and labelled examples give together; the examples choose the label.

    moods: how much the examples speak for each label, near 0 to near 1. is_angry: whether they are sure of anger.
    """
    weights = {label: max(0.0, moods[label]) for label in MOOD_SCORES}
    total = sum(weights.values()) or 1.0
    learnt = sum(MOOD_SCORES[label] * weight for label, weight in weights.items()) / total
    label: Label = "angry" if is_angry else max(("positive", "neutral", "negative"), key=lambda one: moods[one])
    score = round(max(-1.0, min(1.0, WORDS_SHARE * words.score + (1 - WORDS_SHARE) * learnt)), 3)
    return Sentiment(score, label, words.signals)


def label_score(score: float, rage: int) -> Label:
    if score <= ANGRY_SCORE and rage >= 1:
        return "angry"
    if score <= NEGATIVE_SCORE:
        return "negative"
    return "positive" if score >= POSITIVE_SCORE else "neutral"


def score_words(sentence: str, lexicon: Lexicon, tally: Tally) -> None:
    words = WORD.findall(fold(sentence))
    found = list(weigh_words(words, lexicon))
    turn = max((at for at, word in enumerate(words) if word in BUT), default=None)
    bare_thanks = is_bare_thanks(sentence, words, found)
    for at, weight, signal in found:
        if bare_thanks and words[at] in THANKS:
            continue
        if turn is not None:
            weight *= 1.4 if at > turn else 0.5
        if weight <= RAGE_WEIGHT:
            tally.rage += 1
        tally.add(weight, signal)


def is_bare_thanks(sentence: str, words: list[str], found: list[tuple[int, float, str]]) -> bool:
    """Thanks beside a request or a complaint are manners, not joy."""
    others = [weight for at, weight, _ in found if words[at] not in THANKS]
    return min(others, default=0.0) < 0 or (bool(REQUEST.search(fold(sentence))) and not any(w > 1 for w in others))


def weigh_words(words: list[str], lexicon: Lexicon) -> Iterator[tuple[int, float, str]]:
    at = 0
    while at < len(words):
        phrase = next((p for n in (5, 4, 3, 2) if (p := tuple(words[at : at + n])) in lexicon.phrases), None)
        if phrase is not None:
            if lexicon.phrases[phrase]:
                yield at, lexicon.phrases[phrase], " ".join(phrase)
            at += len(phrase)
            continue
        weight = lexicon.weigh(words[at])
        if weight:
            before = words[max(0, at - NEGATION_WINDOW) : at]
            yield at, modify(weight, before, lexicon), words[at]
        at += 1


def modify(weight: float, before: list[str], lexicon: Lexicon) -> float:
    if before and before[-1] in lexicon.boosters:
        weight *= 1.4
    if any(word in lexicon.negations for word in before):
        # "not bad" is mild praise, "not good" is a complaint: the turn is never as strong as the plain word.
        return -0.7 * weight if weight > 0 else (-0.4 * weight if weight > RAGE_WEIGHT else 0.4)
    return weight


def score_fragments(folded: str, language: str, tally: Tally) -> None:
    for part, pattern in load_fragments(language).items():
        for match in pattern.finditer(folded):
            tally.rage += part == "bad_strong"
            tally.add(WEIGHTS[part], match.group())


def score_marks(text: str, tally: Tally) -> None:
    for mark in text:
        if mark in MARK_WEIGHTS:
            tally.rage += MARK_WEIGHTS[mark] <= RAGE_WEIGHT
            tally.add(MARK_WEIGHTS[mark], mark)
    shouted = [word for word in SHOUT.findall(text) if word not in ACRONYMS]
    loud = bool(EXCLAIM.search(text))
    if (len(shouted) >= 2 or (shouted and loud)) and tally.total < 0.5:
        tally.rage += 1
        tally.add(-1.5, "caps")
    if loud and tally.total:
        tally.rage += tally.total <= -1.5
        tally.add(1.0 if tally.total > 0 else -1.2, "!!")


@cache
def load_lexicon(language: str) -> Lexicon:
    source = SOURCE.get(language, {})
    exact: dict[str, float] = {}
    starts: dict[str, float] = {}
    for part, weight in WEIGHTS.items():
        for word in fold(source.get(part, "")).split():
            if word.endswith("*"):
                starts.setdefault(word[:-1], weight)
            else:
                exact.setdefault(word, weight)
    phrases = {tuple(WORD.findall(fold(phrase))): float(w) for phrase, w in source.get("phrases", {}).items()}
    negations, boosters = (frozenset(fold(source.get(part, "")).split()) for part in ("negations", "boosters"))
    return Lexicon(exact, starts, phrases, negations, boosters)


@cache
def load_fragments(language: str) -> dict[str, re.Pattern[str]]:
    source = SOURCE["fragments"].get(language, {})
    return {part: re.compile(fold(pattern)) for part, pattern in source.items()}
