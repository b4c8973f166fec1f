"""An article on its way into rows: cut into passages, each with the words it is found by and the hashes of both."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from db.embeddings import Surface
from db.errors import DeskError
from db.knowledge import NewArticle, NewPassage
from db.passages import split_passages
from db.text import plain_text, search_words

MAX_BODY = 500_000  # characters; Postgres refuses a longer text-search vector


class ArticleError(DeskError):
    """An article cannot be taken in: which file or article, which field, and what is wrong with it."""

    def __init__(self, source: str, field: str, problem: str) -> None:
        super().__init__(f"{source}: {field}: {problem}")
        self.source = source
        self.field = field
        self.problem = problem


@dataclass(frozen=True, slots=True)
class WrittenArticle:
    """An article as its author wrote it. `body` is Markdown without its title."""

    slug: str
    title: str
    body: str
    questions: tuple[str, ...] = ()
    category: str = "general"
    visibility: str = "public"
    plan: str | None = None
    language: str = "en"
    updated: date | None = None
    supersedes: str | None = None


def cut_article(written: WrittenArticle) -> NewArticle:
    """The article with its passages, as it is stored. Questions are put on one line each, and kept once."""
    asked = (" ".join(question.split()) for question in written.questions)
    questions = tuple(dict.fromkeys(question for question in asked if question))
    parts = [written.title, written.body, written.category, written.visibility, written.plan, written.language,
             written.updated, written.supersedes, *questions]  # fmt: skip
    return NewArticle(
        slug=written.slug, title=written.title, body=written.body, questions=questions, category=written.category,
        visibility=written.visibility, plan=written.plan, language=written.language, updated=written.updated,
        supersedes=written.supersedes,
        content_hash=hashlib.sha256("\x00".join(str(part or "") for part in parts).encode()).hexdigest(),
        passages=tuple(
            NewPassage(
                heading, part, search_words(plain_text(part)), hash_words(text_surface(written.title, heading, part))
            )
            for heading, part in split_passages(written.body)
        ),
    )  # fmt: skip


def list_surfaces(title: str, questions: Sequence[str], passages: Sequence[tuple[str, str]]) -> list[Surface]:
    """All that gets a vector: title, questions, and of each passage (heading, text) both its headings and its text."""
    wanted: list[tuple[str, int | None, str]] = [("title", None, title)]
    wanted += [("question", None, question) for question in questions]
    for place, (heading, text) in enumerate(passages):
        if heading:
            wanted.append(("heading", place, f"{title}: {heading}"))
        wanted.append(("text", place, text_surface(title, heading, text)))
    return [Surface(kind, place, words, hash_words(words)) for kind, place, words in wanted]


def text_surface(title: str, heading: str, text: str) -> str:
    return "\n".join(part for part in (title, heading, plain_text(text)) if part)


def hash_words(words: str) -> str:
    """The same as content_hash() in the database."""
    return hashlib.sha256(words.encode()).hexdigest()[:32]
