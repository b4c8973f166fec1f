"""What is learnt of labelled examples: one linear system over how like each other they are, and cuts measured with it.

Kernel ridge regression. Each example's duals say how much it speaks for each label; the cuts are set on examples that
were left out when they were asked.
"""

import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from agent.brief import Category, Label
from agent.features import count_features
from agent.policy import REASONS
from db.examples import Example

CATEGORIES: tuple[Category, ...] = get_args(Category)
MOODS: tuple[Label, ...] = get_args(Label)
ESCALATE = "escalate"
LABELS = (*CATEGORIES, *REASONS, *MOODS, ESCALATE)
RIDGE = 0.6
"""How much an example is mistrusted: 0 learns each by heart."""
MEANING = 0.5
"""Weight of the likeness of meanings beside that of words."""
COMMON_SHARE = 0.4
"""A feature in more than this share of the examples tells nothing."""
FALSE_SHARE = 0.15
"""Of the examples nobody must see, how many may be taken for one: it is better to ask a person too often."""
CERTAIN_SHARE = 0.03
"""The same for what counts as certain."""
LOST_SHARE = 0.02
"""Of the examples a rule is right about, how many may be taken for harmless all the same."""
ANGRY_PRECISION = 0.75
FOLDS = 5
BLOCK = 256  # rows
READERS = (
    "fit.py", "features.py", "signs.py", "policy.py", "policy_rules.toml", "routing.py", "category_words.toml",
    "sentiment.py", "sentiment_words.toml", "language.py", "language_words.toml", "glossary.py", "glossary.toml",
    "words.py",
)  # fmt: skip
MAX_ROUNDS, CLOSE, TINY = 200, 1e-4, 1e-12
"""When the solution is good enough: what is left over is this small an example, or it has taken so many rounds."""

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Fit:
    """What was learnt of a set of examples. Arrays have a row for each example."""

    vocabulary: tuple[str, ...]
    rarity: Vector
    starts: NDArray[np.int64]
    """Where the examples that have a feature begin in `places`, by the feature's position; one more at the end."""
    places: NDArray[np.int32]
    weights: Vector
    duals: Vector
    """How much each example says for each of LABELS."""
    means: Vector
    must_see_from: float
    certain_from: float
    overruled_below: float
    """Rules are sure of themselves in examples that score less, and wrong in nearly all of them."""
    angry_from: float

    def pack(self) -> bytes:
        """As bytes to keep."""
        kept = io.BytesIO()
        np.savez(
            kept,
            vocabulary=np.frombuffer("\n".join(self.vocabulary).encode(), dtype=np.uint8),
            rarity=self.rarity, starts=self.starts, places=self.places, weights=self.weights, duals=self.duals,
            means=self.means,
            cuts=np.array([self.must_see_from, self.certain_from, self.overruled_below, self.angry_from]),
        )  # fmt: skip
        return kept.getvalue()

    @classmethod
    def unpack(cls, kept: bytes) -> "Fit":
        """What `pack` made. Raises ValueError, KeyError."""
        with np.load(io.BytesIO(kept), allow_pickle=False) as found:
            words = tuple(bytes(found["vocabulary"]).decode().split("\n"))
            must_see, certain, overruled, angry = found["cuts"].tolist()
            arrays = {name: found[name] for name in ("rarity", "starts", "places", "weights", "duals", "means")}
            cuts = {"must_see_from": must_see, "certain_from": certain, "overruled_below": overruled}
            return cls(words, **arrays, **cuts, angry_from=angry)


def learn(examples: Sequence[Example], vectors: Vector | None) -> Fit:
    """The one linear system, and the cuts, measured on examples that were left out of it."""
    rows, vocabulary, rarity = weigh_features([example.text for example in examples])
    starts, places, weights = lay_out(rows, len(vocabulary))
    kernel = multiply(rows, starts, places, weights)
    if vectors is not None:
        for at in range(0, len(kernel), BLOCK):  # at once it would take a second matrix of that size
            kernel[at : at + BLOCK] += MEANING * (vectors[at : at + BLOCK] @ vectors.T)
    kernel[np.diag_indices_from(kernel)] += RIDGE
    wanted = np.array([label_example(example) for example in examples], dtype=np.float32)
    means = wanted.mean(axis=0)
    asked = dict(zip(LABELS, ask_left_out(kernel, wanted).T, strict=True))
    labelled = dict(zip(LABELS, wanted.T > 0, strict=True))
    signs = [at for at, feature in enumerate(vocabulary) if feature.removeprefix("!") in REASONS]
    is_ruled = np.array([bool(np.isin(row[0], signs).any()) for row in rows])
    must_see_from = cut_by_false_share(asked[ESCALATE], labelled[ESCALATE], FALSE_SHARE)
    overruled_below = cut_by_lost_share(asked[ESCALATE], labelled[ESCALATE] & is_ruled)
    return Fit(
        vocabulary=vocabulary, rarity=rarity, starts=starts, places=places, weights=weights,
        duals=solve(kernel, wanted - means, np.ones(len(wanted), dtype=bool)), means=means,
        must_see_from=must_see_from,
        certain_from=cut_by_false_share(asked[ESCALATE], labelled[ESCALATE], CERTAIN_SHARE),
        overruled_below=min(must_see_from, overruled_below),
        angry_from=cut_by_precision(asked["angry"], labelled["angry"]),
    )  # fmt: skip


def ask_left_out(kernel: Vector, wanted: Vector) -> Vector:
    """What each example is taken for by the examples of the other folds."""
    asked = np.empty_like(wanted)
    fold = np.arange(len(wanted)) % FOLDS
    for own in (fold == number for number in range(FOLDS)):
        means = wanted[~own].mean(axis=0) if not own.all() else wanted.mean(axis=0)
        duals = solve(kernel, (wanted - means) * ~own[:, None], ~own)
        asked[own] = kernel[own] @ duals + means
    return asked


def solve(kernel: Vector, wanted: Vector, taken: NDArray[np.bool_]) -> Vector:
    """The duals of the examples that are taken, 0 for the others, by conjugate gradients: they need no second matrix
    of the kernel's size, which a small machine has no room for."""
    duals, rest = np.zeros_like(wanted), wanted.copy()
    way = rest.copy()
    left = (rest * rest).sum(axis=0)
    for _ in range(MAX_ROUNDS):
        if (left <= CLOSE * CLOSE * len(wanted)).all():
            break
        turned = (kernel @ way) * taken[:, None]
        step = left / np.maximum((way * turned).sum(axis=0), TINY)
        duals += step * way
        rest -= step * turned
        before, left = left, (rest * rest).sum(axis=0)
        way = rest + (left / np.maximum(before, TINY)) * way
    return duals


def label_example(example: Example) -> list[float]:
    named = {example.category, example.sentiment, *example.reasons, *([ESCALATE] if example.reasons else ())}
    return [float(label in named) for label in LABELS]


Row = tuple[NDArray[np.int32], Vector]
"""An example's features by position, and their weights, together of length 1."""


def weigh_features(texts: Sequence[str]) -> tuple[list[Row], tuple[str, ...], Vector]:
    """The features that more than one text has and not too many, rarer ones heavier."""
    places: dict[str, int] = {}  # numbers instead of names: with names, all features of all texts take 200 MB
    counted = [number_features(count_features(text), places) for text in texts]
    seen = np.bincount(np.concatenate([at for at, _ in counted]), minlength=len(places))
    most = max(3.0, COMMON_SHARE * len(texts))
    kept = {f: at for f, at in places.items() if 1 < seen[at] <= most or f[0] == "!"}
    renamed = np.full(len(places), -1, dtype=np.int32)
    renamed[list(kept.values())] = np.arange(len(kept), dtype=np.int32)
    rarity = np.array([weigh_rarity(f, len(texts) / seen[at]) for f, at in kept.items()], dtype=np.float32)
    return [weigh_row(renamed[at], counts, rarity) for at, counts in counted], tuple(kept), rarity


def number_features(counts: Mapping[str, float], places: dict[str, int]) -> Row:
    """The features by number, a new number for a new one."""
    at = np.fromiter((places.setdefault(f, len(places)) for f in counts), dtype=np.int32, count=len(counts))
    return at, np.fromiter(counts.values(), dtype=np.float32, count=len(counts))


def weigh_rarity(feature: str, ratio: float) -> float:
    return 1 + (0.5 if feature[0] == "!" else 1.0) * math.log(ratio)


def weigh_row(at: NDArray[np.int32], counts: Vector, rarity: Vector) -> Row:
    known = at >= 0
    weights = counts[known] * rarity[at[known]]
    return at[known], weights / (np.linalg.norm(weights) or 1.0)


def lay_out(rows: Sequence[Row], features: int) -> tuple[NDArray[np.int64], NDArray[np.int32], Vector]:
    """The rows turned: for each feature the examples that have it, one after the other, with their weights."""
    at = np.concatenate([row[0] for row in rows])
    owners = np.repeat(np.arange(len(rows), dtype=np.int32), [len(row[0]) for row in rows])
    order = np.argsort(at, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(at, minlength=features))])
    return starts.astype(np.int64), owners[order], np.concatenate([row[1] for row in rows])[order]


def multiply(rows: Sequence[Row], starts: NDArray[np.int64], places: NDArray[np.int32], weights: Vector) -> Vector:
    """How like each two examples are."""
    kernel = np.zeros((len(rows), len(rows)), dtype=np.float32)
    for line, (features, own) in zip(kernel, rows, strict=True):
        for at, weight in zip(features.tolist(), own.tolist(), strict=True):
            found = slice(starts[at], starts[at + 1])
            line[places[found]] += weight * weights[found]
    return kernel


def cut_by_false_share(scores: NDArray[Any], is_wanted: NDArray[np.bool_], share: float) -> float:
    """The score above which no more than this share of the unwanted lie."""
    calm = scores[~is_wanted]
    return float(np.quantile(calm, 1 - share)) if len(calm) else 0.5


def cut_by_lost_share(scores: NDArray[Any], is_wanted: NDArray[np.bool_]) -> float:
    """The score below which no more than LOST_SHARE of the wanted lie."""
    return float(np.quantile(scores[is_wanted], LOST_SHARE)) if is_wanted.any() else -math.inf


def cut_by_precision(scores: NDArray[Any], is_wanted: NDArray[np.bool_]) -> float:
    """The lowest score from which on ANGRY_PRECISION are wanted; out of reach where there is none."""
    order = np.argsort(-scores)
    right = np.cumsum(is_wanted[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(right >= ANGRY_PRECISION)
    return float(scores[order[good[-1]]]) if len(good) else math.inf


def digest_examples(examples: Sequence[Example], model: str | None) -> str:
    """What a fit depends on: the examples, the embedding model, and the code and word lists that read a text."""
    seen = hashlib.sha256(digest_code().encode())
    seen.update(repr((model, [(e.text, e.category, e.sentiment, e.reasons) for e in examples])).encode())
    return seen.hexdigest()


@cache
def digest_code() -> str:
    """Of what decides which features a text has, and of this file."""
    folder = Path(__file__).parent
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in READERS)).hexdigest()
