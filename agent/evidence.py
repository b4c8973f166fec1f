"""What a reply is held against: what was cited, what was said, what tools did, and what must never be told."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from agent.facts import CURRENCIES, LIST_MARK, Fact, list_facts, list_single, squeeze
from agent.guarded import NOTHING_GUARDED, GuardedTexts
from agent.language import find_language
from agent.text import plain_text
from agent.words import list_words, split_sentences, stem_word

NAMES = ("label", "plan", "path")
Index = frozenset[tuple[str, str, str]]
"""Facts as (kind, value, unit)."""
PLAIN_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,6})?")
TIMES = {
    "second": ("second", 1), "minute": ("second", 60), "hour": ("second", 3600), "day": ("second", 86_400),
    "week": ("second", 604_800), "month": ("month", 1), "year": ("month", 12),
}  # fmt: skip
SIZES = ("byte", "kilobyte", "megabyte", "gigabyte", "terabyte")


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
            return is_same or self.has_amount(fact) or is_computed(fact, self.facts, self.claimed_facts)
        if fact.kind == "rate":
            periods = {unit for kind, value, unit in self.facts if kind == "rate" and value == fact.value}
            return not periods or fact.unit in periods
        if fact.kind == "bound":
            told = {unit for kind, value, unit in self.facts if kind == "bound" and value == fact.value}
            return not told or fact.unit in told
        return has_fact(fact, self.facts, self.squeezed)

    def has_amount(self, fact: Fact) -> bool:
        """Whether a time is told in another unit: two weeks for 14 days."""
        told = measure_time(fact.value, fact.unit)
        return told is not None and any(
            kind == "number" and measure_time(value, unit) == told for kind, value, unit in self.facts
        )

    def claims(self, fact: Fact) -> bool:
        """Whether the customer said so."""
        return has_fact(fact, self.claimed_facts, self.squeezed_claims)

    def contains(self, sentence: str) -> bool:
        """Whether a sentence stands in the cited text word for word."""
        return squeeze(LIST_MARK.sub("", sentence)) in self.quotable


def list_stems(text: str) -> frozenset[str]:
    return frozenset(stem_word(word) for word in list_words(text))


def index_facts(text: str) -> Index:
    facts = (*list_facts(text), *list_single(text, is_loose=True))
    return frozenset((fact.kind, fact.value, fact.unit) for fact in facts)


def measure_time(value: str, unit: str) -> tuple[str, Decimal] | None:
    """A time in seconds, or in months, which no number of days is; None for anything else."""
    base, size = TIMES.get(unit, ("", 0))
    return (base, Decimal(value) * size) if base and PLAIN_NUMBER.fullmatch(value) else None


def is_computed(fact: Fact, known: Index, claimed: Index) -> bool:
    """Whether a total is what the customer asked for times a price, or a count is what makes up their total."""
    if not PLAIN_NUMBER.fullmatch(fact.value):
        return False
    value, counts = Decimal(fact.value), list_counts(known, claimed)
    if fact.unit in ("", "any"):
        return value in counts - {Decimal(value) for value, _ in list_amounts(claimed)}
    prices = {Decimal(price) for price, unit in list_amounts(known) if unit == fact.unit}
    return fact.unit in CURRENCIES and any(count * price == value for count in counts for price in prices)


def list_counts(known: Index, claimed: Index) -> set[Decimal]:
    """How many the customer speaks of, and how many of a known size make up what they want."""
    sizes, wanted = list_amounts(known), list_amounts(claimed)
    counts = {Decimal(value) for value, unit in wanted if unit in ("", "any")}
    return counts | {
        Decimal(total) / Decimal(size)
        for total, unit in wanted
        for size, size_unit in sizes
        if unit == size_unit and unit in SIZES and Decimal(size) and not Decimal(total) % Decimal(size)
    }


def list_amounts(index: Index) -> set[tuple[str, str]]:
    return {(value, unit) for kind, value, unit in index if kind == "number" and PLAIN_NUMBER.fullmatch(value)}


def has_fact(fact: Fact, known: Index, squeezed: str) -> bool:
    if fact.kind in NAMES:
        return re.search(rf"(?<!\w){re.escape(fact.value)}(?!\w)", squeezed) is not None
    if fact.kind == "number":
        return any(kind == "number" and value == fact.value for kind, value, _ in known)
    return (fact.kind, fact.value, fact.unit) in known
