"""Queue, hand-over and mood of messages: our own held-out tickets, and the public sets the literature measures with.

The held-out tickets were written by somebody who had seen neither the rules nor the examples, and nothing was ever
fitted to them. The development tickets are among the shipped examples and therefore not reported here.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from agent.assess import Assessor
from agent.brief import Assessment
from agent.classify import Classifier
from agent.embeddings import Embedder, find_local_embedder
from agent.fit import CATEGORIES
from bench.ground import percentile
from bench.quality.bases import KeptVectors
from bench.quality.reading import list_own, list_public
from bench.quality.scores import accuracy, macro_f1, spearman
from bench.report import Report
from db.examples import Example, read_shipped
from tests.shipped import load_classifier

GOALS = {
    "O0": {"routing en": 0.80, "routing other": 0.65, "must": 0.97, "false": 0.15, "likely": 0.88, "information": 0.35,
           "mood": 0.75, "spearman": 0.60, "angry": 0.75, "banking": 0.955, "stack overflow": 0.83},
    "O1": {"routing en": 0.86, "routing other": 0.70, "must": 0.99, "false": 0.12, "likely": 0.94, "information": 0.30,
           "mood": 0.82, "spearman": 0.72, "angry": 0.80, "banking": 0.970, "stack overflow": 0.84},
}  # fmt: skip
ORDER = {"positive": 1, "neutral": 0, "negative": -1, "angry": -2}
ASKED, TAUGHT = 600, 3000
"""Of the public sets, so that a run stays short; drawn by the seed."""


async def measure(report: Report, *, quick: bool) -> None:
    """Both modes: O0 without a model, O1 with the local one where it is installed."""
    await measure_mode(report, "O0", None, quick=quick)
    local = find_local_embedder()
    if local is None:
        report.notes.append("O1 was left out: the local embedding model is not installed")
        return
    embedder = KeptVectors(local)
    await measure_mode(report, "O1", embedder, quick=quick)
    embedder.keep()


async def measure_mode(report: Report, mode: str, embedder: Embedder | None, *, quick: bool) -> None:
    assessor = Assessor(await teach(read_shipped(), embedder), embedder)
    rows, found, spent = list_own("labelled.jsonl"), [], []
    for row in rows:
        vector = await assessor.find_vector([row["text"]])
        began = time.perf_counter()
        found.append(judge(assessor, row["text"], vector))
        spent.append((time.perf_counter() - began) * 1000)
    report_tickets(report, mode, rows, found)
    report.add(f"{mode} held-out tickets", "judged in, p95 without embedding", percentile(spent, 0.95), "ms")
    if not quick:
        await measure_public(report, mode, embedder)


async def teach(known: Sequence[Example], embedder: Embedder | None) -> Classifier:
    """A classifier of these examples, with their meanings where there is a model."""
    if embedder is None:
        return load_classifier() if list(known) == read_shipped() else await asyncio.to_thread(Classifier.learn, known)
    vectors = np.array(await embedder.embed([example.text for example in known]), dtype=np.float32)
    return await asyncio.to_thread(Classifier.learn, known, vectors)


def judge(assessor: Assessor, text: str, vector: Sequence[float] | None) -> Assessment:
    return assessor.assess([text], previous=(), language=None, category_hint=None, vector=vector)


def report_tickets(report: Report, mode: str, rows: Sequence[dict[str, Any]], found: Sequence[Assessment]) -> None:
    """The rows of QUALITY's table: queues (wishes count as general: the labels have six queues), hand-over, mood."""
    goals, case = GOALS[mode], f"{mode} held-out tickets"
    both = list(zip(rows, found, strict=True))
    english = [pair for pair in both if pair[0]["language"] == "en"]
    others = [pair for pair in both if pair[0]["language"] != "en"]
    for name, pairs in (("routing en", english), ("routing other", others)):
        queues = [(row["category"], merge_wishes(one.category)) for row, one in pairs]
        report.add(case, f"{name}, accuracy (n={len(pairs)})", accuracy(queues), "", at_least=goals[name])
    for name, metric in (("must", "must-escalate, recall"), ("likely", "likely-escalate, recall")):
        report.add(case, metric, share([one for row, one in both if row["escalate"] == name]), "", at_least=goals[name])
    calm = [one for row, one in both if row["escalate"] == "no"]
    report.add(case, "false escalation", share(calm), "", at_most=goals["false"])
    asking = [one for row, one in both if row["information_only"]]
    report.add(case, "information only, escalated", share(asking), "", at_most=goals["information"])
    moods = [(fold_mood(row["sentiment"]), fold_mood(one.sentiment.label)) for row, one in english]
    report.add(case, "mood en, macro-F1", macro_f1(moods), "", at_least=goals["mood"])
    ranks = [ORDER[row["sentiment"]] for row, _ in english], [one.sentiment.score for _, one in english]
    report.add(case, "mood en, Spearman", spearman(*ranks), "", at_least=goals["spearman"])
    angry = [(row["sentiment"] == "angry", one.sentiment.label == "angry") for row, one in both]
    right = sum(is_angry and named for is_angry, named in angry)
    report.add(case, "angry, precision", right / max(1, sum(named for _, named in angry)), "", at_least=0.6)
    report.add(case, "angry, recall", right / sum(is_angry for is_angry, _ in angry), "", at_least=goals["angry"])


def share(found: Sequence[Assessment]) -> float:
    """Of these, how many go to a person."""
    return sum(bool(one.escalations) for one in found) / len(found)


def merge_wishes(category: str) -> str:
    return "general" if category == "feedback" else category


def fold_mood(label: str) -> str:
    return "negative" if label == "angry" else label


async def measure_public(report: Report, mode: str, embedder: Embedder | None) -> None:
    """The learner alone, taught on a part of each public set and asked about the rest, which it has not seen."""
    for name, source, label, case in (
        ("routing_public_dev.jsonl", "banking77", "category", "banking"),
        ("sentiment_stackoverflow_dev.jsonl", "senti4sd", "sentiment", "stack overflow"),
    ):
        rows = list_public(name)
        if rows is None:
            report.notes.append(f"{name} was left out: EVALS_DIR does not have it")
            continue
        await measure_split(report, mode, embedder, [row for row in rows if row["source"] == source], label, case)


async def measure_split(
    report: Report, mode: str, embedder: Embedder | None, rows: list[dict[str, Any]], label: str, case: str
) -> None:
    random.Random(report.seed).shuffle(rows)
    asked, taught = rows[:ASKED], rows[ASKED : ASKED + TAUGHT]
    stands_for = name_labels(rows, label)
    classifier = await teach([make_example(row, label, stands_for) for row in taught], embedder)
    pairs = []
    for row in asked:
        vector = (await embedder.embed([row["text"]]))[0] if embedder is not None else None
        guess = classifier.classify(row["text"], vector)
        scores = {str(name): score for name, score in (*guess.categories.items(), *guess.moods.items())}
        pairs.append((stands_for[row["label"]], max(stands_for.values(), key=scores.__getitem__)))
    score = accuracy(pairs) if label == "category" else macro_f1(pairs)
    metric = f"{'accuracy' if label == 'category' else 'macro-F1'}, taught {len(taught)}, asked {len(asked)}"
    report.add(f"{mode} {case}", metric, score, "", at_least=GOALS[mode][case])


def name_labels(rows: Sequence[dict[str, Any]], label: str) -> dict[str, str]:
    """The labels of a set by ours: moods are the same, queues of a bank take the places of our six in turn."""
    names = sorted({row["label"] for row in rows})
    return {name: name for name in names} if label == "sentiment" else dict(zip(names, CATEGORIES, strict=False))


def make_example(row: dict[str, Any], label: str, stands_for: dict[str, str]) -> Example:
    category = stands_for[row["label"]] if label == "category" else "general"
    sentiment = row["label"] if label == "sentiment" else "neutral"
    return Example(0, row["text"], "en", category, sentiment, (), information_only=False)
