"""Does a reply stand on something: what was cited, what was said, what tools did. Checked without a second model.

Known gaps: a "not" added or lost, and steps that are worded from the article's words but in a wrong order, pass.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from agent.facts import EMAIL, LIST_MARK, Fact, host_of, list_facts, list_links, squeeze
from agent.language import WORDS, detect_language, find_language
from agent.phrases import is_phrase
from agent.policy import compile_any, join_lines
from agent.text import plain_text
from agent.words import fold, list_words, split_sentences, stem_word

MIN_COVERAGE = 0.5
MIN_CONTENT_WORDS = 3
"""A sentence with fewer is a courtesy, not a statement."""
TEMPLATE_MARKS = re.compile(
    r"\{\{|\}\}|\{%|\{[a-z_]{2,30}\}|\bundefined\b|\bNaN\b|\[object Object\]|\bnull\b|(?<!\w)None(?=[\s.,;:!?]*$)|"
    r"\b(?:Dear|Hello|Hi|Hallo|Bonjour|Hola) None\b|<\/?(?:msg|kb|transcript)\b|\[(?:NAME|INSERT[^\]]*|YOUR [^\]]*)\]",
    re.MULTILINE,
)
UNSEEN = ("unread_image", "unread_audio", "unread_video", "unread_file")
"""Fixed texts that say what we cannot see or hear."""
RECORD_TOOLS = frozenset(("get_customer_history", "create_ticket"))
COMMON_WORDS = frozenset(word for words in WORDS.values() for word in words)


@dataclass(frozen=True, slots=True)
class ReplyDraft:
    """A reply somebody wants to send: its text, the handles it cites, its kind and its language."""

    body: str
    citations: tuple[str, ...]
    kind: str
    language: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All a reply may rest on."""

    passages: dict[str, str]
    """Handle -> title and text of every result of this turn; only the cited ones count."""
    said: tuple[str, ...]
    """The conversation, and what tools other than the search answered."""
    done: frozenset[str]
    """Names of the tools that did their work in this turn."""
    company: str
    allowed_links: tuple[str, ...]
    """Host names a reply may link to or give an address of; their subdomains too."""
    max_chars: int
    language: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a reply may not go out. `code` is one of unsupported_claim, unknown_citation, false_promise, too_long,
    wrong_language, foreign_link, empty, ungrounded; `message` names the words, for whoever writes it again."""

    code: str
    message: str


@dataclass(frozen=True)
class Ground:
    """The cited text and everything else that was said, made ready for whichever comparison is needed."""

    cited: str
    spoken: str

    @classmethod
    def lay(cls, draft: ReplyDraft, evidence: Evidence) -> "Ground":
        raw = "\n".join(evidence.passages[handle] for handle in draft.citations if handle in evidence.passages)
        return cls(f"{raw}\n{plain_text(raw)}", "\n".join((*evidence.said, evidence.company)))

    @cached_property
    def facts(self) -> frozenset[tuple[str, str, str]]:
        found = list_facts(f"{self.cited}\n{self.spoken}")
        return frozenset((fact.kind, fact.value, fact.unit) for fact in found)

    @cached_property
    def squeezed(self) -> str:
        return squeeze(f"{self.cited} {self.spoken}".replace("\n", " "))

    @cached_property
    def quotable(self) -> str:
        """The cited text alone, squeezed."""
        return squeeze(self.cited.replace("\n", " "))

    @cached_property
    def stems(self) -> frozenset[str]:
        return frozenset(stem_word(word) for word in list_words(self.cited))

    def supports(self, fact: Fact) -> bool:
        """A number needs its own unit, or one that is written without any."""
        if fact.kind in ("label", "plan", "path"):
            return fact.value in self.squeezed
        if fact.kind == "number":
            values = {unit for kind, value, unit in self.facts if kind == "number" and value == fact.value}
            return bool(values) if not fact.unit else fact.unit in values or "" in values
        return (fact.kind, fact.value, fact.unit) in self.facts

    def contains(self, sentence: str) -> bool:
        """Whether a sentence stands in the cited text word for word."""
        return squeeze(LIST_MARK.sub("", sentence)) in self.quotable


def check_reply(reply: ReplyDraft, evidence: Evidence) -> tuple[Problem, ...]:
    """Everything that is wrong with a reply, gravest first; an empty tuple lets it out."""
    if not reply.body.strip():
        return (Problem("empty", "the reply has no text"),)
    ground = Ground.lay(reply, evidence)
    return (
        *find_unknown_citations(reply, evidence),
        *find_foreign_links(reply, evidence, ground),
        *find_template_marks(reply, ground),
        *find_false_promises(reply, evidence, ground),
        *find_unsupported_facts(reply, ground),
        *find_ungrounded(reply, evidence, ground),
        *find_wrong_language(reply, evidence, ground),
        *find_excess(reply, evidence),
    )


def find_unknown_citations(reply: ReplyDraft, evidence: Evidence) -> Iterator[Problem]:
    for handle in reply.citations:
        if handle not in evidence.passages:
            yield Problem("unknown_citation", f"{handle[:20]} is not one of this turn's results")


def find_foreign_links(reply: ReplyDraft, evidence: Evidence, ground: Ground) -> Iterator[Problem]:
    """Addresses that are neither ours nor written in a cited article, which a person of the team has published."""
    allowed = [host.casefold().removeprefix("www.") for host in evidence.allowed_links]
    allowed += [host_of(link) for link in list_links(ground.cited)]
    allowed += [email.rsplit("@", 1)[-1].casefold() for email in EMAIL.findall(ground.cited)]
    hosts = [(link, host_of(link)) for link in list_links(reply.body)]
    hosts += [(email, email.rsplit("@", 1)[-1].casefold()) for email in EMAIL.findall(reply.body)]
    for written, host in hosts:
        if not any(host == ours or host.endswith(f".{ours}") for ours in allowed):
            yield Problem("foreign_link", f"{written[:80]} is not an address of ours")


def find_template_marks(reply: ReplyDraft, ground: Ground) -> Iterator[Problem]:
    match = TEMPLATE_MARKS.search(reply.body)
    if match and fold(match.group()) not in fold(ground.cited):
        yield Problem("ungrounded", f"left over from a template: {match.group()[:40]}")


def find_false_promises(reply: ReplyDraft, evidence: Evidence, ground: Ground) -> Iterator[Problem]:
    """Sentences that say something was or will be done, though no tool of this turn did it."""
    for sentence in split_sentences(reply.body):
        if sentence.endswith(("?", "？")) or ground.contains(sentence):
            continue
        lines = join_lines(sentence)
        for promise in load_promises().values():
            if evidence.done.isdisjoint(promise["tools"]) and any(
                load_promise(name, code).search(lines)
                for name, code in promise["patterns"]
                if code in (evidence.language, reply.language.split("-")[0], "en")
            ):
                yield Problem("false_promise", f'nothing of this turn has done it: "{sentence[:120]}"')
                break


def find_unsupported_facts(reply: ReplyDraft, ground: Ground) -> Iterator[Problem]:
    told = set()
    for fact in list_facts(reply.body):
        # An address of ours is checked against the list of hosts and must have been written somewhere as well.
        if not ground.supports(fact) and fact.written not in told:
            told.add(fact.written)
            yield Problem("unsupported_claim", f"no cited result says {fact.written[:60]!r} ({fact.unit or fact.kind})")


def find_ungrounded(reply: ReplyDraft, evidence: Evidence, ground: Ground) -> Iterator[Problem]:
    """Statements whose words the evidence does not contain."""
    if reply.kind != "answer":
        return
    statements = [sentence for sentence in split_sentences(plain_text(reply.body)) if is_statement(sentence)]
    if not reply.citations:
        spoken = frozenset(stem_word(word) for word in list_words(ground.spoken))
        bare = statements if evidence.done.isdisjoint(RECORD_TOOLS) else list_uncovered(statements, spoken)
        if bare:
            yield Problem("ungrounded", f'an answer needs a citation: "{bare[0][:120]}"')
        return
    source = find_language(ground.cited) or evidence.language
    for sentence in list_uncovered(statements, ground.stems):
        # The words of a translation are not those of its source; its numbers and names were checked all the same.
        if detect_language(sentence, source) == source and not ground.contains(sentence):
            yield Problem("ungrounded", f'the cited results do not say: "{sentence[:120]}"')


def is_statement(sentence: str) -> bool:
    """Whether it claims something that evidence has to bear out; that we cannot see a picture needs none."""
    is_claim = not sentence.endswith(("?", "？", ":", "：")) and len(list_content(sentence)) >= MIN_CONTENT_WORDS
    return is_claim and not any(is_phrase(key, sentence) for key in UNSEEN)


def list_uncovered(sentences: list[str], stems: frozenset[str]) -> list[str]:
    return [sentence for sentence in sentences if measure_coverage(sentence, stems) < MIN_COVERAGE]


def measure_coverage(sentence: str, stems: frozenset[str]) -> float:
    """The share of a sentence's content words found in the evidence; longer words, being rarer, weigh more."""
    content = list_content(sentence)
    total = sum(weigh_word(word) for word in content)
    found = sum(weigh_word(word) for word in content if stem_word(word) in stems)
    return found / total if total else 1.0


def weigh_word(word: str) -> float:
    return min(2.0, 0.5 + len(word) / 6)


def list_content(sentence: str) -> list[str]:
    return [word for word in list_words(sentence) if word not in COMMON_WORDS and len(word) > 1]


def find_wrong_language(reply: ReplyDraft, evidence: Evidence, ground: Ground) -> Iterator[Problem]:
    """What the reply says in its own words must be in the customer's language; quotations may stay as they are."""
    wanted = evidence.language.split("-")[0]
    if reply.language.split("-")[0].casefold() != wanted:
        yield Problem("wrong_language", f"the customer writes {wanted}, the reply says it is {reply.language[:20]}")
        return
    own = [sentence for sentence in split_sentences(reply.body) if not ground.contains(sentence)]
    spoken = detect_language("\n".join(own) if own else reply.body, wanted)
    if spoken != wanted:
        yield Problem("wrong_language", f"the customer writes {wanted}, the reply is in {spoken}")


def find_excess(reply: ReplyDraft, evidence: Evidence) -> Iterator[Problem]:
    if len(reply.body) > evidence.max_chars:
        yield Problem("too_long", f"{len(reply.body)} characters, {evidence.max_chars} fit the channel")


@cache
def load_promises() -> dict[str, dict[str, Any]]:
    source = tomllib.loads((Path(__file__).parent / "promises.toml").read_text(encoding="utf-8"))
    return {
        name: {"tools": frozenset(part["tools"]), "patterns": [(name, code) for code in part if code != "tools"]}
        for name, part in source.items()
    }


@cache
def load_promise(name: str, language: str) -> re.Pattern[str]:
    source = tomllib.loads((Path(__file__).parent / "promises.toml").read_text(encoding="utf-8"))
    return compile_any(source[name].get(language, ()), language)
