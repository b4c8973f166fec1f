"""How sure a score is, measured: the articles' own questions, each asked as if its author had not written it."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.embeddings import Embedder
from agent.glossary import put_in_english
from agent.synonyms import list_related
from agent.word_vectors import embed_built_in
from db.pool import Connection, Pool, acquire
from db.search import (
    PassageMatch,
    PassageSearch,
    SampleQuestion,
    add_thresholds,
    list_sample_questions,
    search_passages,
)
from db.text import search_words

SAMPLES = 200
"""Questions measured at most: enough for a cut, and a few seconds with thousands of passages."""
FEWEST = 10
"""With fewer questions nothing is measured."""
WANTED_PRECISION = 0.95
LEAD_WEIGHT = 4.0
"""Customers' words are further from an article than its author's: scores fall, the lead over other articles stays."""
LOW_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question asked: score and sureness of the first passage, and whether it was of its own article."""

    score: float
    sureness: float
    is_right: bool


async def calibrate(pool: Pool, embedder: Embedder | None) -> None:
    """Measure when a search counts as sure, with vectors and without. Call once after an import batch."""
    async with acquire(pool) as conn:
        for model in [None] if embedder is None else [None, embedder.name]:
            samples = await list_sample_questions(conn, model, SAMPLES)
            outcomes = [await ask_sample(conn, model, sample) for sample in samples if model is None or sample.vector]
            if len(outcomes) >= FEWEST and any(outcome.is_right for outcome in outcomes):
                await add_thresholds(conn, model or "text", find_high(outcomes), find_low(outcomes), len(outcomes))


async def ask_sample(conn: Connection, model: str | None, sample: SampleQuestion) -> Outcome:
    question = PassageSearch(
        texts=[search_words(sample.question)],
        weights=[1.0],
        related=list_related(sample.question),
        model=model,
        vector=sample.vector,
        built_in=embed_built_in([put_in_english(sample.question, sample.language).english], [1.0]),
        plan=sample.plan,
        language=sample.language,
        limit=1,
        without_article=sample.article_id,
        without_question=sample.question,
    )
    found = await search_passages(conn, question)
    if not found:
        return Outcome(0.0, 0.0, is_right=False)
    return Outcome(found[0].score, measure_sureness(found[0]), found[0].article_id == sample.article_id)


def measure_sureness(best: PassageMatch) -> float:
    """What the threshold `high` is about: a high score, and no other article close behind."""
    return best.score + LEAD_WEIGHT * best.lead


def find_high(outcomes: Sequence[Outcome]) -> float:
    """The lowest sureness from which on 95 of 100 first passages are right; out of reach if there is none."""
    ranked = sorted(outcomes, key=lambda outcome: -outcome.sureness)
    high, right = ranked[0].sureness + 1, 0
    for place, outcome in enumerate(ranked, start=1):
        right += outcome.is_right
        if right >= WANTED_PRECISION * place:
            high = outcome.sureness
    return high


def find_low(outcomes: Sequence[Outcome]) -> float:
    """Four fifths of the score that 95 of 100 right first passages reach."""
    scores = sorted(outcome.score for outcome in outcomes if outcome.is_right)
    return LOW_SHARE * scores[len(scores) // 20]
