"""What the pre-pass makes of a customer's burst before a model is asked: queue, mood, urgency, escalations."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from agent.brief import Assessment, Category, Escalation, Sentiment, Trend
from agent.classify import Classifier, Guess
from agent.language import detect_language, find_language
from agent.policy import (
    REASONS,
    choose_languages,
    compile_any,
    find_escalations,
    is_information_question,
    join_lines,
    make_escalation,
)
from agent.routing import route_message
from agent.sentiment import label_score, score_sentiment
from agent.words import WORD, fold, list_words

PRIORITIES = {
    "safety": 10,
    "legal": 9,
    "security": 9,
    "data_loss": 9,
    "outage": 9,
    "anger": 8,
    "churn_risk": 8,
    "repeated_failure": 8,
    "billing_dispute": 7,
    "account_deletion": 7,
    "human_wanted": 7,
}
MOODS = {"safety": -2.0, "security": -1.2, "outage": -1.6, "data_loss": -1.6, "anger": -1.2, "churn_risk": -1.2,
         "repeated_failure": -1.0}  # fmt: skip
"""How much a reason weighs in the score where the words alone say little: "two logins from abroad" is no good news."""
BASE_PRIORITY: dict[Category, int] = {
    "billing": 5,
    "technical": 5,
    "account": 4,
    "security": 6,
    "legal": 6,
    "feedback": 2,
    "general": 3,
}
LIKELY_SHARE, LIKELY_NEAREST = 0.72, 0.42
"""How much of the nearest examples' likeness must speak for a reason, and how near the nearest must be."""
ANGER_SCORE, BAD_SCORE = -0.6, -0.4
TREND_STEP = 0.25
CLOSING_WORDS, GREETING_WORDS = 14, 6


class Assessor:
    """Judges bursts with the rules and the examples it was built with; keeps nothing between two of them."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    def assess(
        self, burst: Sequence[str], *, previous: Sequence[str], language: str | None, category_hint: str | None
    ) -> Assessment:
        """What the messages in `burst` are about.

        previous: the customer's earlier messages of the conversation, newest last. language: the conversation's, None
        when this is its beginning. category_hint: what the customer chose on a form.
        """
        text = "\n".join(burst)
        spoken = detect_language(text, language) if language else find_language(text) or "en"
        mood = score_sentiment(text, spoken)
        guess = self.classifier.classify(text)
        escalations = self.find_reasons(text, spoken, previous, mood, guess)
        mood = darken(mood, escalations)
        category, margin = route_message(text, spoken, guess, escalations, category_hint)
        priority, why = judge_priority(category, mood, escalations)
        return Assessment(
            language=spoken,
            category=category,
            category_margin=margin,
            priority=priority,
            priority_why=why,
            sentiment=mood,
            trend=find_trend(mood, previous, spoken),
            escalations=escalations,
            is_closing=not escalations and is_closing(text, spoken, mood),
            is_greeting=not escalations and is_greeting(text, spoken),
        )

    def find_reasons(
        self, text: str, language: str, previous: Sequence[str], mood: Sentiment, guess: Guess
    ) -> tuple[Escalation, ...]:
        """Rules, then the mood, the failed tries and the nearest examples; gravest first, no doubles."""
        found = {escalation.reason: escalation for escalation in find_escalations(text, language)}
        if is_fury(mood, previous, language):
            found.setdefault("anger", make_escalation("anger", f"mood {mood.score:+.2f}"))
        if count_failed_tries([*previous, text], language) >= 2 and says_it_failed(text, language):
            found.setdefault("repeated_failure", make_escalation("repeated_failure", "two tries did not help"))
        if not found and not is_information_question(text, language):
            found.update(find_likely(guess))
        return tuple(found[reason] for reason in REASONS if reason in found)


def find_likely(guess: Guess) -> dict[str, Escalation]:
    """Reasons that nearly all of the nearest examples share; never `must`, no rule has spoken."""
    if not guess.nearest or guess.nearest[0].similarity < LIKELY_NEAREST:
        return {}
    example = guess.nearest[0].example
    return {
        reason: make_escalation(reason, f"like: {example.text[:60]}", must=False)
        for reason, share in guess.reasons[:1]
        if share >= LIKELY_SHARE and reason in REASONS and reason in example.reasons
    }


def is_fury(mood: Sentiment, previous: Sequence[str], language: str) -> bool:
    if mood.label == "angry":
        return True
    earlier = score_sentiment(previous[-1], language).score if previous else 0.0
    return mood.score <= BAD_SCORE and earlier <= ANGER_SCORE


def darken(mood: Sentiment, escalations: tuple[Escalation, ...]) -> Sentiment:
    """A mood that takes the facts into account, at most as far as "negative"."""
    weight = min((MOODS.get(escalation.reason, 0.0) for escalation in escalations), default=0.0)
    if weight == 0.0 or mood.score <= -0.35:
        return mood
    score = round(max(-0.5, (mood.score if mood.score < 0 else 0.0) + weight / 4), 3)
    return replace(mood, score=score, label=label_score(score, 0))


def judge_priority(category: Category, mood: Sentiment, escalations: tuple[Escalation, ...]) -> tuple[int, str]:
    """1 to 10, and why in words: the gravest reason sets it, each further one and a bad mood raise it."""
    priority, why = BASE_PRIORITY[category], [f"{category} question"]
    if escalations:
        ranked = sorted(escalations, key=lambda escalation: -PRIORITIES[escalation.reason])
        priority = max(priority, PRIORITIES[ranked[0].reason])
        why = [escalation.reason.replace("_", " ") for escalation in ranked]
        priority += len(ranked) > 1
    if mood.label in ("negative", "angry") and priority < 8:
        priority += 1
        why.append(f"{mood.label} mood")
    elif mood.label == "positive" and not escalations:
        priority -= 1
    return max(1, min(10, priority)), ", ".join(why)


def find_trend(mood: Sentiment, previous: Sequence[str], language: str) -> Trend:
    """Against the customer's last three messages."""
    earlier = [score_sentiment(text, language).score for text in previous[-3:]]
    if not earlier:
        return "steady"
    change = mood.score - sum(earlier) / len(earlier)
    return "improving" if change >= TREND_STEP else "worsening" if change <= -TREND_STEP else "steady"


def count_failed_tries(texts: Sequence[str], language: str) -> int:
    return sum(says_it_failed(text, language) for text in texts)


def says_it_failed(text: str, language: str) -> bool:
    """Whether the customer says that what was suggested did not help."""
    return matches("failed", text, language)


def asks_for_update(text: str, language: str) -> bool:
    """Whether the customer asks how a matter that is already open stands."""
    return matches("update", text, language)


def is_closing(text: str, language: str, mood: Sentiment) -> bool:
    """Thanks, works now, bye: nothing is asked."""
    if "?" in text or "？" in text or len(list_words(text)) > CLOSING_WORDS or mood.score < 0:
        return False
    return matches("closing", text, language) and not matches("request", text, language)


def is_greeting(text: str, language: str) -> bool:
    """Hello, and nothing beside it."""
    words = WORD.findall(fold(text))
    if not 0 < len(words) <= GREETING_WORDS:
        return False
    rest = join_lines(text)
    likely, others = choose_languages(text, language)
    for code in (*likely, *others):
        rest = load_phrases("greeting", code).sub("", rest)
    return matches("greeting", text, language) and not WORD.findall(rest)


def matches(name: str, text: str, language: str) -> bool:
    lines = join_lines(text)
    likely, others = choose_languages(text, language)
    return any(load_phrases(name, code).search(lines) for code in (*likely, *others))


@cache
def load_phrases(name: str, language: str) -> re.Pattern[str]:
    return compile_any(load_source()[name].get(language, ()), language)


@cache
def load_source() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((Path(__file__).parent / "small_talk.toml").read_text(encoding="utf-8"))
