"""Knowledge bases to search in, taken in the way the product takes them in."""

import json
import pickle
import re
from collections.abc import Iterable, Mapping, Sequence

from agent.embeddings import Embedder
from agent.indexing import import_article, index_article
from app.front_matter import parse_article
from app.knowledge_files import SAMPLE_COMPANY
from bench.ground import FOLDER
from bench.quality.reading import list_public
from db.knowledge import NewArticle
from db.pool import Pool, acquire

VECTORS = FOLDER / "vectors.pickle"
FOREIGN_WORDS = 28  # so that there are 5,000 passages of them
SECTIONS = 10


class KeptVectors:
    """An embedder that remembers, also for the next run: only how good vectors are is measured here, not how fast."""

    def __init__(self, inner: Embedder) -> None:
        self.inner = inner
        self.name, self.dimensions = inner.name, inner.dimensions
        self.known = read_vectors()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One unit vector per text. Raises EmbeddingUnavailable."""
        missing = [text for text in dict.fromkeys(texts) if text not in self.known]
        self.known |= dict(zip(missing, await self.inner.embed(missing), strict=True))
        return [self.known[text] for text in texts]

    def keep(self) -> None:
        """Write what was learnt to the bench's own folder."""
        FOLDER.mkdir(exist_ok=True)
        VECTORS.write_bytes(pickle.dumps(self.known))


def read_vectors() -> dict[str, list[float]]:
    known: dict[str, list[float]] = {}
    if VECTORS.is_file():
        known = pickle.loads(VECTORS.read_bytes())  # noqa: S301 (our own file)
    return known


async def take_in(pool: Pool, embedder: Embedder | None, articles: Iterable[NewArticle]) -> None:
    """Import articles and make their vectors, as an import and the worker's job after it do."""
    made: list[int] = []
    async with acquire(pool) as conn:
        await conn.execute("set synchronous_commit = off")
        made += [(await import_article(conn, article)).article_id for article in articles]
    for article_id in made:
        if embedder is not None:
            await index_article(pool, embedder, article_id)
    async with acquire(pool) as conn:
        await conn.execute("vacuum analyze")


def write_article(slug: str, title: str, body: str, questions: Sequence[str] = ()) -> NewArticle:
    """A public article for everybody."""
    matter = f"slug: {slug}\ntitle: {json.dumps(title)}\nquestions: {json.dumps(list(questions))}"
    return parse_article(f"---\n{matter}\n---\n{body}", slug)


def make_slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def list_company_articles() -> list[NewArticle]:
    """The articles of the sample company."""
    return [parse_article(path.read_text(), path.name) for path in sorted(SAMPLE_COMPANY.glob("*.md"))]


def list_bank_articles() -> list[NewArticle] | None:
    """The bank's articles, those for its staff too, all as public ones; None without the public sets."""
    rows = list_public("retrieval_bank_corpus.jsonl")
    return None if rows is None else [write_article(make_slug(row["id"]), row["title"], row["text"]) for row in rows]


def list_foreign_articles(passages: int) -> list[NewArticle]:
    """Articles of ten sections about other matters: programmers' posts, mails, what customers of shops said."""
    rows = [row for name in FOREIGN for row in list_public(name) or () if not is_about_banking(row)]
    words = [word for row in rows for word in row["text"].split()]
    parts = [
        words[at : at + FOREIGN_WORDS] for at in range(0, min(len(words), passages * FOREIGN_WORDS), FOREIGN_WORDS)
    ]
    return [write_foreign(at, parts[at : at + SECTIONS]) for at in range(0, len(parts), SECTIONS)]


FOREIGN = (
    "sentiment_stackoverflow_dev.jsonl",
    "injections_public_dev.jsonl",
    "routing_public_dev.jsonl",
    "offtopic_dev.jsonl",
)


def is_about_banking(row: Mapping[str, str]) -> bool:
    """As the bank's articles are: what its customers ask is not foreign to them."""
    return row.get("source") == "banking77" or row.get("label") == "in_scope"


def write_foreign(number: int, parts: Sequence[Sequence[str]]) -> NewArticle:
    sections = [f"## {plain(part[:6])}\n\n{plain(part[6:])}" for part in parts]
    return write_article(f"foreign-{number}", plain(parts[0][6:12]), "\n\n".join(sections))


def plain(words: Sequence[str]) -> str:
    return re.sub(r"[#*_`>|\[\]]", "", " ".join(words)) or "Text"
