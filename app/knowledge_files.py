"""Files on disk into the knowledge base."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from inscriptis import get_text
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from agent.indexing import import_article
from app.front_matter import parse_article
from db.articles import ArticleError
from db.pool import Pool, acquire
from db.publishing import queue_indexing

SAMPLE_COMPANY = Path(__file__).with_name("sample_company")
MARKDOWN = frozenset({".md", ".markdown", ".txt", ".text"})
READABLE = MARKDOWN | {".html", ".htm", ".pdf"}
MAX_FILE_BYTES = 20_000_000

Progress = Callable[[int, int], None]
"""Called with how many files are done and how many there are."""


@dataclass(slots=True)
class ImportReport:
    """What became of the files: counts by status, and why the others were skipped."""

    counts: dict[str, int] = field(default_factory=dict)
    """new, changed, same."""
    skipped: list[str] = field(default_factory=list)
    """One line per file that was not taken in: its path and the reason."""


def list_files(paths: Iterable[Path]) -> list[Path]:
    """The files meant by these paths, folders looked through; what cannot be read is kept, to be reported."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        found += inside if path.is_dir() else [path]
    return found


def read_article_file(path: Path) -> str:
    """The text of a file, Markdown as it is. ArticleError says what is wrong with it."""
    suffix = path.suffix.lower()
    if not path.exists():
        raise ArticleError(path.name, "file", "does not exist")
    if suffix not in READABLE:
        raise ArticleError(path.name, "file", "is not Markdown, HTML, text or PDF")
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ArticleError(path.name, "file", "is larger than 20 MB")
        if suffix == ".pdf":
            return read_pdf(path)
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ArticleError(path.name, "file", f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ArticleError(path.name, "file", "is not UTF-8") from error
    return text if suffix in MARKDOWN else get_text(text)


def read_pdf(path: Path) -> str:
    try:
        text = "\n\n".join(page.extract_text() for page in PdfReader(path).pages)
    except (PyPdfError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArticleError(path.name, "file", "is not a PDF that can be read") from error
    if not text.strip():
        raise ArticleError(path.name, "file", "has no text in it, only pictures perhaps")
    return text


async def import_files(
    pool: Pool, paths: Iterable[Path], on_progress: Progress = lambda _done, _all: None
) -> ImportReport:
    """Take files in as articles, each in a commit of its own, and queue the making of their vectors.

    They are found by their words at once, and by their meaning once a worker has indexed them.
    """
    report, files = ImportReport(), list_files(paths)
    for done, path in enumerate(files):
        on_progress(done, len(files))
        try:
            article = parse_article(read_article_file(path), path.name)
            async with acquire(pool) as conn:
                imported = await import_article(conn, article)
                if imported.status != "same":
                    await queue_indexing(conn, imported.article_id)
        except ArticleError as error:
            report.skipped.append(str(error))
            continue
        report.counts[imported.status] = report.counts.get(imported.status, 0) + 1
    on_progress(len(files), len(files))
    return report
