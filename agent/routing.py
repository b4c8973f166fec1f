"""The queue of a message: what its examples say, what its words say, and what the rules found in it."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from agent.brief import Category, Escalation
from agent.classify import CATEGORIES, Guess
from agent.policy import choose_languages, compile_any, join_lines

WORD_WEIGHT, RULE_WEIGHT, HINT_WEIGHT = 1.8, 1.8, 0.5
RULES_THAT_ROUTE = {"legal": 1.0, "security": 1.0, "billing_dispute": 0.8, "account_deletion": 1.0, "human_wanted": 0.7,
                    "data_loss": 0.8, "outage": 0.8, "safety": 1.0, "churn_risk": 0.25}  # fmt: skip


def route_message(
    text: str, language: str, guess: Guess, escalations: tuple[Escalation, ...], hint: str | None = None
) -> tuple[Category, float]:
    """The category and how far it is ahead, 0 to 1. `hint` is what the customer chose on a form, if anything."""
    votes = dict.fromkeys(CATEGORIES, 0.0)
    votes[guess.category] += 0.4 + guess.margin
    for neighbour in guess.nearest:
        votes[neighbour.example.category] += neighbour.similarity
    for category, share in count_word_votes(text, language).items():
        votes[category] += WORD_WEIGHT * share
    for position, escalation in enumerate(e for e in escalations if e.reason in RULES_THAT_ROUTE):
        weight = RULES_THAT_ROUTE[escalation.reason] / (1 + position)
        votes[escalation.category] += RULE_WEIGHT * weight
    for category in CATEGORIES:
        votes[category] += HINT_WEIGHT * (category == hint)
    ranked = sorted(votes.items(), key=lambda pair: -pair[1])
    (best, first), (_, second) = ranked[0], ranked[1]
    return best, round((first - second) / (first + second), 3) if first else 0.0


def count_word_votes(text: str, language: str) -> dict[Category, float]:
    """For each category the share of the telling words that are its own; the sum is 1 or 0."""
    lines = join_lines(text)
    likely, _ = choose_languages(text, language)
    found = {
        category: len({match.group() for code in likely for match in load_words(category, code).finditer(lines)})
        for category in CATEGORIES
    }
    total = sum(found.values())
    return {category: count / total for category, count in found.items() if total}


@cache
def load_source() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "category_words.toml").read_text(encoding="utf-8"))


@cache
def load_words(category: Category, language: str) -> re.Pattern[str]:
    return compile_any(load_source()[category].get(language, ()), language)
