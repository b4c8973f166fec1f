"""Sentences that say something has been or will be done, held against what the tools of the turn did."""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from agent.check_words import list_content
from agent.evidence import Evidence, Ground, Problem, ReplyDraft
from agent.facts import PERIODS, list_facts
from agent.policy import compile_any, join_lines
from agent.words import split_sentences, stem_word

CUSTOM = 0.6
"""The share of a promise's words that a cited sentence must have to be about the same."""


def find_false_promises(reply: ReplyDraft, evidence: Evidence, ground: Ground) -> Iterator[Problem]:
    """Sentences that say something was or will be done, though no tool of this turn did it."""
    for sentence in split_sentences(reply.body):
        if sentence.endswith(("?", "？", "؟")) or ground.contains(sentence):
            continue
        promised = list_promised(sentence, reply, evidence)
        if any(evidence.done.isdisjoint(tools) for tools in promised) and not is_published(sentence, promised, ground):
            yield Problem("false_promise", f'nothing of this turn has done it: "{sentence[:120]}"')


def is_published(sentence: str, promised: list[frozenset[str]], ground: Ground) -> bool:
    """Whether a cited sentence gives the same time for an answer, or says that it is done. What needs no tool is never
    excused."""
    times = index_times(sentence)
    is_timed = bool(times) and any(times <= index_times(cited) for cited in ground.sentences)
    return all(promised) and (is_timed or any(is_custom(sentence, cited) for cited in ground.sentences))


def is_custom(sentence: str, cited: str) -> bool:
    """Whether a cited sentence says what this one promises."""
    words = [stem_word(word) for word in list_content(sentence)]
    told = {stem_word(word) for word in list_content(cited)}
    return bool(words) and sum(word in told for word in words) >= CUSTOM * len(words)


def index_times(text: str) -> set[tuple[str, str]]:
    """The numbers of a text that count hours, days or other periods."""
    return {(fact.value, fact.unit) for fact in list_facts(text) if fact.kind == "number" and fact.unit in PERIODS}


def is_kept(sentence: str, reply: ReplyDraft, evidence: Evidence) -> bool:
    """Whether a sentence tells of nothing but what tools of this turn did."""
    promised = list_promised(sentence, reply, evidence)
    return bool(promised) and not any(evidence.done.isdisjoint(tools) for tools in promised)


def list_promised(sentence: str, reply: ReplyDraft, evidence: Evidence) -> list[frozenset[str]]:
    """For each kind of promise in a sentence: the tools of which one must have done it."""
    languages = {evidence.language, reply.language.split("-")[0].casefold(), "en"}
    lines = join_lines(sentence)
    return [
        promise["tools"]
        for promise in load_promises().values()
        if any(load_promise(name, code).search(lines) for name, code in promise["patterns"] if code in languages)
    ]


@cache
def read_promises() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "promises.toml").read_text(encoding="utf-8"))


@cache
def load_promises() -> dict[str, dict[str, Any]]:
    return {
        name: {"tools": frozenset(part["tools"]), "patterns": [(name, code) for code in part if code != "tools"]}
        for name, part in read_promises().items()
    }


@cache
def load_promise(name: str, language: str) -> re.Pattern[str]:
    return compile_any(read_promises()[name].get(language, ()), language)
