"""Which queue a message belongs to, judged by labelled examples: words and letter runs, no model file.

Half of the vote is the nearest examples', half the middle of each category's; the margin says how sure it is.
"""

import json
import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import get_args

from agent.brief import Category
from agent.words import fold, list_words, stem_word

EXAMPLES = Path(__file__).with_name("examples.jsonl")
"""The labelled messages that come with the code."""

CATEGORIES: tuple[Category, ...] = get_args(Category)
NEIGHBOURS = 7
MAX_CHARS = 2000
COMMON_SHARE = 0.4
"""A feature in more than this share of the examples tells nothing."""
REASON_NAMES = {
    "bill": "billing_dispute",
    "human": "human_wanted",
    "sec": "security",
    "del": "account_deletion",
    "churn": "churn_risk",
    "angry": "anger",
    "loss": "data_loss",
    "crit": "outage",
}


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled message. `reasons` are those of policy.REASONS; `info_only` ones ask, they have no case."""

    text: str
    category: Category
    reasons: tuple[str, ...] = ()
    info_only: bool = False


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An example and how like the text it is, 0 to 1."""

    example: Example
    similarity: float


@dataclass(frozen=True, slots=True)
class Guess:
    """The likeliest category, how far it is ahead of the second (0 to 1), and the examples that say so."""

    category: Category
    margin: float
    nearest: tuple[Neighbour, ...]
    reasons: tuple[tuple[str, float], ...]
    """Reasons to escalate among the nearest, with their share of the likeness, greatest first."""


class Classifier:
    """Examples made ready for comparison. Building it takes about 0.3 ms an example, a question 1 to 5 ms."""

    def __init__(self, examples: Sequence[Example]) -> None:
        if not examples:
            raise ValueError("a classifier needs examples")
        self.examples = tuple(examples)
        self.members: dict[Category, list[int]] = defaultdict(list)
        for at, example in enumerate(self.examples):
            self.members[example.category].append(at)
        counted = [count_features(example.text) for example in self.examples]
        seen = Counter(feature for counts in counted for feature in counts)
        limit = max(3, COMMON_SHARE * len(counted))
        self.rarity = {f: 1 + math.log(len(counted) / n) for f, n in seen.items() if n <= limit}
        # Two arrays each: a turn runs over a thousand of these numbers, which lie side by side only there.
        self.postings: dict[str, tuple[array[int], array[float]]] = defaultdict(lambda: (array("L"), array("d")))
        centres: dict[Category, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for at, counts in enumerate(counted):
            for feature, weight in self.weigh(counts).items():
                places, weights = self.postings[feature]
                places.append(at)
                weights.append(weight)
                centres[self.examples[at].category][feature] += weight
        self.sizes = {category: math.sqrt(sum(w * w for w in centre.values())) for category, centre in centres.items()}

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        """The examples in a JSONL file: text, category, reasons, info_only. ValueError when a line is not one."""
        with path.open(encoding="utf-8") as lines:
            return cls([read_example(line) for line in lines if line.strip()])

    def classify(self, text: str, *, without: int | None = None) -> Guess:
        """The category of `text`. `without` leaves one example out, by its position, to judge the others fairly."""
        likeness = [0.0] * len(self.examples)
        for feature, weight in self.weigh(count_features(text[:MAX_CHARS])).items():
            for at, other in zip(*self.postings[feature], strict=True):
                likeness[at] += weight * other
        if without is not None:
            likeness[without] = 0.0
        best = sorted(range(len(likeness)), key=likeness.__getitem__, reverse=True)[:NEIGHBOURS]  # twice heapq's speed
        nearest = tuple(Neighbour(self.examples[at], min(1.0, likeness[at])) for at in best if likeness[at])
        votes = self.count_votes(likeness, nearest)
        ranked = sorted(votes.items(), key=lambda pair: -pair[1])
        (category, first), (_, second) = ranked[0], ranked[1]
        return Guess(category if first else "general", round(first - second, 4), nearest, share_reasons(nearest))

    def count_votes(self, likeness: Sequence[float], nearest: Sequence[Neighbour]) -> dict[Category, float]:
        """A share of 1 for each category: half from the neighbours, half from the centres."""
        near = dict.fromkeys(CATEGORIES, 0.0)
        for neighbour in nearest:
            near[neighbour.example.category] += neighbour.similarity**1.5
        totals = {category: sum(map(likeness.__getitem__, own)) for category, own in self.members.items()}
        close = {category: (total / self.sizes[category]) ** 2 for category, total in totals.items()}
        near_sum, close_sum = sum(near.values()) or 1.0, sum(close.values()) or 1.0
        return {c: (near[c] / near_sum + close.get(c, 0.0) / close_sum) / 2 for c in CATEGORIES}

    def weigh(self, counts: dict[str, float]) -> dict[str, float]:
        weighted = {f: n * self.rarity[f] for f, n in counts.items() if f in self.rarity}
        size = math.sqrt(sum(weight * weight for weight in weighted.values())) or 1.0
        return {feature: weight / size for feature, weight in weighted.items()}


def read_example(line: str) -> Example:
    row = json.loads(line)
    if row["category"] not in CATEGORIES:
        raise ValueError(f"no such category: {row['category']}")
    reasons = tuple(REASON_NAMES.get(reason, reason) for reason in row.get("reasons", ()))
    return Example(row["text"], row["category"], reasons, bool(row.get("info_only", False)))


def count_features(text: str) -> dict[str, float]:
    """Stems, pairs of stems, and runs of three and four letters, each with a dampened count."""
    words = list_words(text)
    stems = [stem_word(word) for word in words]
    weights: Counter[str] = Counter()
    weights.update(stems)
    weights.update(stems)  # a word counts for two
    weights.update(f"{first} {second}" for first, second in pairwise(stems))
    letters = f" {' '.join(fold(text).split())} "
    for length in (3, 4):
        weights.update("#" + run for run in letter_runs(letters, length))
    return {feature: damp(feature, count) for feature, count in weights.items()}


def damp(feature: str, count: int) -> float:
    value = 1 + math.log(count)
    return value if feature[0] != "#" else 0.55 * value


def letter_runs(letters: str, length: int) -> Iterable[str]:
    return (letters[at : at + length] for at in range(len(letters) - length + 1))


def share_reasons(nearest: Sequence[Neighbour]) -> tuple[tuple[str, float], ...]:
    total = sum(neighbour.similarity for neighbour in nearest) or 1.0
    shares: dict[str, float] = defaultdict(float)
    for neighbour in nearest:
        for reason in neighbour.example.reasons:
            shares[reason] += neighbour.similarity / total
    return tuple(sorted(((reason, round(share, 3)) for reason, share in shares.items()), key=lambda pair: -pair[1]))
