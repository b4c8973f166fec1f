"""The page on which an article is written: its fields, its versions, how it is cut and what a question finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from starlette.responses import Response

from app.access import load_actor
from app.article_forms import fill_fields, show_written
from app.forms import Category
from app.line_diff import DiffLine, diff_lines
from app.problems import FieldError
from app.rendering import render_page
from app.state import DeskRequest
from db.articles import WrittenArticle, cut_article
from db.errors import NotFound
from db.knowledge import NewPassage
from db.knowledge_desk import Text, VersionLine, list_versions, load_text
from db.misled import count_told
from db.pool import Connection
from db.search import PassageMatch, PassageSearch
from db.text import search_words

MAX_QUESTION = 2000  # characters
FOUND = 5


@dataclass(frozen=True, slots=True)
class Editor:
    """What the page shows beside the fields. `found` is None where nothing was asked.

    article: the newest version, None for one that is not there yet. told: answers sent that stand on words it has no
    longer. changes: those that `compared` names. quoted: what a proposal says, as it was proposed.
    """

    article: Text | None = None
    versions: Sequence[VersionLine] = ()
    told: int = 0
    passages: Sequence[NewPassage] = ()
    found: Sequence[PassageMatch] | None = None
    compared: str = ""
    changes: Sequence[DiffLine] = ()
    notice: str = ""
    mistakes: Sequence[FieldError] = ()
    quoted: str = ""


def make_search(question: str, plan: str | None = None) -> PassageSearch:
    """The agent's own search by words alone: its other half asks models, which this process does not have."""
    return PassageSearch([search_words(question)], [1.0], plan=plan, limit=FOUND)


def read_question(values: Mapping[str, Any]) -> str:
    question = values.get("question")
    return " ".join(question.replace("\x00", " ").split())[:MAX_QUESTION] if isinstance(question, str) else ""


def cut(article: WrittenArticle | Text) -> Sequence[NewPassage]:
    """How an article comes to be cut."""
    plain = WrittenArticle(article.slug, article.title, article.body)
    return cut_article(plain).passages


def fields_of(article: Text) -> dict[str, Any]:
    """A stored version as the editor's fields; what is retired is written anew, starting from nothing."""
    return show_written(article) | {"version": article.version if article.state == "live" else 0}


async def load_editor(conn: Connection, article: Text) -> Editor:
    """The page of an article, in its newest version, with its history."""
    versions = await list_versions(conn, article.slug)
    return Editor(article, versions, await count_told(conn, article.slug), cut(article))


async def find_editor(conn: Connection, slug: str) -> Editor:
    """The page of an article, or of none where there is none."""
    try:
        return await load_editor(conn, await load_text(conn, slug))
    except NotFound:
        return Editor()


def compare(old: Text, new: Text) -> list[DiffLine]:
    """All that changed between two versions, their fields first."""
    return diff_lines(write_out(show_written(old)), write_out(show_written(new)))


def write_out(fields: Mapping[str, Any]) -> str:
    """An article as one text of lines: what each field says, then the body."""
    heads = [
        f"{name}: {fields[name]}"
        for name in ("title", "category", "visibility", "plan", "language", "supersedes")
        if fields.get(name)
    ]
    questions = [f"question: {line}" for line in str(fields.get("questions") or "").splitlines() if line.strip()]
    return "\n".join([*heads, *questions, "", *str(fields.get("body") or "").replace("\r\n", "\n").splitlines()])


def show_editor(request: DeskRequest, editor: Editor, values: Mapping[str, Any], *, status: int = 200) -> Response:
    """The page; `values` fill its fields, whatever they are."""
    context = {
        "editor": editor,
        "fields": fill_fields(values),
        "errors": {mistake.field: mistake.message for mistake in editor.mistakes},
        "categories": get_args(Category),
        "may_publish": load_actor(request).may("manager"),
    }
    return render_page(request, "article_editor.html", context, status=status)
