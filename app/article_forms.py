"""What the team may send about articles: the fields of the editor, typed, pasted or read from a file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field
from starlette.datastructures import UploadFile

from app.bodies import MAX_FIELDS, Fields, check_charset, read_fields, read_kind
from app.forms import Category, Count, SentForm, check_line, check_message, compose, count_ends, drop_blank, read_uuid
from app.front_matter import FRONT_MATTER, SLUG, read_article, slug_from
from app.state import DeskRequest
from db.articles import MAX_BODY, ArticleError, WrittenArticle
from db.knowledge_desk import Text

MAX_FILE = 1_000_000  # bytes
MAX_PART = 2_500_000  # bytes of one field: MAX_BODY however it is encoded
MAX_QUESTIONS = 200
TAKEN = ("new",)
"""What the address /knowledge/{slug} needs for itself."""


def read_lines(value: object) -> object:
    """One question a line, or a list of them."""
    lines = value.splitlines() if isinstance(value, str) else value
    if not isinstance(lines, list) or any(not isinstance(line, str) for line in lines):
        raise ValueError("Please write one question a line.")
    kept = [" ".join(line.split()) for line in lines if line.strip()]
    if len(kept) > MAX_QUESTIONS:
        raise ValueError(f"Please keep to {MAX_QUESTIONS} questions.")
    return kept


def lower(value: object) -> object:
    return drop_blank(value.strip().lower()) if isinstance(value, str) else value


def read_optional_id(value: object) -> object:
    return read_uuid(drop_blank(value))


def shaped(pattern: str, most: int, wanted: str) -> AfterValidator:
    """A text of this shape; `wanted` is what is said of any other."""

    def check_shape(text: str) -> str:
        if len(text) > most or not re.fullmatch(pattern, text) or text in TAKEN:
            raise ValueError(wanted)
        return text

    return AfterValidator(check_shape)


Slug = Annotated[str, shaped(SLUG, 120, "Please use lower-case letters, digits and single hyphens, and not new.")]
Plan = Annotated[str, shaped("[a-z0-9_-]+", 40, "Please use one word of letters, digits and hyphens.")]
Language = Annotated[str, shaped("[a-z]{2}", 2, "Please use a two-letter code, such as en.")]


class ArticleForm(SentForm):
    """An article as the editor sends it. `version`: the one it started from, 0 for none."""

    title: Annotated[str, BeforeValidator(compose), Field(max_length=300), AfterValidator(check_line)]
    body: Annotated[str, Field(max_length=MAX_BODY), BeforeValidator(count_ends), AfterValidator(check_message)]
    slug: Annotated[Slug | None, BeforeValidator(lower)] = None
    category: Category = "general"
    visibility: Literal["public", "internal"] = "public"
    plan: Annotated[Plan | None, BeforeValidator(lower)] = None
    language: Annotated[Language, BeforeValidator(lower)] = "en"
    questions: Annotated[list[str], BeforeValidator(read_lines)] = Field(default_factory=list)
    supersedes: Annotated[Slug | None, BeforeValidator(lower)] = None
    version: Count = 0
    proposal: Annotated[UUID | None, BeforeValidator(read_optional_id)] = None
    message: Annotated[UUID | None, BeforeValidator(read_optional_id)] = None

    def write(self, updated: date | None) -> WrittenArticle:
        """The article. Raises ArticleError where no address can be made of its title, or it takes its own place."""
        slug = self.slug or slug_from(self.title)
        if not slug or slug in TAKEN:
            raise ArticleError("article", "slug", "Please write a name for its address, such as reset-password.")
        if self.supersedes == slug:
            raise ArticleError("article", "supersedes", "An article cannot take its own place.")
        return WrittenArticle(
            slug, self.title, self.body, tuple(self.questions), self.category, self.visibility, self.plan,
            self.language, updated, self.supersedes,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sent:
    """The fields of a request. `is_read`: they were read from a file, or from the head of a pasted text, just now."""

    values: dict[str, Any]
    is_form: bool
    is_read: bool = False


async def read_sent(request: DeskRequest) -> Sent:
    """The fields of the editor, of JSON or a form that may hold a file. A file's text takes the place of what was
    typed.

    Raises Problem, and ArticleError for a file that cannot be read.
    """
    fields, file = await read_form(request)
    text, name = (file.text, file.name) if file else (str(fields.values.get("body") or ""), "the text")
    if file is None and not FRONT_MATTER.match(text.replace("\r\n", "\n")):
        return Sent(fields.values, fields.is_form)
    read = show_written(read_article(text, name))
    if fields.values.get("version") not in (None, "", "0", 0):  # a file for an article that exists changes that one
        read["slug"] = fields.values.get("slug")
    return Sent({**fields.values, **read}, fields.is_form, is_read=True)


@dataclass(frozen=True, slots=True)
class SentFile:
    """A text file of a form."""

    name: str
    text: str


async def read_form(request: DeskRequest) -> tuple[Fields, SentFile | None]:
    if read_kind(request) != "multipart/form-data":
        return await read_fields(request), None
    check_charset(request)
    async with request.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_PART) as form:
        values = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        found = form.get("file")
        file = await read_file(found) if isinstance(found, UploadFile) and found.size else None
        return Fields(values, is_form=True), file


async def read_file(file: UploadFile) -> SentFile:
    """Raises ArticleError for what is no text of at most MAX_FILE bytes."""
    name = file.filename or "file"
    content = await file.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        raise ArticleError(name, "file", "It is larger than 1 MB. Split it into several articles.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ArticleError(name, "file", "It is not text in UTF-8. PDF files are taken in by kb import.") from None
    if "\x00" in text:
        raise ArticleError(name, "file", "It is not a text.")
    return SentFile(name, text)


def show_written(article: WrittenArticle | Text) -> dict[str, Any]:
    """An article as the fields of the editor hold it."""
    return {
        "slug": article.slug, "title": article.title, "body": article.body, "questions": "\n".join(article.questions),
        "category": article.category, "visibility": article.visibility, "plan": article.plan or "",
        "language": article.language, "supersedes": article.supersedes or "",
    }  # fmt: skip


def fill_fields(values: Mapping[str, Any]) -> dict[str, str]:
    """Every field of the editor as text, whatever was sent."""
    known = {
        "slug": "", "title": "", "body": "", "questions": "", "category": "general", "visibility": "public",
        "plan": "", "language": "en", "supersedes": "", "version": "0", "proposal": "", "message": "", "question": "",
    }  # fmt: skip
    return {name: say_value(values.get(name), usual) for name, usual in known.items()}


def say_value(value: object, usual: str) -> str:
    if isinstance(value, list):
        return "\n".join(str(line) for line in value)
    return usual if value is None else str(value)


def today() -> date:
    return datetime.now(UTC).date()
