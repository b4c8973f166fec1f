"""Questions in fourteen languages about articles that are in English only: found, and answered no surer than right."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from agent.calibration import calibrate
from agent.embeddings import Embedder, find_local_embedder
from agent.glossary import gloss
from agent.retrieval import SearchQuery, search
from bench.ground import fresh_pool
from bench.quality.bases import KeptVectors, list_company_articles, take_in
from bench.quality.reading import list_own
from bench.report import Report
from db.pool import Pool

LIMIT = 6  # passages, at most two of one article: three articles
PRECISION = 0.9


@dataclass(frozen=True, slots=True)
class Answered:
    """What the search made of one question; `is_asked` is False where no article answers it."""

    is_asked: bool
    first: bool
    third: bool
    confidence: str


async def measure(report: Report, *, quick: bool) -> None:
    """With the glossary, and beside it without: every question asked as if it were in the articles' language."""
    rows = list_own("foreign_questions.jsonl")[:: 4 if quick else 1]
    local = find_local_embedder()
    embedder = KeptVectors(local) if local is not None else None
    if embedder is None:
        report.notes.append("foreign: the local embedding model is not installed, O1 is left out")
    async with fresh_pool(4) as pool:
        await take_in(pool, embedder, list_company_articles())
        await calibrate(pool, embedder)
        for mode, chosen in {"O0": None, **({"O1": embedder} if embedder else {})}.items():
            add_rows(report, mode, await ask(pool, chosen, rows), await ask(pool, chosen, rows, language="en"))
    report.add("foreign questions", "glossing one", time_gloss(rows), "ms", at_most=0.5)
    if embedder is not None:
        embedder.keep()


async def ask(
    pool: Pool, embedder: Embedder | None, rows: Sequence[dict[str, Any]], language: str | None = None
) -> list[Answered]:
    """Every question in its own language, or each as if it were in `language`."""
    answered: list[Answered] = []
    for row in rows:
        query = SearchQuery(row["text"], plan=row["plan"], language=language or row["lang"], limit=LIMIT)
        found = await search(pool, embedder, query)
        ranked = list(dict.fromkeys(passage.slug for passage in found.passages))
        first, third = (not set(ranked[:most]).isdisjoint(row["docs"]) for most in (1, 3))
        answered.append(Answered(bool(row["docs"]), first, third, found.confidence))
    return answered


def add_rows(report: Report, mode: str, glossed: Sequence[Answered], plain: Sequence[Answered]) -> None:
    asked, before = ([each for each in found if each.is_asked] for found in (glossed, plain))
    sure = [each for each in glossed if each.confidence == "high"]
    case = f"foreign questions, {mode}"
    report.compare(case, "first", share([e.first for e in asked]), share([e.first for e in before]), "")
    report.compare(case, "among three", share([e.third for e in asked]), share([e.third for e in before]), "")
    report.add(case, "answered surely", share([each.confidence == "high" for each in asked]), "")
    report.add(case, "right of the sure", share([each.first for each in sure]), "", at_least=PRECISION)
    strays = [each.confidence == "high" for each in glossed if not each.is_asked]
    report.add(case, "sure where no article answers", share(strays), "")


def share(flags: Sequence[bool]) -> float:
    return sum(flags) / max(len(flags), 1)


def time_gloss(rows: Sequence[dict[str, Any]]) -> float:
    """Milliseconds for one question, on average."""
    began = perf_counter()
    for row in rows:
        gloss(row["text"], row["lang"])
    return 1000 * (perf_counter() - began) / len(rows)
