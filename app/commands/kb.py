"""The knowledge base from the terminal: import, search, list, embed anew."""

import argparse
import sys
from pathlib import Path

from agent.calibration import calibrate
from agent.embeddings import Embedder, EmbeddingUnavailable
from agent.indexing import reindex
from agent.retrieval import SearchQuery, Sureness, search
from app.database import find_database
from app.knowledge_files import import_files
from app.settings import Settings
from app.wiring import open_embedder
from db import knowledge, queue
from db.errors import NotFound
from db.left_out import list_left_out
from db.migrate import check_schema
from db.pool import Pool, acquire, open_pool
from db.publishing import retire_article

SHOWN_LEFT_OUT = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Take articles in, look them up, and change the model they are found by."
    actions = parser.add_subparsers(dest="action", required=True)
    take = actions.add_parser("import", help="Markdown, HTML, text and PDF files, or folders of them")
    take.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    find = actions.add_parser("search", help="what the agent would find, with scores and why")
    find.add_argument("words")
    find.add_argument("--plan", default=None)
    remove = actions.add_parser("remove", help="retire articles; what cites them stays readable")
    remove.add_argument("slugs", nargs="+", metavar="SLUG")
    actions.add_parser("list", help="every live article")
    actions.add_parser("embed", help="make all vectors with the embedding model of the settings, then search with it")


async def run(args: argparse.Namespace, settings: Settings) -> int:
    """Exit code 1 when nothing was imported, surely found, listed, removed or could be embedded."""
    async with find_database(settings) as database, open_pool(database.query_url, size=2) as pool:
        async with acquire(pool) as conn:
            await check_schema(conn)
        match args.action:
            case "import":
                return await import_paths(pool, args.paths)
            case "search":
                return await search_words(pool, open_embedder(settings), args)
            case "list":
                return await list_articles(pool)
            case "remove":
                return await remove_articles(pool, args.slugs)
            case _:
                return await embed_all(pool, open_embedder(settings))


def show_progress(done: int, total: int) -> None:
    """A bar that redraws itself on a terminal, and is silent in a pipe."""
    if sys.stderr.isatty() and total:
        filled = round(30 * done / total)
        end = "\n" if done == total else ""
        print(f"\r[{'#' * filled}{'.' * (30 - filled)}] {done}/{total}", end=end, file=sys.stderr, flush=True)


async def import_paths(pool: Pool, paths: list[Path]) -> int:
    report = await import_files(pool, paths, show_progress)
    async with acquire(pool) as conn:
        await queue.notify(conn, queue.WORK_CHANNEL)
    for line in report.skipped:
        print(f"skipped {line}", file=sys.stderr)
    counts = ", ".join(f"{report.counts.get(status, 0)} {status}" for status in ("new", "changed", "same"))
    print(f"{counts}, {len(report.skipped)} skipped")
    if report.counts.get("new") or report.counts.get("changed"):
        print("Found by their words from now on, and by their meaning once a worker has indexed them.")
    return 0 if report.counts else 1


async def search_words(pool: Pool, embedder: Embedder | None, args: argparse.Namespace) -> int:
    plan = args.plan.strip().lower() if args.plan else None
    found = await search(pool, embedder, SearchQuery(text=args.words, plan=plan))
    print(f"confidence {found.confidence}")
    if found.sureness is not None:
        print(describe_sureness(found.sureness))
    for passage in found.passages:
        print(f"{passage.score:.3f}  {passage.slug} v{passage.version}  {passage.title} / {passage.heading}")
        print(f"       {passage.why}{f', for the plan {passage.plan}' if passage.plan else ''}")
    async with acquire(pool) as conn:
        for article in await list_left_out(conn, args.words, plan, SHOWN_LEFT_OUT):
            print(f"left out  {article.slug}  {article.title}  ({article.why})")
    return 0 if found.confidence != "none" else 1


def describe_sureness(found: Sureness) -> str:
    """The two measures a confidence follows from, each beside its threshold."""
    origin = "measured with the articles' own questions" if found.is_measured else "usual values, too few questions"
    return (
        f"searched by {'words' if found.mode == 'text' else found.mode}: score {found.score:.2f} (none below "
        f"{found.low:.2f}), with its lead {found.sureness:.2f} (high from {found.high:.2f}); {origin}"
    )


async def list_articles(pool: Pool) -> int:
    async with acquire(pool) as conn:
        articles = await knowledge.list_articles(conn)
    for article in articles:
        marks = [article.visibility] if article.visibility != "public" else []
        marks += ["superseded"] if article.superseded else []
        marks += ["not embedded yet"] if article.indexed is False else []
        plan = f" ({article.plan})" if article.plan else ""
        print(
            f"{article.slug} v{article.version}  {article.category}{plan}  {article.title}  {' '.join(marks)}".rstrip()
        )
    return 0 if articles else 1


async def remove_articles(pool: Pool, slugs: list[str]) -> int:
    missing = 0
    for slug in slugs:
        try:
            async with acquire(pool) as conn:
                await retire_article(conn, slug)
        except NotFound as error:
            print(f"kb remove: {error}", file=sys.stderr)
            missing += 1
    print(f"{len(slugs) - missing} removed: not found or cited any more")
    return 1 if missing else 0


async def embed_all(pool: Pool, embedder: Embedder | None) -> int:
    if embedder is None:
        print("kb embed: no embedding model is configured, set EMBEDDINGS", file=sys.stderr)
        return 1
    try:
        count = await reindex(pool, embedder, show_progress)
    except EmbeddingUnavailable as error:
        print(f"kb embed: {error}; what was made is kept, start it again", file=sys.stderr)
        return 1
    await calibrate(pool, embedder)
    print(f"{count} articles embedded with {embedder.name}, which is now searched with")
    return 0
