"""Meaning without a model: a vector for each piece of a word, looked up in a table, the mean of a text's pieces.

The table comes with the program (word_vectors.md says what it was made from) and needs no model to run. Where the
file is missing the search goes by words alone.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.words import list_words

TABLE = Path(__file__).with_name("word_vectors.bin")
NAME = "word-vectors-1"
"""Vectors of another table are another model: count up when it is made anew, and queue index_article for everything."""
LONGEST_WORD = 40  # characters; what is longer is no word


class WordVectors:
    """The table of one file. Raises OSError and ValueError for a file that cannot be read."""

    def __init__(self, path: Path) -> None:
        head, rest = path.read_bytes().split(b"\n", 1)
        described = json.loads(head)
        self.dimensions: int = described["dimensions"]
        count = int(described["pieces"])
        *pieces, packed = rest.split(b"\n", count)
        self.places = {piece.decode(): place for place, piece in enumerate(pieces)}
        self.scales = np.frombuffer(packed, dtype="<f4", count=count)
        self.rows = np.frombuffer(packed, dtype=np.uint8, offset=4 * count).reshape(count, self.dimensions // 2)

    def embed(self, text: str) -> list[float] | None:
        """The unit vector of a text; None when the table knows none of its words."""
        places = [place for word in list_words(text) for place in self.cut_word(word)]
        if not places:
            return None
        sums = self.scales[places].astype(np.float64) @ self.read_rows(places)
        length = float(np.sqrt(sums @ sums))
        return [number / length for number in sums.tolist()] if length else None

    def read_rows(self, places: list[int]) -> NDArray[np.float64]:
        """The numbers of these pieces, -8 to 7, before they are scaled."""
        packed = self.rows[places]
        return np.stack([packed >> 4, packed & 15], axis=2).reshape(len(places), -1) - 8.0

    def cut_word(self, word: str) -> Iterator[int]:
        """The places of the longest known pieces a word is made of, none if a part of it is unknown."""
        for part in word[:LONGEST_WORD].split("'"):
            found, start = [], 0
            while start < len(part):
                piece, end = find_piece(self.places, part, start)
                if piece is None:
                    break
                found.append(piece)
                start = end
            else:
                yield from found


def find_piece(places: dict[str, int], word: str, start: int) -> tuple[int | None, int]:
    for end in range(len(word), start, -1):
        place = places.get(("##" if start else "") + word[start:end])
        if place is not None:
            return place, end
    return None, start


@cache
def find_word_vectors() -> WordVectors | None:
    """The table that came with the program; None where it did not."""
    return WordVectors(TABLE) if TABLE.is_file() else None


def embed_words(texts: Sequence[str]) -> list[list[float] | None]:
    """A unit vector per text; None for a text without known words, and for every text where there is no table."""
    table = find_word_vectors()
    return [table.embed(text) if table else None for text in texts]


def embed_built_in(texts: Sequence[str], weights: Sequence[float]) -> tuple[str, list[float]] | None:
    """The name of the table and the vector of a query of several turns, newest first, each as heavy as its weight."""
    vectors = [(weight, vector) for weight, vector in zip(weights, embed_words(texts), strict=True) if vector]
    if not vectors:
        return None
    return NAME, [sum(numbers) for numbers in zip(*([w * x for x in v] for w, v in vectors), strict=True)]
