"""Finding the passages an answer may stand on, and saying how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from agent.calibration import measure_sureness
from agent.embeddings import ENGLISH_MODELS, Embedder, EmbeddingUnavailable
from agent.glossary import put_in_english
from agent.synonyms import list_related
from agent.word_vectors import embed_built_in
from agent.words import list_words
from db.pool import Pool, acquire
from db.search import PassageMatch, PassageSearch, search_passages
from db.text import search_words

Confidence = Literal["high", "low", "none"]

MAX_QUERY = 2000  # characters; what matters of a longer message stands at its start
EARLIER_TURNS = 2
TIE = 0.01
"""A lead smaller than this is none: two articles say the same, and which one is meant is to be asked."""
UNMEASURED = {"text": (0.63, 0.31)}
UNMEASURED_VECTORS = (0.62, 0.30)
"""High and low where the articles have too few question wordings to measure with: those of the sample company."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What a customer asks. `previous` holds their earlier messages, newest last; a short question leans on them.

    plan: prefers articles for this plan and leaves out those for other plans; None puts the general ones first.
    category: only articles of it. language: prefers articles in it.
    """

    text: str
    previous: tuple[str, ...] = ()
    category: str | None = None
    plan: str | None = None
    language: str | None = None
    limit: int = 5


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage to answer from and to cite by id and version. Scores are 0 to 1; `why` says what matched."""

    passage_id: int
    article_id: int
    slug: str
    title: str
    heading: str
    version: int
    text: str
    plan: str | None
    updated: date | None
    score: float
    lexical: float
    semantic: float | None
    why: str


@dataclass(frozen=True, slots=True)
class Sureness:
    """Why the confidence is what it is: the first passage's score against `low`, its sureness against `high`.

    mode: the embedding model searched with, or "text" where the words and the table of word vectors had to do.
    is_measured: False where the articles have too few question wordings to measure with.
    """

    mode: str
    score: float
    sureness: float
    low: float
    high: float
    is_measured: bool


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Passages, best first. `confidence` is about the first one: high answers, low asks back, none found nothing."""

    passages: tuple[FoundPassage, ...]
    confidence: Confidence
    sureness: Sureness | None = None


async def search(pool: Pool, embedder: Embedder | None, query: SearchQuery) -> SearchResult:
    """The public passages nearest to a question by its words and by their meaning.

    Never returns internal, superseded, replaced or retired articles, nor those for another plan. One round trip. The
    embedder is asked before it; without one, or when it fails, the table of word vectors tells the meaning.
    """
    texts = [clean_query(text) for text in (query.text, *reversed(query.previous[-EARLIER_TURNS:]))]
    if not texts[0]:
        return SearchResult((), "none")
    weights = weigh_turns(texts)
    glosses = [put_in_english(text, query.language) for text in texts]
    english = [glossed.english for glossed in glosses]
    is_local = embedder is not None and embedder.name in ENGLISH_MODELS
    vector = await embed_query(embedder, english if is_local else texts, weights) if embedder is not None else None
    wanted = PassageSearch(
        texts=[search_words(text) for text in texts],
        weights=weights,
        english=[search_words(text) for text in english],
        is_english_vector=english != texts and (vector is None or is_local),
        related=list_related(english[0]),
        model=embedder.name if embedder is not None and vector is not None else None,
        vector=vector,
        built_in=embed_built_in(english, weights),
        category=query.category,
        plan=query.plan.strip().lower() if query.plan else None,
        language=query.language,
        limit=query.limit,
    )
    async with acquire(pool) as conn:
        found = await search_passages(conn, wanted)
    sureness = weigh_sureness(found[0], glosses[0].known if found[0].language == "en" else 1.0) if found else None
    confidence = judge_confidence(sureness)
    if confidence == "high" and (found[0].lead < TIE or depends_on_plan(query, found)):
        confidence = "low"
    return SearchResult(tuple(describe_match(match) for match in found), confidence, sureness)


def clean_query(text: str) -> str:
    return " ".join(text.replace("\x00", " ").split())[:MAX_QUERY]


def weigh_turns(texts: Sequence[str]) -> list[float]:
    """How much each turn counts, newest first: 1 for the newest; the shorter it is, the more the earlier ones weigh."""
    words = len(texts[0].split())
    lean = 0.6 if words <= 8 else 0.3 if words <= 16 else 0.1
    return [1.0, lean, lean / 2][: len(texts)]


async def embed_query(embedder: Embedder, texts: Sequence[str], weights: Sequence[float]) -> list[float] | None:
    """The newest words, drawn towards the whole conversation as far as the earlier turns weigh."""
    wanted = [texts[0]]
    if len(texts) > 1:
        wanted.append("\n".join(reversed(texts)))
    try:
        vectors = await embedder.embed(wanted)
    except EmbeddingUnavailable:
        return None
    if len(vectors) == 1:
        return vectors[0]
    share = weights[1]
    return [(1 - share) * newest + share * whole for newest, whole in zip(*vectors, strict=True)]


def weigh_sureness(best: PassageMatch, known: float) -> Sureness:
    """known: how much of the question could be searched for; what could not counts like a word no article has."""
    high, low = best.high, best.low
    if high is None or low is None:
        high, low = UNMEASURED.get(best.mode, UNMEASURED_VECTORS)
    return Sureness(
        best.mode, known * best.score, known * measure_sureness(best), low, high, is_measured=best.high is not None
    )


def judge_confidence(found: Sureness | None) -> Confidence:
    if found is None or found.score < found.low:
        return "none"
    return "high" if found.sureness >= found.high else "low"


def depends_on_plan(query: SearchQuery, found: Sequence[PassageMatch]) -> bool:
    """Whether the answer is for one plan while nobody knows the customer's and other plans have theirs."""
    best = found[0].plan
    if query.plan or best is None or any(best in list_words(text) for text in (query.text, *query.previous)):
        return False
    return any(match.plan not in (None, best) for match in found)


def describe_match(match: PassageMatch) -> FoundPassage:
    words = f"words {match.lexical:.2f} ({', '.join(match.words[:6])})" if match.words else "no words in common"
    near = ""
    if match.semantic is not None:
        near = f"meaning {match.semantic:.2f}, title or question {match.label or 0:.2f}, "
    return FoundPassage(
        passage_id=match.passage_id, article_id=match.article_id, slug=match.slug, title=match.title,
        heading=match.heading, version=match.version, text=match.text, plan=match.plan, updated=match.updated,
        score=match.score, lexical=match.lexical, semantic=match.semantic, why=near + words,
    )  # fmt: skip
