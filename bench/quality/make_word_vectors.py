"""Makes agent/word_vectors.bin from the local embedding model: python -m bench.quality.make_word_vectors

Every piece of a word the model knows is read by it alone; the vectors are turned so that the first 192 numbers say
most, weighed by how rare the piece is (a common word says little about a text), and rounded to 4 bits. Takes a minute.
"""

import json
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.embeddings import find_local_embedder
from agent.local_model import WEIGHTS_SHA256, LocalModel

OUTPUT = Path(__file__).parents[2] / "agent" / "word_vectors.bin"
DIMENSIONS = 192
LEVELS = 7  # either side of zero: -7 to 7 fits 4 bits
ALONE = re.compile(r"(##)?[a-z0-9\u00df-\u024f]+")
COMMON = 1000  # pieces: the most frequent ones, and marks, bend the axes and are left out when they are found
FIRST_WORD = 1990  # before it: marks, digits and single letters
BATCH = 64

Matrix = NDArray[np.float32]


def main() -> None:
    """Write the table and say how large it is."""
    embedder = find_local_embedder()
    if embedder is None:
        raise SystemExit("the local embedding model is not installed: make install")
    model = LocalModel(embedder.folder)
    vocabulary = model.tokenizer.get_vocab()
    pieces = sorted(vocabulary, key=lambda piece: int(vocabulary[piece]))
    turned = turn_axes(read_pieces(model, len(pieces))) * weigh_pieces(len(pieces))[:, None]
    kept = [place for place, piece in enumerate(pieces) if ALONE.fullmatch(piece) and place > 0]
    OUTPUT.write_bytes(pack_table([pieces[place] for place in kept], turned[kept].astype(np.float32)))
    print(f"{OUTPUT.name}: {len(kept)} pieces, {OUTPUT.stat().st_size / 1e6:.1f} MB")


def read_pieces(model: LocalModel, count: int) -> Matrix:
    """The mean of the last layer over [CLS] piece [SEP], for each piece."""
    vectors: list[Matrix] = []
    for start in range(0, count, BATCH):
        tokens = [[101, place, 102] for place in range(start, min(start + BATCH, count))]
        vectors += list(model.embed_ids(tokens))
    return np.stack(vectors)


def turn_axes(vectors: Matrix) -> Matrix:
    centred = vectors - vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(centred[COMMON:], full_matrices=False)
    turned: Matrix = centred @ axes[:DIMENSIONS].T
    return turned


def weigh_pieces(count: int) -> Matrix:
    """a / (a + p) with a = 0.001 and the share p of all words that Zipf's law gives: they are in order of frequency.

    Source: Arora, Liang, Ma, A simple but tough-to-beat baseline for sentence embeddings (2017).
    """
    ranks = np.maximum(np.arange(count) - FIRST_WORD, 1)
    weights: Matrix = (0.001 / (0.001 + 0.1 / ranks)).astype(np.float32)
    return weights


def pack_table(pieces: list[str], rows: Matrix) -> bytes:
    """One line of JSON, the pieces a line each, their scales as float32, then two numbers a byte, each plus 8."""
    scales = (np.abs(rows).max(axis=1) / LEVELS).astype("<f4")
    levels = (np.round(rows / scales[:, None]) + 8).astype(np.uint8)
    head = {"dimensions": DIMENSIONS, "pieces": len(pieces), "made_from": f"all-MiniLM-L6-v2 {WEIGHTS_SHA256}"}
    text = "\n".join([json.dumps(head), *pieces]) + "\n"
    packed: bytes = (levels[:, 0::2] << 4 | levels[:, 1::2]).tobytes()
    return text.encode() + bytes(scales.tobytes()) + packed


if __name__ == "__main__":
    main()
