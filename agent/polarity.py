"""A "not" added or lost, and words turned into their contrary, against the cited sentence a reply comes nearest to."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from agent.check_words import is_content, load_pattern, load_set, load_words, weigh_word
from agent.evidence import Evidence, Ground, Problem, ReplyDraft
from agent.language import detect_language
from agent.words import fold, list_words, split_sentences, stem_word
from db.text import plain_text

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
    scopes: tuple[frozenset[str], ...]
    """For each "not" the words it surely denies."""
    trailing: str | None
    """The word before a "not" that nothing follows."""

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
        """Whether a word is affirmed by one of the two and denied by the other, if not by a "not" that both have."""
        split = {word for word, signs in self.signs.items() if other.signs.get(word, signs).isdisjoint(signs)}
        return not split <= self.list_excused(other) | other.list_excused(self)

    def is_apart(self, other: "Clause", plans: frozenset[str]) -> bool:
        """Whether the two speak of different plans: what one has the other may lack."""
        mine, its = self.signs.keys() & plans, other.signs.keys() & plans
        return bool(mine and its) and mine.isdisjoint(its)

    def list_excused(self, other: "Clause") -> frozenset[str]:
        """Words that a "not" reaches which the other clause has as well: it denies the same there, or, where it stands
        last, all that was said."""
        theirs = frozenset().union(*other.scopes)
        excused = [scope for scope in self.scopes if scope & theirs or (scope <= {self.trailing} and other.scopes)]
        return frozenset(word for scope in excused for word in scope if word not in load_words()["opposites"])


def find_contradictions(reply: ReplyDraft, evidence: Evidence, ground: Ground) -> Iterator[Problem]:
    """Clauses that say the contrary of what is cited. Only in the language of the article: elsewhere words differ."""
    if not reply.citations:
        return
    language = ground.language
    plans = frozenset(stem_word(fold(plan)) for plan in (*evidence.guarded.plans, evidence.plan or ""))
    cited = [clause for sentence in ground.sentences for clause in list_clauses(sentence, language)]
    for sentence in split_sentences(plain_text(reply.body)):
        if ground.contains(sentence) or sentence.endswith("?"):
            continue
        if detect_language(sentence, reply.language[:2].casefold()) != language:
            continue
        for clause in list_clauses(sentence, language):
            if not is_fragment(clause, sentence) and (
                contrary := find_contrary(clause, [other for other in cited if not clause.is_apart(other, plans)])
            ):
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
    spoken = load_pattern("idle", "patterns").sub(" ", fold(text))
    words = [word for word in list_words(spoken) if word not in load_set("quantities", "words")]
    signs: dict[str, frozenset[bool]] = {}
    scopes: list[set[str]] = []
    last: str | None = None
    trailing: str | None = None
    denied = -1
    for at, word in enumerate(words):
        if is_negation(word, negations):
            if not any(is_content(later) for later in words[at + 1 :]) and last:
                signs[last] = frozenset(not sign for sign in signs[last])
                scopes.append({last})
                trailing = last
            elif at + 1 == len(words) or words[at + 1] not in emphasis:
                denied = 0
                scopes.append(set())
            continue
        stem, sign = find_opposite(word)
        if stem is None and not is_content(word):
            continue
        last = stem or stem_word(word)
        is_denied = 0 <= denied < REACH
        signs[last] = signs.get(last, frozenset()) | (EITHER if denied >= REACH else frozenset((sign != is_denied,)))
        if is_denied:
            scopes[-1].add(last)
        denied += denied >= 0
    is_universal = not load_set("universal", "words").isdisjoint(words)
    return Clause(text.strip(), signs, is_universal, tuple(map(frozenset, scopes)), trailing)


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
