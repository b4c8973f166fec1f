"""What the pre-pass makes of a customer's burst before a model is asked: queue, mood, urgency, escalations."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from agent.brief import Assessment, Category, Escalation, Sentiment, Trend
from agent.classify import Classifier, Guess
from agent.embeddings import Embedder, EmbeddingUnavailable
from agent.features import MAX_CHARS
from agent.language import detect_language, find_language
from agent.policy import REASONS, choose_languages, compile_any, find_escalations, join_lines, make_escalation
from agent.sentiment import blend_mood, score_sentiment
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
BASE_PRIORITY: dict[Category, int] = {
    "billing": 5,
    "technical": 5,
    "account": 4,
    "security": 6,
    "legal": 6,
    "feedback": 2,
    "general": 3,
}
HINT_WEIGHT = 0.25
"""What the customer chose on a form counts as much as a quarter of certainty."""
ANGER_SCORE, BAD_SCORE = -0.6, -0.4
TREND_STEP = 0.25
CLOSING_WORDS, GREETING_WORDS, CONTINUED_WORDS = 14, 6, 12


class Assessor:
    """Judges bursts with the rules and the examples it was given; keeps nothing between two of them."""

    def __init__(self, classifier: Classifier, embedder: Embedder | None = None) -> None:
        self.use(classifier, embedder)

    def use(self, classifier: Classifier, embedder: Embedder | None, words: Classifier | None = None) -> None:
        """Judge by this classifier from now on.

        embedder: of the model its examples have vectors of. words: a classifier by words alone, for single sentences,
        which get no vector; None where the first one is that.
        """
        self.classifier, self.embedder = classifier, embedder
        self.words = words or classifier

    async def find_vector(self, burst: Sequence[str]) -> list[float] | None:
        """The vector of a burst for `assess`; None where the examples have none, or the model fails."""
        if self.embedder is None or self.classifier.vectors is None:
            return None
        try:
            return (await self.embedder.embed(["\n".join(burst)[:MAX_CHARS]]))[0]
        except EmbeddingUnavailable:
            return None

    def assess(
        self,
        burst: Sequence[str],
        *,
        previous: Sequence[str],
        language: str | None,
        category_hint: str | None,
        vector: Sequence[float] | None = None,
    ) -> Assessment:
        """What the messages in `burst` are about.

        previous: the customer's earlier messages of the conversation, newest last. language: the conversation's, None
        when this is its beginning. category_hint: what the customer chose on a form. vector: of the burst, where there
        is a local embedding model.
        """
        text = "\n".join(burst)
        spoken = detect_language(text, language) if language else find_language(text) or "en"
        words = score_sentiment(text, spoken)
        guess = self.classifier.classify(text, vector)
        mood = blend_mood(words, guess.moods, is_angry=guess.is_angry)
        escalations = self.find_reasons(text, spoken, previous, mood, guess)
        about = self.classifier.classify(f"{previous[-1]}\n{text}") if is_continued(text, previous, guess) else guess
        category, margin = choose_category(about, category_hint)
        priority, why = judge_priority(category, mood, escalations)
        return Assessment(
            language=spoken,
            category=category,
            category_margin=margin,
            priority=priority,
            priority_why=why,
            sentiment=mood,
            trend=find_trend(words, previous, spoken),
            escalations=escalations,
            is_closing=not escalations and is_closing(text, spoken, words),
            is_greeting=not escalations and is_greeting(text, spoken),
        )

    def find_reasons(
        self, text: str, language: str, previous: Sequence[str], mood: Sentiment, guess: Guess
    ) -> tuple[Escalation, ...]:
        """Rules, then the mood, the failed tries and what the examples say; gravest first, no doubles."""
        rules = find_escalations(text, language)
        kept = [one for one in rules if not self.is_overruled(one, guess)]
        found = {one.reason: one if guess.is_certain else doubt(one) for one in kept}
        if is_fury(mood, previous, language):
            found.setdefault("anger", make_escalation("anger", f"mood {mood.score:+.2f}"))
        if count_failed_tries([*previous, text], language) >= 2 and says_it_failed(text, language):
            found.setdefault("repeated_failure", make_escalation("repeated_failure", "two tries did not help"))
        if guess.must_see > 0:
            # What is only learnt is never `must`: a model may still answer where the examples were wrong.
            leaning = make_escalation(guess.reason, name_example(guess), must=False)
            found.setdefault(guess.reason, replace(leaning, is_doubtful=not guess.is_certain))
        return tuple(found[reason] for reason in REASONS if reason in found)

    def is_overruled(self, escalation: Escalation, guess: Guess) -> bool:
        """Whether the examples are sure that a rule was misled.

        Where a person must see it, they must be sure of each sentence that the rule named as well, so that no kind
        word around "delete my account" hides it; and threats to life are nobody's to weigh.
        """
        if escalation.reason == "safety" or not guess.is_harmless:
            return False
        return not escalation.must or all(self.words.classify(line).is_harmless for line in escalation.said)


def doubt(escalation: Escalation) -> Escalation:
    """What a rule found, as far as it holds by itself: a mere topic, or a reason to consider, leans to a person."""
    is_doubtful = not (escalation.must and escalation.said)
    return replace(escalation, must=escalation.must and not is_doubtful, is_doubtful=is_doubtful)


def name_example(guess: Guess) -> str:
    """The example that spoke most for handing over, for the ledger; of a customer's own words only the number."""
    if not guess.nearest:
        return "like many examples"
    example = guess.nearest[0].example
    return f'like: "{example.text[:80]}"' if example.source == "shipped" else f"like: example {example.id}"


def choose_category(guess: Guess, hint: str | None) -> tuple[Category, float]:
    """The queue and how far it is ahead, 0 to 1."""
    votes = {category: score + HINT_WEIGHT * (category == hint) for category, score in guess.categories.items()}
    ranked = sorted(votes.items(), key=lambda pair: -pair[1])
    (best, first), (_, second) = ranked[0], ranked[1]
    return best, round(max(0.0, min(1.0, first - second)), 3)


def is_continued(text: str, previous: Sequence[str], guess: Guess) -> bool:
    """Whether a message says too little to have a queue of its own: "and on Pro?" is about what was asked before."""
    return bool(previous) and guess.must_see <= 0 and len(list_words(text)) <= CONTINUED_WORDS


def is_fury(mood: Sentiment, previous: Sequence[str], language: str) -> bool:
    if mood.label == "angry":
        return True
    earlier = score_sentiment(previous[-1], language).score if previous else 0.0
    return mood.score <= BAD_SCORE and earlier <= ANGER_SCORE


def judge_priority(category: Category, mood: Sentiment, escalations: tuple[Escalation, ...]) -> tuple[int, str]:
    """1 to 10, and why in words: the gravest reason sets it, each further one and a bad mood raise it."""
    priority, why = BASE_PRIORITY[category], [f"{category} question"]
    if escalations:
        ranked = sorted(escalations, key=lambda escalation: -PRIORITIES[escalation.reason])
        priority = max(priority, PRIORITIES[ranked[0].reason])
        why = [f"{escalation.reason.replace('_', ' ')} ({escalation.matched})" for escalation in ranked]
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
