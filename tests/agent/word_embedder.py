"""An embedder without a model, and articles to search: texts with common words are near each other."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.embeddings import EmbeddingUnavailable
from agent.indexing import Imported, import_article, index_article
from agent.words import list_words, stem_word
from app.front_matter import parse_article
from db.pool import Pool

SAME_TO_IT = {"cash": "refund"}
"""Words this embedder takes for one another, as a real one would."""


@dataclass
class WordEmbedder:
    """Counts stems into buckets. `asked` is what it was given so far; `is_down` makes it fail."""

    name: str = "words"
    dimensions: int = 64
    is_down: bool = False
    asked: list[str] = field(default_factory=list)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if self.is_down:
            raise EmbeddingUnavailable("down for the test")
        self.asked += texts
        return [self.count_words(text) for text in texts]

    def count_words(self, text: str) -> list[float]:
        counts = [0.001] * self.dimensions
        for word in list_words(text):
            stem = stem_word(SAME_TO_IT.get(word, word))
            counts[int(hashlib.sha256(stem.encode()).hexdigest(), 16) % self.dimensions] += 1.0
        length = math.sqrt(sum(count * count for count in counts))
        return [count / length for count in counts]


def write_article(slug: str, body: str, **fields: str) -> str:
    """The text of an article with this front matter."""
    return "\n".join(["---", f"slug: {slug}", *(f"{name}: {value}" for name, value in fields.items()), "---", body])


async def take_in(pool: Pool, slug: str, body: str, embedder: WordEmbedder | None = None, **fields: str) -> Imported:
    """Import one article, and index it where there is an embedder."""
    async with pool.acquire() as conn:
        done = await import_article(conn, parse_article(write_article(slug, body, **fields), f"{slug}.md"))
    if embedder is not None:
        await index_article(pool, embedder, done.article_id)
    return done
