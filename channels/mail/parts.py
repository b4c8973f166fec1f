"""A raw mail as a tree of parts, found by their boundaries without decoding, within limits."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from channels.files.types import BINARY, find_type
from channels.mail.charsets import decode_transfer
from channels.mail.headers import read_parameters
from db.errors import DeskError

MAX_MAIL = 50_000_000  # bytes; Gmail takes no more
MAX_HEADER_BLOCK = 512_000  # bytes of one part's headers as they came
MAX_HEADER = 8_192  # bytes of one value; the rest of it is cut
MAX_HEADERS = 65_536  # bytes of all values of a mail, after the cut
MAX_HEADER_COUNT = 1_000
MAX_DEPTH = 20
MAX_PARTS = 200
MAX_TEXT = 1_000_000  # bytes of one part that is read as text, still encoded
MAX_PDF = 8_000_000
MAX_NOTE = 65_536  # of a report, or of a mail inside a mail
MAX_SAMPLE = 8_192  # of everything else, to see what it is

HEADER = re.compile(rb"^([!-9;-~]{1,100})[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)
FOLD = re.compile(rb"\r?\n?[ \t]+|\r")
LINE_END = re.compile(rb"(--)?[ \t]*\r?(?:\n|\Z)")


class TooStrange(DeskError):
    """Beyond what a mail of a customer looks like. Says which limit, without any of the sender's text."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its headers, cut but not decoded, and as much of its body as will be read."""

    headers: tuple[tuple[str, bytes], ...]
    type: str
    """As declared, lower case."""
    parameters: dict[str, str]
    body: bytes
    size: int
    """Bytes of the whole body, decoded."""
    children: tuple["Part", ...] = ()

    def find(self, name: str) -> bytes:
        """The topmost header of that name, empty when there is none."""
        return next((value for known, value in self.headers if known == name), b"")

    def decode(self) -> bytes:
        return decode_transfer(self.body, self.find("content-transfer-encoding").decode("latin-1"))


@dataclass(slots=True)
class Outline:
    """Splits one mail and counts what it finds."""

    raw: bytes
    parts: int = 0
    header_bytes: int = 0
    header_count: int = 0
    kept: dict[str, int] = field(default_factory=dict)

    def split(self, start: int, end: int, depth: int = 0, default: str = "text/plain") -> Part:
        """The part between two offsets. Raises TooStrange."""
        self.parts += 1
        if depth > MAX_DEPTH:
            raise TooStrange(f"parts are nested more than {MAX_DEPTH} deep")
        if self.parts > MAX_PARTS:
            raise TooStrange(f"it has more than {MAX_PARTS} parts")
        headers, body = self.read_headers(start, end)
        declared = next((value for name, value in headers if name == "content-type"), b"")
        kind, parameters = read_parameters(declared)
        kind = kind if re.fullmatch(r"[\w.+-]+/[\w.+-]+", kind, re.ASCII) else default
        if kind.startswith("multipart/") and parameters.get("boundary"):
            inside = "message/rfc822" if kind == "multipart/digest" else "text/plain"
            spans = self.find_spans(body, end, parameters["boundary"])
            children = tuple([self.split(*span, depth + 1, inside) for span in spans])
            if children:
                return Part(headers, kind, parameters, b"", end - body, children)
        if kind.startswith("multipart/"):
            kind = "text/plain"  # it says so, yet there is nothing but its text
        return self.keep(Part(headers, kind, parameters, b"", 0), body, end)

    def read_headers(self, start: int, end: int) -> tuple[tuple[tuple[str, bytes], ...], int]:
        """The headers of the part and where its body starts."""
        block_end, body = self.find_body(start, end)
        if block_end - start > MAX_HEADER_BLOCK:
            raise TooStrange(f"its headers are longer than {MAX_HEADER_BLOCK} bytes")
        found = []
        for header in HEADER.finditer(self.raw, start, block_end):
            value = FOLD.sub(b" ", header.group(2)[:MAX_HEADER]).strip()
            self.header_bytes += len(value)
            self.header_count += 1
            if self.header_bytes > MAX_HEADERS or self.header_count > MAX_HEADER_COUNT:
                raise TooStrange(f"its headers exceed {MAX_HEADERS} bytes or {MAX_HEADER_COUNT} lines")
            found.append((header.group(1).decode("ascii").lower(), value))
        return tuple(found), body if found else start  # a part without headers may start with its text

    def find_body(self, start: int, end: int) -> tuple[int, int]:
        """Where the headers end and where the body starts: at the first empty line."""
        for mark in (b"\r\n", b"\n"):
            if self.raw.startswith(mark, start, end):
                return start, start + len(mark)
        plain = self.raw.find(b"\n\n", start, end)
        dos = self.raw.find(b"\n\r\n", start, end if plain < 0 else plain + 2)
        if dos >= 0:
            return dos + 1, dos + 3
        return (plain + 1, plain + 2) if plain >= 0 else (end, end)

    def find_spans(self, start: int, end: int, boundary: str) -> Iterator[tuple[int, int]]:
        """Start and end of each part between the lines that separate them; the last one may lack its end."""
        mark = b"--" + boundary.encode("utf-8", "replace")
        opened: int | None = None
        misses = 0
        at = start if self.raw.startswith(mark, start, end) else self.find_line(mark, start, end)
        while at >= 0:
            line = LINE_END.match(self.raw, at + len(mark), end)
            if line:
                if opened is not None:
                    yield opened, max(opened, at - 2 if self.raw[at - 2 : at] == b"\r\n" else at - 1)
                if line.group(1):
                    return
                opened = line.end()
            elif (misses := misses + 1) > 10 * MAX_PARTS:
                raise TooStrange("its boundaries are ambiguous")
            at = self.find_line(mark, at + len(mark), end)
        if opened is not None:
            yield opened, end

    def find_line(self, mark: bytes, start: int, end: int) -> int:
        found = self.raw.find(b"\n" + mark, max(start - 1, 0), end)
        return found + 1 if found >= 0 else -1

    def keep(self, part: Part, start: int, end: int) -> Part:
        """The part with as much of its body as will be read."""
        coding = part.find("content-transfer-encoding").decode("latin-1")
        sample = decode_transfer(self.raw[start : min(end, start + MAX_SAMPLE)], coding)
        kind, limit = limit_body(part, sample)
        length = min(end - start, max(limit - self.kept.get(kind, 0), MAX_SAMPLE))
        self.kept[kind] = self.kept.get(kind, 0) + length
        body = self.raw[start : start + length]
        return Part(part.headers, part.type, part.parameters, body, self.measure(start, end, coding))

    def measure(self, start: int, end: int, coding: str) -> int:
        """Bytes of a body once decoded, counted without decoding it all."""
        length = end - start
        match coding.strip().lower():
            case "base64":
                blank = sum(self.raw.count(mark, start, end) for mark in (b"\n", b"\r", b" "))
                padding = self.raw.count(b"=", max(start, end - 8), end)
                return max(0, (length - blank) * 3 // 4 - padding)
            case "quoted-printable" if length <= MAX_TEXT:
                return len(decode_transfer(self.raw[start:end], coding))
        return length


def limit_body(part: Part, sample: bytes) -> tuple[str, int]:
    """Which purse a body is paid from, and how many bytes are in it for the whole mail."""
    kind = find_type(sample, part.type, "")
    if part.type.startswith("message/") or part.type == "text/rfc822-headers":
        return "note", MAX_NOTE
    if kind == "application/pdf":
        return "pdf", MAX_PDF
    if kind.startswith("text/") or part.type in ("text/plain", "text/html"):
        return "text", MAX_TEXT
    return BINARY, MAX_SAMPLE


def split_mail(raw: bytes) -> Part:
    """The whole mail as a tree. Raises TooStrange when a limit is exceeded or it has no headers at all."""
    if len(raw) > MAX_MAIL:
        raise TooStrange(f"it is larger than {MAX_MAIL} bytes")
    raw = raw.lstrip(b"\r\n")
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    outline = Outline(raw)
    root = outline.split(0, len(raw))
    if not root.headers:
        raise TooStrange("it has no headers")
    return root


def list_leaves(part: Part) -> Iterator[Part]:
    """All parts that hold something, in their order."""
    if not part.children:
        yield part
    for child in part.children:
        yield from list_leaves(child)


def is_body(part: Part) -> bool:
    """Whether a part without children is shown as text, not as a file."""
    disposition = part.find("content-disposition").lower()
    is_file = disposition.startswith(b"attachment") or b"name" in disposition or "name" in part.parameters
    return part.type in ("text/plain", "text/html", "text/enriched") and not is_file
