"""What messages come with, in words: the articles they stand on, and their files."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from app.files import SHOWN
from db.attachments import ShownFile

FILE_WORDS = {"image": "Image", "audio": "Voice message", "video": "Video"}


def show_citation(cited: Mapping[str, Any], base: str) -> dict[str, Any]:
    """{title, url, passage, version}: the url is the article's public page in the version that was cited."""
    url = f"{base}/help/{quote(cited['slug'])}?version={cited.get('version')}" if cited.get("slug") else None
    return {"title": cited.get("title"), "url": url, "passage": cited.get("passage"), "version": cited.get("version")}


def list_sources(citations: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What an answer stands on, each article once, with links within this site."""
    cited = [show_citation(citation, "") for citation in citations]
    return list({source["url"] or source["title"]: source for source in cited}.values())


def show_file(file: ShownFile) -> dict[str, Any]:
    """{url, is_picture, name, note}: a file in words; without a url where there is nothing to give out."""
    kind = FILE_WORDS.get(file.type.partition("/")[0], "File")
    size = "" if file.size is None else f", {max(1, file.size // 1000):,} kB"
    note = f"could not be fetched: {file.error}" if file.error else "" if file.is_kept else "no longer kept"
    return {
        "url": f"/attachments/{file.id}" if file.is_kept else None,
        "is_picture": file.is_kept and file.type in SHOWN,
        "name": f"{kind} ({file.type}{size})",
        "note": note,
    }
