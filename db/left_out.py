"""Which articles a question did not find because they may not be found."""

from dataclasses import dataclass

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A live article that a question has words in common with but must not be found, and why."""

    slug: str
    title: str
    why: str
    words: int


async def list_left_out(conn: Connection, words: str, plan: str | None, limit: int) -> list[LeftOut]:
    """Live articles kept from this question, those sharing most words with it first. Reads every title: for people."""
    rows = await conn.fetch(
        """
        with kept_out as (
          select slug, title, questions, search_config(language) as config,
                 case when visibility <> 'public' then 'internal'
                      when superseded then 'superseded by ' || (
                        select min(newer.slug) from knowledge_base newer
                         where newer.supersedes = article.slug and newer.state = 'live')
                      else 'for the plan ' || plan end as why
            from knowledge_base article
           where state = 'live' and (visibility <> 'public' or superseded or ($2::text is not null and plan <> $2)))
        select slug, title, why, shared.words
          from kept_out,
               lateral (select count(*) as words
                          from unnest(to_tsvector(config, title || ' ' || array_to_string(questions, ' '))) term
                         where term.lexeme = any(tsvector_to_array(to_tsvector(config, $1)))) shared
         where shared.words > 0 order by shared.words desc, slug limit $3
        """,
        words, plan, limit,
    )  # fmt: skip
    return [LeftOut(**row) for row in rows]
