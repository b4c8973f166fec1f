"""What a PDF says. Call it where memory and time are bound: it is a parser of strangers' files."""

import logging
from contextlib import suppress
from io import BytesIO

from channels.mail.charsets import clean_text

PDF = "application/pdf"
MAX_PAGES = 20
MAX_TEXT = 20_000  # characters


def read_pdf(content: bytes) -> str:
    """The text of the first pages, cut; nothing for a PDF that is broken, locked or only pictures."""
    from pypdf import PdfReader  # noqa: PLC0415 (a fifth of a second, and only a child has to do with it)

    logging.getLogger("pypdf").disabled = True
    found: list[str] = []
    with suppress(Exception):  # a parser of a format of strangers fails in every way there is; what was read counts
        for page in PdfReader(BytesIO(content)).pages[:MAX_PAGES]:
            found.append(page.extract_text())
            if sum(map(len, found)) > MAX_TEXT:
                break
    return clean_text("\n\n".join(found))[:MAX_TEXT].strip()
