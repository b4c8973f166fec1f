"""What the learner sees of a message: word stems, pairs of them, runs of three letters, and the signs of the rules.

Signs are the same in every language ("!legal" for a lawyer and for an Anwalt), so that what is learnt of one language
holds for all.
"""

import math
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from agent.glossary import gloss
from agent.language import find_language
from agent.sentiment import score_sentiment
from agent.signs import list_signs
from agent.words import fold, list_words, stem_word

MAX_CHARS = 2000
RUN = 3  # letters
STEM_WEIGHT, PAIR_WEIGHT, RUN_WEIGHT, SIGN_WEIGHT, GLOSS_WEIGHT = 1.7, 1.0, 0.55, 3.0, 1.7


def count_features(text: str) -> dict[str, float]:
    """Each feature with its weight: stems ("refund"), pairs ("no refund"), runs ("#efu") and signs ("!legal")."""
    text = text[:MAX_CHARS]
    language = find_language(text) or "en"
    stems = [stem_word(word) for word in list_words(text)]
    in_english = "" if language == "en" else gloss(text, language)
    counts = Counter(stems)
    letters = f" {' '.join(fold(text).split())} "
    runs = Counter("#" + letters[at : at + RUN] for at in range(len(letters) - RUN + 1))
    features = {stem: STEM_WEIGHT * (1 + math.log(count)) for stem, count in counts.items()}
    features |= {f"{first} {second}": PAIR_WEIGHT for first, second in pairwise(stems)}
    features |= {run: RUN_WEIGHT * (1 + math.log(count)) for run, count in runs.items()}
    features |= {stem_word(word): GLOSS_WEIGHT for word in list_words(in_english)}
    return features | dict.fromkeys(read_signs(text, language), SIGN_WEIGHT)


def read_signs(text: str, language: str) -> Iterator[str]:
    """What the rules and word lists of any language say of a text, and how its words feel; each begins with "!"."""
    yield from (f"!{sign}" for sign in list_signs(text, language))
    yield f"!mood:{score_sentiment(text, language).label}"
