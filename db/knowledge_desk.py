"""Articles as the team works on them: the list with how often each is cited, all versions, and what would be found."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from db import knowledge
from db.errors import NotFound
from db.knowledge import NewArticle
from db.pool import Connection
from db.publishing import store_article
from db.search import PassageMatch, PassageSearch, search_passages

Shelf = Literal["live", "unused", "retired"]

COUNTED = 10_000
"""Messages with sources that the list looks through at most: some weeks of a busy desk, looked through in 50 ms."""


@dataclass(frozen=True, slots=True)
class DeskLine:
    """An article in the team's list. `cited`: answers sent in the last 30 days that stand on it, in any version.

    `is_cut`: there were more than COUNTED with sources in those days, and only the newest of them are counted.
    """

    slug: str
    version: int
    title: str
    category: str
    visibility: str
    plan: str | None
    language: str
    superseded: bool
    changed_at: datetime
    written_by: str | None
    cited: int
    is_cut: bool


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version of an article, and who published it when (None: it was imported) or took it back."""

    version: int
    title: str
    state: Literal["live", "replaced", "retired"]
    written_by: str | None
    created_at: datetime
    retired_by: str | None
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Text:
    """One version of an article as its author wrote it, internal and retired ones too."""

    id: int
    slug: str
    version: int
    title: str
    body: str
    questions: list[str]
    category: str
    visibility: str
    plan: str | None
    language: str
    updated: date | None
    supersedes: str | None
    state: Literal["live", "replaced", "retired"]


async def list_shelf(
    conn: Connection, shelf: Shelf, words: str, *, after: str, limit: int, newest: int = COUNTED
) -> list[DeskLine]:
    """Articles by slug, from behind `after` on, whose title, slug or text has these words.

    unused: those that can be found, and that no answer ever sent stands on. newest: messages that are counted.
    """
    rows = await conn.fetch(
        """
        with recent as materialized (
          select coalesce(m.reply_id, m.id) as reply, m.citations, m.sent_at > now() - interval '30 days' as is_counted
            from messages m
           where m.citations <> '[]' and m.direction = 'outbound' and m.delivery not in ('cancelled', 'failed')
           order by m.sent_at desc limit $5),
        cited as materialized (
          select c->>'slug' as slug, count(distinct reply) filter (where is_counted) as times
            from recent cross join lateral jsonb_array_elements(citations) c group by 1)
        select k.slug, k.version, k.title, k.category, k.visibility, k.plan, k.language, k.superseded,
               coalesce(k.retired_at, k.created_at) as changed_at, coalesce(k.retired_by, k.written_by) as written_by,
               coalesce(cited.times, 0) as cited,
               (select count(*) filter (where is_counted) = $5 from recent) as is_cut
          from knowledge_base k left join cited using (slug)
         where k.slug > $3 and ($2 = '' or position(lower($2) in lower(k.title || ' ' || k.slug || ' ' || k.body)) > 0)
           and case $1
                 when 'live' then k.state = 'live'
                 when 'unused' then k.state = 'live' and k.visibility = 'public' and not k.superseded
                   -- what is cited often is cited of late; of the rest all answers are counted, through their index
                   and case when cited.slug is null then (
                     select count(*) from messages m
                      where m.citations <> '[]' and m.delivery not in ('cancelled', 'failed')
                        and m.citations @> jsonb_build_array(jsonb_build_object('slug', k.slug))) = 0 else false end
                 else k.state = 'retired' and not exists (
                   select from knowledge_base newer where newer.slug = k.slug and newer.version > k.version)
               end
         order by k.slug limit $4
        """,
        shelf, words, after, limit, newest,
    )  # fmt: skip
    return [DeskLine(**row) for row in rows]


async def list_versions(conn: Connection, slug: str) -> list[VersionLine]:
    """Newest first."""
    rows = await conn.fetch(
        """
        select version, title, state, written_by, created_at, retired_by, retired_at
          from knowledge_base where slug = $1 order by version desc
        """,
        slug,
    )
    return [VersionLine(**row) for row in rows]


async def load_text(conn: Connection, slug: str, version: int | None = None) -> Text:
    """A version of an article, without `version` the newest. Raises NotFound."""
    row = await conn.fetchrow(
        """
        select id, slug, version, title, body, questions, category, visibility, plan, language, updated, supersedes,
               state
          from knowledge_base where slug = $1 and ($2::integer is null or version = $2) order by version desc limit 1
        """,
        slug, version,
    )  # fmt: skip
    if row is None:
        raise NotFound(f"no article {slug}")
    return Text(**row)


class _Undone(Exception):
    """Leaves a transaction without keeping anything of it."""


async def try_out(conn: Connection, article: NewArticle, wanted: PassageSearch) -> list[PassageMatch]:
    """What would be found if this were published: it is, and is taken back within the same transaction.

    Raises ArticleError as store_article().
    """
    found: list[PassageMatch] = []
    try:
        async with conn.transaction():
            await knowledge.lock_articles(conn)
            await store_article(conn, article, await knowledge.find_live(conn, article.slug))
            found = await search_passages(conn, wanted)
            raise _Undone
    except _Undone:
        return found
