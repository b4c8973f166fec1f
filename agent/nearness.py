"""Whether two words mean about the same, by the table of word vectors; no two do where there is no table."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from agent.word_vectors import find_word_vectors
from agent.words import stem_word

NEAR = 0.5
"""The cosine from which a word counts as another one's paraphrase."""
REMEMBERED = 2_000  # words, of some 800 bytes each

Vectors = NDArray[np.float32]


@lru_cache(maxsize=REMEMBERED)
def read_vector(word: str) -> Vectors | None:
    """The unit vector of a folded word; None when the table does not know it."""
    table = find_word_vectors()
    found = table.embed(word) if table else None
    return None if found is None else np.array(found, dtype=np.float32)


def list_near_stems(content: Iterable[str], stems: frozenset[str], known: Iterable[str]) -> frozenset[str]:
    """The stems of those words that are not among `stems` but mean what one of the known words does. All are folded."""
    unknown, vectors = read_known({word for word in content if stem_word(word) not in stems})
    _, others = read_known(set(known) if unknown else ())
    if not unknown or not len(others):
        return frozenset()
    nearest = (vectors @ others.T).max(axis=1)
    return frozenset(stem_word(word) for word, cosine in zip(unknown, nearest, strict=True) if cosine >= NEAR)


def read_known(words: Iterable[str]) -> tuple[list[str], Vectors]:
    """Those of the words that the table knows, and their vectors, one per row."""
    found = {word: vector for word in words if (vector := read_vector(word)) is not None}
    return list(found), np.array(list(found.values()), dtype=np.float32)
