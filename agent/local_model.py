"""all-MiniLM-L6-v2 in numpy: 6 layers, 12 heads, 384 dimensions, no machine-learning runtime.

Only `agent.embeddings` loads this module, and only where numpy and tokenizers are installed.
"""

import hashlib
import json
import mmap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from db.errors import DeskError

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYERS = 6
HEADS = 12
LAYER_NORM_EPSILON = 1e-12
MAX_TOKENS = 256

Matrix = NDArray[np.float32]


class WrongWeights(DeskError):
    """The file is not the model it is said to be: it must not be used."""


class LocalModel:
    """Sentence vectors from a folder that holds `model.safetensors` and `tokenizer.json`.

    Raises WrongWeights when the weights are not the known file.
    """

    def __init__(self, folder: Path) -> None:
        self.weights = read_weights(folder / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        # The shipped tokenizer.json pads and cuts at 128 tokens; the model was trained for 256 without padding.
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One unit vector of 384 floats per text. The texts go through the dense layers together."""
        unit = self.embed_ids([encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))])
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        vectors: list[list[float]] = unit.tolist()
        return vectors

    def embed_ids(self, tokens: Sequence[Sequence[int]]) -> Matrix:
        """The mean of the last layer for each list of token ids: (texts, 384), not yet of unit length."""
        ends = np.cumsum([len(ids) for ids in tokens])
        spans = [slice(int(end) - len(ids), int(end)) for ids, end in zip(tokens, ends, strict=True)]
        hidden = self.embed_tokens(tokens)
        for layer in range(LAYERS):
            hidden = self.run_layer(f"encoder.layer.{layer}.", hidden, spans)
        return np.stack([hidden[span].mean(axis=0) for span in spans])

    def embed_tokens(self, tokens: Sequence[Sequence[int]]) -> Matrix:
        positions = np.concatenate([np.arange(len(ids)) for ids in tokens])
        words = self.weights["embeddings.word_embeddings.weight"][np.concatenate(tokens)]
        places = self.weights["embeddings.position_embeddings.weight"][positions]
        kind = self.weights["embeddings.token_type_embeddings.weight"][0]
        return self.normalise("embeddings.LayerNorm", words + places + kind)

    def run_layer(self, prefix: str, hidden: Matrix, spans: Sequence[slice]) -> Matrix:
        queries, keys, values = (self.dense(f"{prefix}attention.self.{part}", hidden) for part in PARTS)
        seen = np.concatenate([attend(queries[span], keys[span], values[span]) for span in spans])
        hidden = self.normalise(
            f"{prefix}attention.output.LayerNorm", self.dense(f"{prefix}attention.output.dense", seen) + hidden
        )
        wide = gelu(self.dense(f"{prefix}intermediate.dense", hidden))
        return self.normalise(f"{prefix}output.LayerNorm", self.dense(f"{prefix}output.dense", wide) + hidden)

    def dense(self, name: str, rows: Matrix) -> Matrix:
        product: Matrix = rows @ self.weights[f"{name}.weight"].T
        return product + self.weights[f"{name}.bias"]

    def normalise(self, name: str, rows: Matrix) -> Matrix:
        centred: Matrix = rows - rows.mean(axis=1, keepdims=True)
        spread: Matrix = np.sqrt((centred * centred).mean(axis=1, keepdims=True) + np.float32(LAYER_NORM_EPSILON))
        return centred / spread * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


PARTS = ("query", "key", "value")


def attend(queries: Matrix, keys: Matrix, values: Matrix) -> Matrix:
    """Attention of one text's tokens to each other: (tokens, width) in and out."""
    tokens, width = queries.shape
    split = (tokens, HEADS, width // HEADS)
    q, k, v = (part.reshape(split).transpose(1, 0, 2) for part in (queries, keys, values))
    scores = q @ k.transpose(0, 2, 1) / np.float32((width // HEADS) ** 0.5)
    shares = np.exp(scores - scores.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    seen: Matrix = (shares @ v).transpose(1, 0, 2).reshape(tokens, width)
    return seen


def gelu(rows: Matrix) -> Matrix:
    """x * Phi(x) with the error function of Abramowitz and Stegun 7.1.26, exact to 1.5e-7."""
    size = np.abs(rows) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * size)
    series = t * (
        np.float32(0.254829592)
        + t * (np.float32(-0.284496736)
        + t * (np.float32(1.421413741)
        + t * (np.float32(-1.453152027) + t * np.float32(1.061405429))))
    )  # fmt: skip
    error_function = np.copysign(1 - series * np.exp(-size * size), rows)
    active: Matrix = np.float32(0.5) * rows * (1 + error_function)
    return active


def read_weights(path: Path) -> dict[str, Matrix]:
    """The tensors of a safetensors file, mapped from disk, not copied. Raises WrongWeights."""
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if hashlib.sha256(mapped).hexdigest() != WEIGHTS_SHA256:
        raise WrongWeights(f"{path.name} is not the all-MiniLM-L6-v2 this project knows; reinstall the model package")
    start = 8 + int.from_bytes(mapped[:8], "little")
    header = json.loads(mapped[8:start])
    return {
        name: np.frombuffer(
            mapped, np.float32, count=int(np.prod(entry["shape"])), offset=start + entry["data_offsets"][0]
        ).reshape(entry["shape"])
        for name, entry in header.items()
        if entry.get("dtype") == "F32"
    }
