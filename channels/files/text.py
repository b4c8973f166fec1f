"""What a fetched file is and says. Nothing is unpacked, and a PDF is read in a process that may be killed."""

import asyncio
import codecs
import subprocess
import sys
from pathlib import Path

from channels.base import FetchedFile
from channels.files.contact_cards import read_cards
from channels.files.pdf import PDF
from channels.files.types import CARD, TEXTS, find_type
from channels.mail.attachments import read_text
from channels.mail.charsets import clean_text, decode_text

SAMPLE = 65_536  # bytes that say what a file is
MAX_READ = 100_000  # bytes of a text that are read
PDF_SECONDS = 5.0
ROOT = Path(__file__).parent.parent.parent
PDF_CHILD = (sys.executable, "-m", "channels.files.pdf_child")


class FileReader:
    """Reads files, PDF one after the other: each takes a process with its own memory."""

    def __init__(self, pdf_seconds: float = PDF_SECONDS) -> None:
        self.pdf_seconds = pdf_seconds
        self.pdf_slot = asyncio.Semaphore(1)

    async def read(self, content: bytes, declared: str) -> FetchedFile:
        """A file with its type by content and, of text, contact cards and PDF, what it says. Never fails."""
        declared = declared.partition(";")[0].strip().lower()
        # what a mail may contain nobody sends here, and the name of it would be believed
        kind = find_type(content[:SAMPLE], "" if declared.startswith("message/") else declared, "")
        return FetchedFile(content, kind, await self.find_text(content, kind) or None)

    async def find_text(self, content: bytes, kind: str) -> str:
        if kind == PDF:
            async with self.pdf_slot:
                return await asyncio.to_thread(read_pdf_apart, content, self.pdf_seconds)
        if kind not in TEXTS:
            return ""
        start = cut_text(content)
        return read_cards(clean_text(decode_text(start))) if kind == CARD else read_text(start, kind, "")


def cut_text(content: bytes) -> bytes:
    """The beginning, without half of a UTF-8 letter at its end."""
    start = content[:MAX_READ]
    return start[: codecs.utf_8_decode(start, "ignore", False)[1]] if len(content) > MAX_READ else start


def read_pdf_apart(content: bytes, seconds: float) -> str:
    """The text of a PDF; nothing for one that has none, or that takes too long or too much to read."""
    try:
        child = subprocess.run(  # noqa: S603 (our own module)
            PDF_CHILD, cwd=ROOT, env={}, input=content, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=seconds, check=False,
        )  # fmt: skip
    except (subprocess.TimeoutExpired, OSError):  # also where no process can be started
        return ""
    return child.stdout.decode("utf-8", "ignore").strip()
