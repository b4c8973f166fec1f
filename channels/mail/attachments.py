"""The files that came with a mail: what they are and, of text and PDF, what they say. Nothing is unpacked."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from channels.files.pdf import read_pdf
from channels.files.types import TEXTS, find_type
from channels.mail.body import read_body
from channels.mail.charsets import clean_line, clean_text, decode_text, decode_words
from channels.mail.headers import decode_value, read_parameters
from channels.mail.html_text import read_html
from channels.mail.parsed import Attachment
from channels.mail.parts import Part, TooStrange, is_body, list_leaves, split_mail

MAX_NAME = 200  # characters
MAX_FILE_TEXT = 20_000  # characters of one file
MAX_READ = 5  # files of a mail that are read


def list_files(root: Part) -> list[Part]:
    """All parts that are files. An empty part without a name is nothing."""
    return [part for part in list_leaves(root) if not is_body(part) and (part.size or read_name(part))]


def read_files(root: Part) -> list[Attachment]:
    """All files of a mail in their order, those that are text with what they say; PDF without, see read_pdfs()."""
    left = MAX_READ
    found = []
    for part in list_files(root):
        attachment = read_file(part, is_read=left > 0)
        left -= attachment.text is not None
        found.append(attachment)
    return found


def read_file(part: Part, *, is_read: bool) -> Attachment:
    name = read_name(part)
    sample = part.decode()
    kind = find_type(sample, part.type, name.lower())
    is_inline = part.find("content-disposition").lower().startswith(b"inline") or bool(part.find("content-id"))
    text = None
    if is_read and kind == "message/rfc822":
        text = read_mail_inside(sample)
    elif is_read and (kind in TEXTS or kind == "text/html"):
        text = read_text(sample, kind, part.parameters.get("charset", ""))
    return Attachment(name, kind, part.size, is_inline, text)


def read_text(content: bytes, kind: str, charset: str) -> str:
    text = clean_text(decode_text(content, charset or find_wide(content)))
    return (read_html(text) if kind == "text/html" else text)[:MAX_FILE_TEXT].strip()


def read_mail_inside(content: bytes) -> str | None:
    """A mail that was attached to one: who wrote it, and its text without its own files."""
    try:
        root = split_mail(content)
    except TooStrange:
        return None
    known = ((name.title(), decode_value(root.find(name))) for name in ("from", "date", "subject"))
    head = "\n".join(f"{name}: {value}" for name, value in known if value)
    return f"{head}\n\n{read_body(root)}"[:MAX_FILE_TEXT].strip()


def find_wide(content: bytes) -> str:
    return "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else ""


def read_name(part: Part) -> str:
    """The file's name as its sender gave it, without folders."""
    _, given = read_parameters(part.find("content-disposition"))
    name = clean_line(decode_words(given.get("filename") or part.parameters.get("name", "")))
    name = re.sub(r'[<>:"|?*]', "_", PurePosixPath(name.replace("\\", "/")).name)
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 20] + name[-20:]


def read_pdfs(root: Part) -> Iterator[tuple[int, str]]:
    """The place among the files and the text of each PDF that has text. May take long and much memory."""
    pdfs = [(place, part) for place, part in enumerate(list_files(root)) if is_pdf(part)]
    for place, part in pdfs[:MAX_READ]:
        if text := read_pdf(part.decode()):
            yield place, text


def has_pdf(root: Part) -> bool:
    """Whether there is anything for read_pdfs()."""
    return any(is_pdf(part) for part in list_files(root))


def is_pdf(part: Part) -> bool:
    return b"%PDF-" in part.decode()[:1024]
