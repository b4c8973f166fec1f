"""An article as a file: front matter, then Markdown."""

import re
import unicodedata
from datetime import date
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from app.forms import Category
from db.articles import MAX_BODY, ArticleError, WrittenArticle, cut_article, hash_words
from db.knowledge import NewArticle
from db.text import plain_text

FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
FIRST_HEADING = re.compile(r"\A\s*#{1,6}\s+(.*?)\s*#*\s*(?:\n|\Z)")
ANY_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$", re.MULTILINE)
SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
WANTED = {
    "slug": "must be lower-case letters, digits and single hyphens",
    "supersedes": "must be the slug of another article",
    "plan": "must be one word: letters, digits, hyphens",
    "language": "must be a two-letter code; put no and other YAML words in quotes",
    "updated": "must be a date such as 2026-03-31",
    "questions": "must be a list of up to 200 questions",
}


class FrontMatter(BaseModel):
    """The fields between the two lines of dashes. Fields of other tools are let pass."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, str_strip_whitespace=True)

    title: str | None = Field(default=None, min_length=1, max_length=300)
    slug: str | None = Field(default=None, pattern=SLUG, max_length=120)
    category: Category = "general"
    visibility: Literal["public", "internal"] = "public"
    plan: str | None = Field(default=None, pattern="^[a-z0-9_-]{1,40}$")
    updated: date | None = None
    supersedes: str | None = Field(default=None, pattern=SLUG, max_length=120)
    language: str = Field(default="en", pattern="^[a-z]{2}$")
    questions: list[str] = Field(default_factory=list, max_length=200)

    @field_validator("category", "visibility", "plan", "slug", "supersedes", mode="before")
    @classmethod
    def lower(cls, value: Any) -> Any:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("language", mode="before")
    @classmethod
    def keep_language(cls, value: Any) -> Any:
        return re.split("[-_]", value.strip().lower())[0] if isinstance(value, str) else value

    @field_validator("questions", mode="before")
    @classmethod
    def no_questions(cls, value: Any) -> Any:
        return [] if value is None else value


def parse_article(text: str, source: str) -> NewArticle:
    """An article as read_article() reads it, cut into passages."""
    return cut_article(read_article(text, source))


def read_article(text: str, source: str) -> WrittenArticle:
    """Read an article: YAML front matter where there is one, then Markdown. `source` is its file name.

    Without a title the first heading is taken, then the file name; without a slug it is made of the title.
    Raises ArticleError naming the file and the field.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    matter = FRONT_MATTER.match(text)
    fields = read_front_matter(matter.group(1), source) if matter else FrontMatter()
    body = (text[matter.end() :] if matter else text).strip()
    title = fields.title or find_title(body) or title_from_name(source)
    first = FIRST_HEADING.match(body)
    if first and plain_text(first.group(1)).casefold() == title.casefold():
        body = body[first.end() :].strip()
    slug = fields.slug or slug_from(title) or slug_from(PurePath(source).stem) or f"article-{hash_words(title)[:8]}"
    if not body:
        raise ArticleError(source, "body", "there is no text below the front matter")
    if len(body) > MAX_BODY:
        raise ArticleError(source, "body", f"longer than {MAX_BODY} characters; split it into several articles")
    if fields.supersedes == slug:
        raise ArticleError(source, "supersedes", "an article cannot take its own place")
    return WrittenArticle(
        slug=slug, title=title, body=body, questions=tuple(fields.questions), category=fields.category,
        visibility=fields.visibility, plan=fields.plan, language=fields.language, updated=fields.updated,
        supersedes=fields.supersedes,
    )  # fmt: skip


def read_front_matter(text: str, source: str) -> FrontMatter:
    try:
        fields = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 2}" if mark else "front matter"
        raise ArticleError(source, where, "not valid YAML; a value with a colon needs quotes around it") from error
    if fields is None:
        return FrontMatter()
    if not isinstance(fields, dict):
        raise ArticleError(source, "front matter", "must be lines of the form field: value")
    for name in fields.keys() - FrontMatter.model_fields.keys():
        likely = get_close_matches(str(name).lower(), FrontMatter.model_fields, n=1, cutoff=0.8)
        if likely:
            raise ArticleError(source, str(name), f"there is no such field; is {likely[0]} meant?")
    try:
        return FrontMatter.model_validate({str(name): value for name, value in fields.items()})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = str(first["loc"][0])
        problem = WANTED.get(field, first["msg"][0].lower() + first["msg"][1:])
        raise ArticleError(source, field, problem) from error


def find_title(body: str) -> str | None:
    heading = ANY_HEADING.search(body)
    return plain_text(heading.group(1))[:300] or None if heading else None


def title_from_name(source: str) -> str:
    words = re.sub(r"[-_\s]+", " ", PurePath(source).stem).strip()
    return words[:1].upper() + words[1:] if words else source


def slug_from(title: str) -> str:
    """A title as an address: plain letters, digits and hyphens; empty when it has none of them."""
    letters = unicodedata.normalize("NFKD", title.replace("ß", "ss").lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", letters)[:120].strip("-")
