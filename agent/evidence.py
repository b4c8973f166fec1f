"""What a reply is held against: what was cited, what was said, what tools did, and what must never be told."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from agent.check_words import DRAWN
from agent.days import list_implied
from agent.fact_words import Fact
from agent.facts import LIST_MARK, list_facts, list_single, locate_numbers, squeeze
from agent.guarded import NOTHING_GUARDED, GuardedTexts
from agent.language import find_language
from agent.reckoning import Index, is_computed, is_reckoned, is_same_amount
from agent.words import list_words, split_sentences, stem_word
from db.text import plain_text

NAMES = ("label", "plan", "path")
LEADING = 120  # characters between a path and what it says to choose there
CHOOSE = r"\b(?:choose|chooses|click|press|tap|select|tick|wählen sie|choisissez|elija|elige|escolha|scelga|kies)"


@dataclass(frozen=True, slots=True)
class ReplyDraft:
    """A reply somebody wants to send: its text, the handles it cites, its kind and its language."""

    body: str
    citations: tuple[str, ...]
    kind: str
    language: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All a reply may rest on, and what it may not tell."""

    passages: dict[str, str]
    """Handle -> title and text of every result of this turn; only the cited ones count."""
    said: tuple[str, ...]
    """What we said in this conversation, and what tools other than the search answered."""
    done: frozenset[str]
    """Names of the tools that did their work in this turn."""
    company: str
    allowed_links: tuple[str, ...]
    """Host names a reply may link to or give an address of, and their subdomains. A citation makes no host ours."""
    max_chars: int
    language: str
    claimed: tuple[str, ...] = ()
    """What the customer wrote. A reply may come back to it, but not assert it: a price they name is theirs."""
    plan: str | None = None
    """The customer's plan, None where it is not known."""
    passage_plans: Mapping[str, str] = field(default_factory=dict)
    """Handle -> the plan an article holds for; those that hold for all are left out."""
    guarded: GuardedTexts = NOTHING_GUARDED
    """Internal articles and our own policy."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a reply may not go out; `message` names the words, for whoever writes it again.

    `code` is one of empty, internal, unknown_citation, pasted, foreign_link, false_promise, unsupported_claim,
    wrong_plan, contradiction, ungrounded, wrong_language, too_long.
    """

    code: str
    message: str


@dataclass(frozen=True)
class Ground:
    """The cited text and everything else that was said, made ready for whichever comparison is needed."""

    cited: str
    spoken: str
    claimed: str
    company_language: str

    @classmethod
    def lay(cls, draft: ReplyDraft, evidence: Evidence) -> "Ground":
        raw = "\n".join(evidence.passages[handle] for handle in draft.citations if handle in evidence.passages)
        spoken = "\n".join((*evidence.said, evidence.company))
        return cls(f"{raw}\n{plain_text(raw)}", spoken, "\n".join(evidence.claimed), evidence.language)

    @cached_property
    def language(self) -> str:
        """What the cited text is written in."""
        return find_language(self.cited) or self.company_language

    @cached_property
    def facts(self) -> Index:
        return index_facts(f"{self.cited}\n{self.spoken}")

    @cached_property
    def claimed_facts(self) -> Index:
        return index_facts(self.claimed)

    @cached_property
    def squeezed(self) -> str:
        return squeeze(f"{self.cited} {self.spoken}".replace("\n", " "))

    @cached_property
    def squeezed_claims(self) -> str:
        return squeeze(self.claimed.replace("\n", " "))

    @cached_property
    def quotable(self) -> str:
        """The cited text alone, squeezed."""
        return squeeze(self.cited.replace("\n", " "))

    @cached_property
    def stems(self) -> frozenset[str]:
        return list_stems(self.cited)

    @cached_property
    def spoken_stems(self) -> frozenset[str]:
        return list_stems(self.spoken)

    @cached_property
    def claimed_stems(self) -> frozenset[str]:
        return list_stems(self.claimed)

    @cached_property
    def sentences(self) -> list[str]:
        """Those of the cited text, without marks of emphasis."""
        return list(dict.fromkeys(split_sentences(plain_text(self.cited))))

    def supports(self, fact: Fact, *, same_language: bool) -> bool:
        """A number needs its own unit, or one that stands alone; a rate or a bound must not be said otherwise.

        In another language a number may stand before a word we do not know for a unit.
        """
        if fact.kind == "number":
            units = {unit for kind, value, unit in self.facts if kind == "number" and value == fact.value}
            is_open = fact.unit == "any" or (fact.unit == "" and not same_language)
            is_same = fact.unit in units or "any" in units or (is_open and bool(units))
            return is_same or is_same_amount(fact, self.facts) or is_computed(fact, self.facts, self.claimed_facts)
        if fact.kind == "rate":
            periods = {unit for kind, value, unit in self.facts if kind == "rate" and value == fact.value}
            return not periods or fact.unit in periods
        if fact.kind == "bound":
            told = {unit for kind, value, unit in self.facts if kind == "bound" and value == fact.value}
            return not told or fact.unit in told
        return has_fact(fact, self.facts, self.squeezed)

    def shows(self, fact: Fact, body: str) -> bool:
        """Whether a number is reckoned from others that the reply tells and the ground has, or the customer's."""
        told = {number.fact for loosely in (True, False) for number in locate_numbers(body, is_loose=loosely)}
        known = [other for other in told if other != fact and self.supports(other, same_language=True)]
        return is_reckoned(fact, known, self.claimed_facts)

    def claims(self, fact: Fact) -> bool:
        """Whether the customer said so."""
        return has_fact(fact, self.claimed_facts, self.squeezed_claims)

    def contains(self, sentence: str) -> bool:
        """Whether a sentence stands in the cited text word for word."""
        return squeeze(LIST_MARK.sub("", sentence)) in self.quotable


def list_stems(text: str) -> frozenset[str]:
    return frozenset(stem_word(DRAWN.sub("", word)) for word in list_words(text))


def index_facts(text: str) -> Index:
    counted = [number.fact for number in locate_numbers(LIST_MARK.sub(" ", text), is_loose=True)]
    facts = (*list_facts(text), *list_single(text, is_loose=True), *counted, *list_implied(text))
    return frozenset((fact.kind, fact.value, fact.unit) for fact in facts)


def has_fact(fact: Fact, known: Index, squeezed: str) -> bool:
    if fact.kind in NAMES:
        is_there = re.search(rf"(?<!\w){re.escape(fact.value)}(?!\w)", squeezed) is not None
        return is_there or (fact.kind == "path" and leads_on(fact, squeezed))
    if fact.kind == "number":
        return any(kind == "number" and value == fact.value for kind, value, _ in known)
    return (fact.kind, fact.value, fact.unit) in known


def leads_on(step: Fact, squeezed: str) -> bool:
    """Whether a path goes on with what is chosen where it leads: "Open A > B and choose C" told as A > B > C."""
    place, _, choice = (re.escape(part) for part in step.value.partition(">"))
    return re.search(rf">{place}\b[^>]{{0,{LEADING}}}{CHOOSE} {choice}(?!\w)", squeezed) is not None
