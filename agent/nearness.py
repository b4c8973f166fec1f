"""Whether two words mean about the same, by the table of word vectors; no two do where there is no table."""

from collections.abc import Iterable
from functools import lru_cache

from agent.word_vectors import find_word_vectors
from agent.words import stem_word

NEAR = 0.5
"""The cosine from which a word counts as another one's paraphrase."""
REMEMBERED = 20_000  # words


@lru_cache(maxsize=REMEMBERED)
def read_vector(word: str) -> tuple[float, ...] | None:
    """The unit vector of a folded word; None when the table does not know it."""
    table = find_word_vectors()
    found = table.embed(word) if table else None
    return tuple(found) if found else None


def is_near(word: str, others: Iterable[str]) -> bool:
    """Whether a folded word has the meaning of one of the others, which are folded too."""
    vector = read_vector(word)
    return vector is not None and any(has_meaning(vector, read_vector(other)) for other in others)


def has_meaning(vector: tuple[float, ...], other: tuple[float, ...] | None) -> bool:
    return other is not None and sum(map(float.__mul__, vector, other)) >= NEAR


def list_near_stems(content: Iterable[str], stems: frozenset[str], known: Iterable[str]) -> frozenset[str]:
    """The stems of those words that are not among `stems` but mean what one of the known words does."""
    unknown = {word for word in content if stem_word(word) not in stems}
    others = list(known)
    return frozenset(stem_word(word) for word in unknown if is_near(word, others))
