"""Which messages must, or may well, go to a person: rules that hold whatever a model thinks."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from agent.brief import Category, Escalation
from agent.language import find_language
from agent.words import fold, list_words, split_sentences

MAX_CHARS = 8192
SHORT_CHARS = 160
"""A text this short may be in any language, so the rules of all of them are asked."""

REASONS: dict[str, tuple[Category, bool]] = {
    "safety": ("general", True),
    "legal": ("legal", True),
    "security": ("security", True),
    "account_deletion": ("account", True),
    "billing_dispute": ("billing", True),
    "human_wanted": ("general", True),
    "data_loss": ("technical", False),
    "outage": ("technical", False),
    "repeated_failure": ("general", False),
    "churn_risk": ("general", False),
    "anger": ("general", False),
}
"""Reason -> (the queue it goes to, whether a model may not overrule it), gravest first."""

OWN_CASE_ONLY = frozenset(("billing_dispute",))
"""Reasons whose very words are also those of everyday questions, such as "how long does a refund take"."""

TITLE_WORDS = 3
"""A subject of more words than this may tell a case."""

OPENING_CHARS = 26
"""Where the words that make a sentence a question must stand when it has no question mark."""

LATIN_LANGUAGES = ("en", "de", "fr", "es", "pt", "it", "nl", "pl", "tr", "ur")
LOOSE_START = frozenset(("ja", "zh", "hi", "ar"))
NEVER = re.compile(r"(?!)")
GAP = r"[^.!?\n]{0,40}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason in one language, over lines of folded text, a sentence to a line."""

    strong: re.Pattern[str]
    topic: re.Pattern[str]
    exception: re.Pattern[str]
    hint: re.Pattern[str]

    def find(self, reader: "Reader", *, topics: bool, own_case_only: bool) -> Iterator[tuple[str, str]]:
        """The words that speak for the reason, each with its sentence; that is "" for those of a mere topic.

        topics: whether a topic counts at all. own_case_only: whether a question for information that names no case
        silences strong words too, and the topic in the title above it.
        """
        is_information = reader.is_question if own_case_only else reader.is_information
        parts = ((self.strong, own_case_only), (self.topic, True)) if topics else ((self.strong, own_case_only),)
        for pattern, silenced in parts:
            for match in pattern.finditer(reader.lines):
                line = surrounding_line(reader.lines, match.start(), match.end())
                if self.exception.search(line) or (silenced and is_information(line)):
                    continue
                if not (own_case_only and pattern is self.topic and reader.is_title(line, self.topic)):
                    yield match.group()[:80].strip(), line if pattern is self.strong else ""


def find_escalations(text: str, language: str) -> tuple[Escalation, ...]:
    """The reasons to hand this text to a person, gravest first, at most one of each.

    Only the first 8 KB are read. `language` is the conversation's; English and what the text looks like are tried too.
    """
    reader = Reader(join_lines(text), *choose_languages(text, language))
    found = (reader.find_reason(reason) for reason in REASONS)
    return tuple(escalation for escalation in found if escalation is not None)


@dataclass(frozen=True, slots=True)
class Reader:
    """A folded text, the languages it is likely in, and others whose plain words may still occur in it."""

    lines: str
    likely: tuple[str, ...]
    others: tuple[str, ...]

    def find_reason(self, reason: str) -> Escalation | None:
        category, must = REASONS[reason]
        for language in (*self.likely, *self.others):
            rule, is_likely = load_rule(reason, language), language in self.likely
            found = list(rule.find(self, topics=is_likely, own_case_only=reason in OWN_CASE_ONLY))
            if found:
                said = tuple(dict.fromkeys(line for _, line in found if line))
                return Escalation(reason, category, must, f"{language}: {found[0][0]}", said=said)
        return None

    def is_information(self, line: str) -> bool:
        return any(asks_for_information(line, language) for language in self.likely)

    def is_question(self, line: str) -> bool:
        """A question for information that names no case of the customer's own."""
        return self.is_information(line) and not self.names_case(line)

    def is_title(self, line: str, topic: re.Pattern[str]) -> bool:
        """A few words that name no case, such as the subject of a form, with a question about the same topic."""
        if len(list_words(line)) > TITLE_WORDS or self.names_case(line):
            return False
        return any(topic.search(other) and self.is_question(other) for other in self.lines.splitlines())

    def names_case(self, line: str) -> bool:
        return any(load_list("case", language).search(line) for language in self.likely)


def asks_for_information(line: str, language: str) -> bool:
    """Whether a sentence opens like a question for information, or is a question and has such words anywhere."""
    pattern = load_list("information", language)
    if language in LOOSE_START or line.endswith("?"):
        return bool(pattern.search(line))
    return bool(pattern.search(line, 0, OPENING_CHARS))


def make_escalation(reason: str, matched: str, *, must: bool | None = None) -> Escalation:
    """An escalation found by other means than a rule; it goes where the rule's would."""
    category, usual = REASONS[reason]
    return Escalation(reason, category, usual if must is None else must, matched)


def is_information_question(text: str, language: str) -> bool:
    """Whether the text asks how something works, rather than about the customer's own case."""
    reader = Reader(join_lines(text), *choose_languages(text, language))
    return any(reader.is_information(line) for line in reader.lines.splitlines())


@lru_cache(maxsize=32)  # asked for the same text by every list of phrases
def join_lines(text: str) -> str:
    sentences = split_sentences(text[:MAX_CHARS])
    return "\n".join(" ".join(fold(sentence).split()) for sentence in sentences)


def surrounding_line(lines: str, start: int, end: int) -> str:
    after = lines.find("\n", end)
    return lines[lines.rfind("\n", 0, start) + 1 : after if after >= 0 else len(lines)]


def choose_languages(text: str, language: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The languages the text is likely in, and those that a short text in Latin letters may be in as well."""
    detected = find_language(text)
    known = load_rules()["information"]
    likely = tuple(code for code in dict.fromkeys((language, detected or language, "en")) if code in known)
    if len(text) > SHORT_CHARS or detected is not None:
        return likely, ()
    return likely, tuple(code for code in LATIN_LANGUAGES if code not in likely)


@cache
def load_rules() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "policy_rules.toml").read_text(encoding="utf-8"))


@cache
def load_rule(reason: str, language: str) -> Rule:
    patterns = load_rules()[reason].get(language, {})
    return Rule(*(compile_any(patterns.get(part, ()), language) for part in ("strong", "topic", "never", "hint")))


@cache
def load_list(name: str, language: str) -> re.Pattern[str]:
    """One of the lists that belong to no reason: `information`, `case`."""
    return compile_any(load_rules()[name].get(language, ()), language)


def compile_any(patterns: tuple[str, ...] | list[str], language: str) -> re.Pattern[str]:
    """One expression for all patterns, written for folded text; see the head of the rules file for their notation."""
    if not patterns:
        return NEVER
    start = "" if language in LOOSE_START else r"(?<!\w)"
    spelt = (spell_out(pattern) if language == "de" else pattern for pattern in patterns)
    body = "|".join(fold(pattern).replace("~?", GAP + "?").replace("~", gaps(language)) for pattern in spelt)
    return re.compile(f"{start}(?:{body})", re.MULTILINE)


def spell_out(pattern: str) -> str:
    """A German pattern that also finds "loeschen" for "löschen"."""
    return re.sub("[äöü]", lambda match: f"{fold(match.group())}e?", pattern)


def gaps(language: str) -> str:
    """What `~` stands for: a word begins behind it, except where words are glued together."""
    return GAP + r"(?<!\w)" if language == "en" else GAP
