"""How long a search takes in bases of 6,000 and 100,000 passages, and how long the vector of a question takes.

The large bases are the sample company's articles copied in SQL: their common words stay, the others differ from copy to
copy, and so do the vectors.
"""

import time
from collections.abc import Awaitable, Callable, Sequence

from agent.embeddings import Embedder, find_local_embedder
from agent.retrieval import SearchQuery, search
from agent.word_vectors import embed_words
from bench.ground import fresh_pool, percentile
from bench.quality.bases import KeptVectors, list_company_articles, take_in
from bench.report import Report
from db.pool import Connection, Pool, acquire

SIZES = {6_000: 40.0, 100_000: 60.0}
"""Passages, and the milliseconds that 95 of 100 searches may take."""
QUESTIONS = 150


async def measure(report: Report, *, quick: bool) -> None:
    """p95 of a search without its embedding, in both modes, and p50 of the embedding of a question."""
    questions = [question for article in list_company_articles() for question in article.questions][:QUESTIONS]
    local = find_local_embedder()
    for means, embed in {"table": embed_by_table, **({"local model": local.embed} if local else {})}.items():
        await embed(questions[:1])
        usual = await time_embedding(embed, questions)
        report.add("one question", f"embedded by the {means}, p50", usual, "ms", at_most=15)
    embedder = KeptVectors(local) if local is not None else None
    for size, goal in SIZES.items():
        if quick and size > min(SIZES):
            continue
        async with fresh_pool(2) as pool:
            await take_in(pool, embedder, list_company_articles())
            async with acquire(pool) as conn:
                await grow(conn, size)
            for mode in ("O0", "O1") if embedder is not None else ("O0",):
                spent = await time_searches(pool, embedder if mode == "O1" else None, questions)
                report.add(f"{size:,} passages, {mode}", "search, p50", percentile(spent, 0.5), "ms")
                report.add(f"{size:,} passages, {mode}", "search, p95", percentile(spent, 0.95), "ms", at_most=goal)
    if embedder is not None:
        embedder.keep()


async def time_embedding(embed: Callable[[Sequence[str]], Awaitable[object]], questions: Sequence[str]) -> float:
    """Milliseconds, p50, one question after the other."""
    spent = []
    for question in questions:
        started = time.perf_counter()
        await embed([question])
        spent.append((time.perf_counter() - started) * 1000)
    return percentile(spent, 0.5)


async def embed_by_table(texts: Sequence[str]) -> object:
    return embed_words(texts)


async def time_searches(pool: Pool, embedder: Embedder | None, questions: Sequence[str]) -> list[float]:
    """Milliseconds of each search, its vector known before; the first ones only warm up."""
    for question in questions:
        if embedder is not None:
            await embedder.embed([question])
    spent = []
    for question in [*questions[:10], *questions]:
        started = time.perf_counter()
        await search(pool, embedder, SearchQuery(question, plan="pro", language="en"))
        spent.append((time.perf_counter() - started) * 1000)
    return spent[10:]


async def grow(conn: Connection, size: int) -> None:
    """Copy what is there until there are so many passages; the vectors of the text go with them."""
    await conn.execute("set synchronous_commit = off; set maintenance_work_mem = '700MB'")
    await conn.execute(BEFORE)
    there = await conn.fetchval("select count(*) from originals")
    await conn.execute(ARTICLES, (size + there - 1) // there - 1, timeout=MINUTES)
    await conn.execute(COPIES, timeout=MINUTES)
    for index in await conn.fetch("select indexname from pg_indexes where indexdef like '%hnsw%'"):
        await conn.execute(f"drop index {index['indexname']}")
    for statement in (PASSAGES, "analyze passages", TERMS, VECTORS):
        await conn.execute(statement, timeout=MINUTES)
    for model in await conn.fetch("select name, dimensions from embedding_models"):
        await conn.execute("select add_embedding_model($1, $2)", model["name"], model["dimensions"], timeout=MINUTES)
    await conn.execute("vacuum analyze", timeout=MINUTES)


MINUTES = 600.0  # seconds
BEFORE = """
create temp table originals as
  select passage.id, ordinal, article_id from passages passage join knowledge_base article on article.id = article_id
   where state = 'live' and visibility = 'public' and not superseded;
create temp table common_words as
  select lexeme from passage_terms group by lexeme having count(*) > 7;
create temp table shifts as
  select name as model, n, (select array_agg(sin(n * 12.9898 + place * 78.233 + n * place) / 12)
                              from generate_series(1, dimensions) place)::vector as shift
    from embedding_models, generate_series(0, 499) n;
analyze originals;
analyze common_words;
analyze shifts;
"""
ARTICLES = """
insert into knowledge_base
  (slug, version, title, body, questions, category, plan, language, content_hash, passages, words)
select slug || '-copy-' || copy, 1, title, body, '{}', category, plan, language, content_hash || copy, passages, words
  from knowledge_base, generate_series(1, $1::integer) copy
 where id in (select article_id from originals)
"""
COPIES = """
create temp table copies as
  select first.id as first_id, article.id as copy_id, substring(article.slug from '[0-9]+$')::integer as nth
    from knowledge_base article
    join knowledge_base first on first.slug = regexp_replace(article.slug, '-copy-[0-9]+$', '') and first.state = 'live'
   where article.slug like '%-copy-%';
analyze copies;
analyze knowledge_base;
"""
PASSAGES = """
insert into passages (article_id, ordinal, heading, text, content_hash, length)
select copy_id, old.ordinal, old.heading, old.text, old.content_hash, old.length
  from passages old join copies on copies.first_id = old.article_id
"""
TERMS = """
insert into passage_terms (lexeme, passage_id, article_id, tf, length)
select case when common_words.lexeme is null and nth % 40 > 0 then term.lexeme || nth % 40 else term.lexeme end,
       made.id, copy_id, term.tf, term.length
  from originals join copies on copies.first_id = originals.article_id
  join passages made on made.article_id = copy_id and made.ordinal = originals.ordinal
  join passage_terms term on term.passage_id = originals.id
  left join common_words on common_words.lexeme = term.lexeme
"""
VECTORS = """
insert into passage_embeddings (model, article_id, passage_id, kind, content_hash, embedding)
select old.model, copy_id, made.id, 'text', old.content_hash, l2_normalize(old.embedding + shift)
  from originals join copies on copies.first_id = originals.article_id
  join passages made on made.article_id = copy_id and made.ordinal = originals.ordinal
  join passage_embeddings old on old.passage_id = originals.id and old.kind = 'text'
  join shifts on shifts.model = old.model and shifts.n = made.id % 500
"""
