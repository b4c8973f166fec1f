from datetime import date

import pytest

from app.front_matter import parse_article
from db.articles import ArticleError, hash_words
from db.pool import Connection

FULL = """---
title: "Refunds: when and how"
slug: refund-policy
category: billing
visibility: public
plan: Pro
updated: 2026-03-31
supersedes: refund-policy-2025
language: en-GB
questions:
  - Can I get my money back?
  - Can I get my money  back?
author: Ann
---
# Refunds: when and how

Within 14 days.
"""


def test_every_field_of_the_front_matter_is_read() -> None:
    article = parse_article(FULL, "refunds.md")
    assert (article.title, article.slug, article.category) == ("Refunds: when and how", "refund-policy", "billing")
    assert (article.visibility, article.plan, article.language) == ("public", "pro", "en")
    assert (article.updated, article.supersedes) == (date(2026, 3, 31), "refund-policy-2025")
    assert article.questions == ("Can I get my money back?",)
    assert article.body == "Within 14 days."


def test_without_front_matter_the_first_heading_is_the_title() -> None:
    article = parse_article("\ufeff# Straße wechseln\r\n\r\nSo geht das.\r\n", "x.md")
    assert (article.title, article.slug, article.body) == ("Straße wechseln", "strasse-wechseln", "So geht das.")
    assert (article.visibility, article.category, article.questions) == ("public", "general", ())


def test_without_any_heading_the_file_name_is_the_title() -> None:
    article = parse_article("Just text.", "folder/reset_your-password.txt")
    assert (article.title, article.slug) == ("Reset your password", "reset-your-password")


def test_a_title_without_latin_letters_still_gets_a_slug() -> None:
    assert parse_article("# 請求書\n\n本文", "請求書.md").slug.startswith("article-")


@pytest.mark.parametrize(
    ("matter", "field"),
    [
        ("visibility: secret", "visibility"),
        ("visiblity: internal", "visiblity"),
        ("category: sales", "category"),
        ("updated: last week", "updated"),
        ("slug: Not A Slug", "slug"),
        ("language: no", "language"),
        ("plan: [pro, business]", "plan"),
        ("questions: {a: b}", "questions"),
        ("title: a: b", "line 2"),
        ("- a list", "front matter"),
        ("slug: x\nsupersedes: x", "supersedes"),
    ],
)
def test_bad_front_matter_is_refused_with_file_and_field(matter: str, field: str) -> None:
    with pytest.raises(ArticleError) as refused:
        parse_article(f"---\n{matter}\n---\nText.", "faq.md")
    assert (refused.value.source, refused.value.field) == ("faq.md", field)
    assert str(refused.value).startswith(f"faq.md: {field}: ")


def test_an_article_without_text_is_refused() -> None:
    with pytest.raises(ArticleError, match=r"empty\.md: body"):
        parse_article("---\ntitle: Empty\n---\n\n# Empty\n", "empty.md")


def test_any_change_of_the_text_or_its_fields_changes_the_hash() -> None:
    first = parse_article(FULL, "a.md").content_hash
    assert parse_article(FULL.replace("\n", "\r\n"), "b.md").content_hash == first
    for old, new in (("14 days", "30 days"), ("public", "internal"), ("2026-03-31", "2026-04-01"), ("money", "cash")):
        assert parse_article(FULL.replace(old, new), "a.md").content_hash != first


async def test_the_database_hashes_words_as_we_do(conn: Connection) -> None:
    assert await conn.fetchval("select content_hash($1)", "Größe?") == hash_words("Größe?")
