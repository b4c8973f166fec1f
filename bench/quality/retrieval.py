"""Is the right article found? Measured by the product's own search, without any model (O0) and with the local one (O1).

What is foreign, how far the figures carry and why the articles for staff are public here: docs/quality.md.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.calibration import ask_sample
from agent.embeddings import Embedder, find_local_embedder
from agent.queries import make_query
from agent.retrieval import SearchQuery, search
from bench.ground import fresh_pool
from bench.quality.bases import (
    KeptVectors,
    list_bank_articles,
    list_company_articles,
    list_foreign_articles,
    make_slug,
    take_in,
    write_article,
)
from bench.quality.reading import list_own, list_public
from bench.quality.scores import auroc, ndcg
from bench.report import Report
from channels.mail.parsed import ParsedMail
from channels.mime import parse_mail
from db.pool import Pool, acquire
from db.search import list_sample_questions

FOREIGN_PASSAGES = 5000
FOLDS = 5
LIMIT = 20  # passages, at most two of one article: ten articles
GOALS = {"O0": {"bank": 0.56, "offtopic": 0.985}, "O1": {"bank": 0.76, "offtopic": 0.995}}


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and the articles that answer it, by slug, with their gains."""

    query: SearchQuery
    gains: dict[str, float]


@dataclass(frozen=True, slots=True)
class Found:
    """How well one question was answered."""

    ndcg: float
    recall: float
    reciprocal: float
    first: bool
    third: bool


async def measure(report: Report, *, quick: bool) -> None:
    """The rows of the bank's articles, off-topic questions, the sample company and follow-ups, in both modes."""
    local = find_local_embedder()
    embedder = KeptVectors(local) if local is not None else None
    modes: dict[str, Embedder | None] = {"O0": None} | ({"O1": embedder} if embedder else {})
    if embedder is None:
        report.notes.append("retrieval: the local embedding model is not installed, O1 is left out")
    await measure_bank(report, modes, quick=quick)
    await measure_company(report, modes)
    await measure_offtopic(report, modes, quick=quick)
    if embedder is not None:
        embedder.keep()


async def measure_bank(report: Report, modes: dict[str, Embedder | None], *, quick: bool) -> None:
    articles, rows = list_bank_articles(), list_public("retrieval_bank_queries_dev.jsonl")
    if articles is None or rows is None:
        report.notes.append("retrieval: the bank's articles are read from EVALS_DIR, which does not have them")
        return
    asked = [
        Asked(SearchQuery(row["text"], limit=LIMIT), {make_slug(slug): gain for slug, gain in row["rel"].items()})
        for row in rows
    ]
    async with fresh_pool(4) as pool:
        await take_in(pool, modes.get("O1"), articles)
        alone: dict[str, float] = {}
        for mode, embedder in modes.items():
            found = await ask_all(pool, embedder, asked)
            alone[mode] = mean([each.ndcg for each in found])
            add_ranking(report, f"bank articles, {mode}", found, GOALS[mode]["bank"])
        await measure_follow_ups(report, pool, modes, "bank")
        await take_in(pool, modes.get("O1"), list_foreign_articles(500 if quick else FOREIGN_PASSAGES))
        for mode, embedder in modes.items():
            mixed = mean([each.ndcg for each in await ask_all(pool, embedder, asked)])
            report.add(f"bank articles, {mode}", "nDCG@10 among foreign passages", mixed, "")
            report.add(f"bank articles, {mode}", "lost by them", alone[mode] - mixed, "", at_most=0.02)


def add_ranking(report: Report, case: str, found: Sequence[Found], goal: float | None) -> None:
    report.add(case, "nDCG@10", mean([each.ndcg for each in found]), "", at_least=goal)
    report.add(case, "Recall@5", mean([each.recall for each in found]), "")
    report.add(case, "MRR@10", mean([each.reciprocal for each in found]), "")


async def measure_company(report: Report, modes: dict[str, Embedder | None]) -> None:
    """The sample company: its articles' own questions, each as if it had not been written, tickets and follow-ups."""
    async with fresh_pool(4) as pool:
        await take_in(pool, modes.get("O1"), list_company_articles())
        for mode, embedder in modes.items():
            right = await ask_own_questions(pool, embedder)
            report.add(f"own questions, left out, {mode}", "first", mean(right), "")
            tickets = await ask_all(pool, embedder, list_tickets())
            report.add(f"tickets, {mode}", "first", mean([float(each.first) for each in tickets]), "")
            report.add(f"tickets, {mode}", "among three", mean([float(each.third) for each in tickets]), "")
        await measure_follow_ups(report, pool, modes, "company")


async def ask_own_questions(pool: Pool, embedder: Embedder | None) -> list[float]:
    """1 for each question wording that finds its own article first though it is left out of it, else 0."""
    model = embedder.name if embedder is not None else None
    async with acquire(pool) as conn:
        samples = await list_sample_questions(conn, model, 1000)
        return [float((await ask_sample(conn, model, sample)).is_right) for sample in samples]


def list_tickets() -> list[Asked]:
    """The first turn of every ticket that one article answers, searched as the offline model searches."""
    asked: list[Asked] = []
    for ticket in list_own("tickets.jsonl"):
        turn = ticket["turns"][0]
        docs = turn["expect"].get("docs") or []
        if ticket["group"] == "A" and len(docs) == 1:
            text, subject = read_ticket(ticket["channel"], turn["raw"])
            query = SearchQuery(make_query(text, subject), plan=ticket["customer"]["plan"], language="en", limit=LIMIT)
            asked.append(Asked(query, dict.fromkeys(docs[0], 1.0)))
    return asked


def read_ticket(channel: str, raw: Any) -> tuple[str, str]:
    """(text, subject) of a message as it came in."""
    if channel != "email":
        return str(raw), ""
    mail = parse_mail(raw.encode())
    if not isinstance(mail, ParsedMail):
        raise TypeError("a ticket of the tests must be a mail that can be read")
    return mail.new_text, mail.subject


async def measure_follow_ups(report: Report, pool: Pool, modes: dict[str, Embedder | None], base: str) -> None:
    rows = [row for row in list_own("follow_ups.jsonl") if row["base"] == base]
    for mode, embedder in modes.items():
        for case, history in (("last message only", False), ("with the turn before", True)):
            asked = [write_follow_up(row, history=history) for row in rows]
            found = await ask_all(pool, embedder, asked)
            report.add(f"{base} follow-ups, {mode}", f"nDCG@10, {case}", mean([each.ndcg for each in found]), "")


def write_follow_up(row: dict[str, Any], *, history: bool) -> Asked:
    previous = tuple(row["previous"]) if history else ()
    query = SearchQuery(row["text"], previous=previous, plan=row["plan"], language="en", limit=LIMIT)
    return Asked(query, {make_slug(slug): 1.0 for slug in row["docs"]})


async def measure_offtopic(report: Report, modes: dict[str, Embedder | None], *, quick: bool) -> None:
    """Five folds: each question against the examples of the other four, an article each; how near in meaning the first
    passage is decides. Those out of scope are parted alike, so every fold asks questions it has no example of."""
    rows = list_public("offtopic_dev.jsonl")
    if rows is None:
        report.notes.append("retrieval: off-topic questions are read from EVALS_DIR, which does not have them")
        return
    inside = [row["text"] for row in rows if row["label"] == "in_scope"]
    outside = [row["text"] for row in rows if row["label"] == "out_of_scope"]
    random.Random(report.seed).shuffle(inside)
    values: dict[str, list[float]] = {mode: [] for mode in modes}
    for fold in range(1 if quick else FOLDS):
        kept = [text for place, text in enumerate(inside) if place % FOLDS != fold]
        async with fresh_pool(4) as pool:
            articles = [write_article(f"example-{place}", text, text) for place, text in enumerate(kept)]
            await take_in(pool, modes.get("O1"), articles)
            for mode, embedder in modes.items():
                near = [await ask_nearness(pool, embedder, text) for text in inside[fold::FOLDS]]
                far = [await ask_nearness(pool, embedder, text) for text in outside[fold::FOLDS]]
                values[mode].append(auroc(near, far))
    for mode in modes:
        report.add(f"off-topic, {mode}", "AUROC", mean(values[mode]), "", at_least=GOALS[mode]["offtopic"])


async def ask_nearness(pool: Pool, embedder: Embedder | None, text: str) -> float:
    found = await search(pool, embedder, SearchQuery(text, limit=1))
    return (found.passages[0].semantic or 0.0) if found.passages else 0.0


async def ask_all(pool: Pool, embedder: Embedder | None, asked: Sequence[Asked]) -> list[Found]:
    return [judge(await search(pool, embedder, each.query), each.gains) for each in asked]


def judge(result: Any, gains: dict[str, float]) -> Found:
    ranked = list(dict.fromkeys(passage.slug for passage in result.passages))
    places = [place for place, slug in enumerate(ranked[:10], start=1) if slug in gains]
    return Found(
        ndcg(ranked, gains),
        len(set(ranked[:5]) & gains.keys()) / len(gains),
        1 / places[0] if places else 0.0,
        bool(places) and places[0] == 1,
        bool(places) and places[0] <= 3,
    )


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
