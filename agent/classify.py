"""What labelled examples say of a message: its queue, whether a person must see it and why, and its mood.

Two texts are as like each other as their words, runs of letters and signs (agent/features.py) and, where there is a
local embedding model, their meanings. What a text is taken for is the sum over the examples of likeness times what was
learnt of each (agent/fit.py). So every verdict has examples that can be named, and a correction is one example more.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agent.brief import Category, Label
from agent.features import count_features
from agent.fit import CATEGORIES, ESCALATE, LABELS, MEANING, MOODS, Fit, Vector, learn
from agent.policy import REASONS
from db.examples import Example

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An example, and how much it speaks for the label it is named for."""

    example: Example
    weight: float


@dataclass(frozen=True, slots=True)
class Guess:
    """What the examples say. Scores are near 1 for a label they are sure of, near 0 for one they are sure it is not."""

    category: Category
    margin: float
    """How far the category is ahead of the second."""
    categories: dict[Category, float]
    reason: str
    """The likeliest of policy.REASONS, whether or not a person must see it."""
    must_see: float
    """Above 0 when a person should see it; the cut was measured on the examples themselves."""
    is_certain: bool
    """So much for a person that a good article does not change it."""
    is_harmless: bool
    """So surely nothing for a person that a rule which says otherwise was misled."""
    moods: dict[Label, float]
    is_angry: bool
    nearest: tuple[Neighbour, ...]
    """What spoke most for handing over where a person should see it, else for the category."""


class Classifier:
    """Examples and what was learnt of them. A verdict takes one to three milliseconds."""

    def __init__(self, examples: Sequence[Example], fit: Fit, vectors: Vector | None = None) -> None:
        self.examples, self.fit, self.vectors = tuple(examples), fit, vectors
        self.positions = {feature: at for at, feature in enumerate(fit.vocabulary)}

    @classmethod
    def learn(
        cls, examples: Sequence[Example], vectors: Vector | Sequence[Sequence[float]] | None = None
    ) -> "Classifier":
        """Learn from examples, and from their unit vectors where given. Some milliseconds an example."""
        if not examples:
            raise ValueError("a classifier needs examples")
        made = None if vectors is None else np.asarray(vectors, dtype=np.float32)
        return cls(examples, learn(examples, made), made)

    def classify(self, text: str, vector: Sequence[float] | None = None) -> Guess:
        """What `text` is. `vector` is its unit vector, None where there is no model or the examples have none."""
        likeness = self.measure_likeness(text)
        if self.vectors is not None and vector is not None:
            likeness += MEANING * (self.vectors @ np.asarray(vector, dtype=np.float32))
        scores = dict(zip(LABELS, (likeness @ self.fit.duals + self.fit.means).tolist(), strict=True))
        return self.describe(scores, likeness)

    def measure_likeness(self, text: str) -> Vector:
        """How like each example's words `text` is, 0 to 1."""
        fit, likeness = self.fit, np.zeros(len(self.examples), dtype=np.float32)
        counts = count_features(text)
        known = {self.positions[feature]: weight for feature, weight in counts.items() if feature in self.positions}
        weighted = {at: weight * float(fit.rarity[at]) for at, weight in known.items()}
        size = math.sqrt(sum(weight * weight for weight in weighted.values())) or 1.0
        for at, weight in weighted.items():
            own = slice(fit.starts[at], fit.starts[at + 1])
            likeness[fit.places[own]] += weight / size * fit.weights[own]
        return likeness

    def describe(self, scores: Mapping[str, float], likeness: Vector) -> Guess:
        categories = {category: scores[category] for category in CATEGORIES}
        ranked = sorted(categories.items(), key=lambda pair: -pair[1])
        (category, first), (_, second) = ranked[0], ranked[1]
        moods = {mood: scores[mood] for mood in MOODS}
        must_see = scores[ESCALATE] - self.fit.must_see_from
        reason = max(REASONS, key=lambda name: scores[name])
        return Guess(
            category=category,
            margin=round(first - second, 4),
            categories=categories,
            reason=reason,
            must_see=round(must_see, 4),
            is_certain=scores[ESCALATE] >= self.fit.certain_from,
            is_harmless=scores[ESCALATE] < self.fit.overruled_below,
            moods=moods,
            is_angry=moods["angry"] >= self.fit.angry_from,
            nearest=self.name_nearest(likeness, ESCALATE if must_see > 0 else category),
        )

    def name_nearest(self, likeness: Vector, label: str) -> tuple[Neighbour, ...]:
        """The examples that say most for a label, the most telling first."""
        spoken = likeness * self.fit.duals[:, LABELS.index(label)]
        best = np.argsort(-spoken)[:SHOWN]
        return tuple(Neighbour(self.examples[at], round(float(spoken[at]), 4)) for at in best if spoken[at] > 0)
