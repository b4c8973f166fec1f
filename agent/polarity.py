"""A "not" added or lost, and words turned into their contrary, against the cited sentence a reply comes nearest to."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from agent.check_words import is_content, load_set, load_words, weigh_word
from agent.evidence import Ground, Problem, ReplyDraft
from agent.language import detect_language
from agent.text import plain_text
from agent.words import fold, list_words, split_sentences, stem_word

REACH = 2
"""So many words that carry meaning are surely denied by a "not" before them; of those further on nobody can tell."""
NEAR = 0.55
"""The share of a clause's words that a cited clause must have to be about the same."""
MIN_SIGNS = 2
"""A word alone is a point of a list, whose verb with its \"not\" stands elsewhere."""
MARGIN = 0.15
"""A cited clause that says it as the reply does counts even when it is this much further away."""
CLAUSE_END = re.compile(r"[;:,()—–!?]+|\.(?=\s|$)|\s-\s|\b(?:but|aber|mais|pero|ma|maar|ale|ama|но)\b|[、。，；]")
JOINT = re.compile(r"\b(?:and|und|et|y|e|en|i|ve|и)\b")
EITHER = frozenset((True, False))


@dataclass(frozen=True, slots=True)
class Clause:
    """What a clause speaks of: each word with whether it is affirmed, denied, or either."""

    written: str
    signs: dict[str, frozenset[bool]]
    is_universal: bool
    """Nothing, nobody: whatever it denies is denied of all."""

    @property
    def weight(self) -> float:
        return sum(map(weigh_word, self.signs))

    def share_in(self, other: "Clause") -> float:
        """How much of this clause the other one has."""
        found = sum(weigh_word(word) for word in self.signs if word in other.signs)
        return found / self.weight if self.weight else 0.0

    def nearness(self, other: "Clause") -> float:
        """How much alike the two are, 0 to 1; 0 when this one speaks of other things as well."""
        mine, its = self.share_in(other), other.share_in(self)
        if its < NEAR / 2 or (mine < NEAR and not (other.is_universal and its >= 1)):
            return 0.0
        return 2 * mine * its / (mine + its)

    def contradicts(self, other: "Clause") -> bool:
        """Whether a word is affirmed by one of the two and denied by the other."""
        return any(other.signs.get(word, signs).isdisjoint(signs) for word, signs in self.signs.items())


def find_contradictions(reply: ReplyDraft, ground: Ground) -> Iterator[Problem]:
    """Clauses that say the contrary of what is cited. Only in the language of the article: elsewhere words differ."""
    if not reply.citations:
        return
    language = ground.language
    cited = [clause for sentence in ground.sentences for clause in list_clauses(sentence, language)]
    for sentence in split_sentences(plain_text(reply.body)):
        if ground.contains(sentence) or sentence.endswith("?"):
            continue
        if detect_language(sentence, reply.language[:2].casefold()) != language:
            continue
        for clause in list_clauses(sentence, language):
            if not is_fragment(clause, sentence) and (contrary := find_contrary(clause, cited)):
                yield Problem("contradiction", f'"{sentence[:100]}" against what is cited: "{contrary.written[:100]}"')
                break


def is_fragment(clause: Clause, sentence: str) -> bool:
    return len(clause.signs) < MIN_SIGNS and clause.written != sentence.strip(" .!-*•")


def find_contrary(clause: Clause, cited: list[Clause]) -> Clause | None:
    """The nearest cited clause if it denies what this one affirms, or the other way round; None when another one,
    about as near, agrees."""
    near = [(clause.nearness(other), other) for other in cited]
    best = max((nearness for nearness, _ in near), default=0.0)
    close = [other for nearness, other in near if nearness and nearness >= best - MARGIN]
    if not close or not all(clause.contradicts(other) for other in close):
        return None
    return close[0]


def list_clauses(sentence: str, language: str) -> list[Clause]:
    """The clauses of a sentence, and the halves of those that an "and" joins."""
    parts = [part for part in CLAUSE_END.split(sentence) if part and part.strip()]
    halves = [half for part in parts if not is_shared(part, language) for half in JOINT.split(part) if half != part]
    clauses = [read_clause(part, language) for part in dict.fromkeys((*parts, *halves))]
    return [clause for clause in clauses if clause.signs]


def is_shared(part: str, language: str) -> bool:
    """Whether the halves of a clause may share a "not": of "cannot be changed and deleted" both are denied."""
    signs = [sign for signs in read_clause(part, language).signs.values() for sign in signs]
    return False in signs and JOINT.search(part) is not None


def read_clause(text: str, language: str) -> Clause:
    """The words of a clause with their signs: a negation denies the next two, or the one before where none follow."""
    negations, emphasis = load_set("negations", language), load_set("emphasis", "words")
    words = [word for word in list_words(text) if word not in load_set("quantities", "words")]
    signs: dict[str, frozenset[bool]] = {}
    last: str | None = None
    denied = -1
    for at, word in enumerate(words):
        if is_negation(word, negations):
            if not any(is_content(later) for later in words[at + 1 :]) and last:
                signs[last] = frozenset(not sign for sign in signs[last])
            if at + 1 == len(words) or words[at + 1] not in emphasis:
                denied = 0
            continue
        stem, sign = find_opposite(word)
        if stem is None and not is_content(word):
            continue
        last = stem or stem_word(word)
        sure = frozenset((sign != (0 <= denied < REACH),))
        signs[last] = signs.get(last, frozenset()) | (EITHER if denied >= REACH else sure)
        denied += denied >= 0
    return Clause(text.strip(), signs, not load_set("universal", "words").isdisjoint(words))


def is_negation(word: str, negations: frozenset[str]) -> bool:
    return word in negations or word.endswith("n't")


@cache
def load_opposites() -> dict[str, tuple[str, bool]]:
    return {
        fold(word): (name, side == 0)
        for name, sides in load_words()["opposites"].items()
        for side, words in enumerate(sides)
        for word in words.split()
    }


def find_opposite(word: str) -> tuple[str | None, bool]:
    """The name two contrary words share, and which of the two this is; (None, True) for any other word."""
    return load_opposites().get(word, (None, True))
