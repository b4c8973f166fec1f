"""The measures the literature uses, in a few lines each."""

import math
from collections.abc import Mapping, Sequence


def accuracy(pairs: Sequence[tuple[str, str]]) -> float:
    """The share of (label, prediction) pairs that agree."""
    return sum(label == predicted for label, predicted in pairs) / len(pairs)


def macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    """F1 of each class that is a label, averaged without weights."""
    labels = sorted({label for label, _ in pairs})
    return sum(f1_of(pairs, label) for label in labels) / len(labels)


def f1_of(pairs: Sequence[tuple[str, str]], wanted: str) -> float:
    hits = sum(label == predicted == wanted for label, predicted in pairs)
    named = sum((label == wanted) + (predicted == wanted) for label, predicted in pairs)
    return 2 * hits / named if named else 0.0


def ndcg(ranked: Sequence[str], gains: Mapping[str, float], at: int = 10) -> float:
    """Discounted gain of the first `at` document ids against the best order there could be; gains are linear."""
    best = sorted(gains.values(), reverse=True)[:at]
    ideal = sum(gain / math.log2(place + 2) for place, gain in enumerate(best))
    found = sum(gains.get(document, 0.0) / math.log2(place + 2) for place, document in enumerate(ranked[:at]))
    return found / ideal if ideal else 0.0


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """How often a positive scores above a negative; ties count half."""
    ranks = rank_values([*positive, *negative])
    count = len(positive)
    return (sum(ranks[:count]) - count * (count + 1) / 2) / (count * len(negative))


def spearman(left: Sequence[float], right: Sequence[float]) -> float:
    """The correlation of the ranks of two series of the same length."""
    first, second = rank_values(left), rank_values(right)
    middle = (len(left) + 1) / 2
    shared = sum((a - middle) * (b - middle) for a, b in zip(first, second, strict=True))
    spread = math.sqrt(sum((a - middle) ** 2 for a in first) * sum((b - middle) ** 2 for b in second))
    return shared / spread if spread else 0.0


def rank_values(values: Sequence[float]) -> list[float]:
    """Ranks from 1, the mean rank for equal values."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in order[start : end + 1]:
            ranks[place] = (start + end) / 2 + 1
        start = end + 1
    return ranks
