"""What headers say: addresses, ids, dates, parameters. Every value comes in cut and still encoded."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from channels.mail.charsets import clean_line, decode_text, decode_words
from channels.mail.parsed import Address

MAX_ADDRESSES = 100
MAX_ADDRESS = 320  # characters, as SMTP allows
MAX_IDS = 100
ID = re.compile(r"<([^<>]{1,998})>")
ADDRESS = re.compile(r"[^\s@<>(),;:\\\"]+@[^\s@<>(),;:\\\"]+")
ANGLED = re.compile(r"<([^<>@\s]{1,64}@[^<>@\s]{1,255})>")
TOKEN = re.compile(
    r'"(?P<quoted>(?:[^"\\]|\\.)*+)"?'
    r"|\((?P<comment>(?:[^()\\]|\\.)*+)\)?"
    r"|<(?P<angle>[^<>]*+)>?"
    r"|(?P<mark>[,;:])"
    r'|(?P<word>[^\s"(<>,;:]+)'
)  # each closing mark may be missing, so that no start is tried twice
PARAMETER = re.compile(r';\s*+([^\s=;"]{1,60})\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"?|([^;]*+))')
CONTINUED = re.compile(r"([^*]+)\*(?:(\d{1,3})(\*?))?")


def decode_value(raw: bytes) -> str:
    """A header's value as a reader sees it, in one line."""
    return clean_line(decode_words(decode_text(raw)))


@dataclass(slots=True)
class Mailbox:
    """One entry of an address header while it is being read."""

    words: list[str] = field(default_factory=list)
    comment: str = ""
    angle: str | None = None

    def addresses(self) -> list[Address]:
        """One as a rule; more where a text says more than one thing, so that none is taken for the only one."""
        if self.angle is not None:
            name = " ".join(self.words) or self.comment
            found = [self.angle.strip()]
        else:
            name = self.comment
            found = [word for word in self.words if "@" in word]
        name = clean_line(decode_words(name))
        return [Address(name, clean.lower()) for text in found if (clean := clean_address(text))]


def clean_address(text: str) -> str:
    text = clean_line(text.removeprefix("mailto:"))
    return text if len(text) <= MAX_ADDRESS and ADDRESS.fullmatch(text) else ""


def read_addresses(raw: bytes) -> tuple[Address, ...]:
    """Everybody named in an address header, members of groups too. What is no address is left out."""
    text = decode_text(raw)
    found = list_mailboxes(text)
    if not found and (last := ANGLED.findall(text)):  # a quotation mark too many swallows all that follows it
        found = [Address("", clean.lower())] if (clean := clean_address(last[-1])) else []
    return tuple(found[:MAX_ADDRESSES])


def list_mailboxes(header: str) -> list[Address]:
    found: list[Address] = []
    box = Mailbox()
    for token in TOKEN.finditer(header):
        kind, text = token.lastgroup, token.group(token.lastgroup or 0)
        if kind == "mark":
            found += box.addresses() if text != ":" or box.angle else []  # before a colon stands a group's name
            box = Mailbox()
        elif kind == "angle":
            if box.angle is not None:
                found += box.addresses()
                box = Mailbox()
            box.angle = text
        elif kind == "comment":
            box.comment = text
        else:
            box.words.append(re.sub(r"\\(.)", r"\1", text) if kind == "quoted" else text)
    return found + box.addresses()


def read_ids(raw: bytes) -> tuple[str, ...]:
    """The ids between < and > in their order, the newest when there are too many."""
    text = clean_line(decode_text(raw))
    ids = (re.sub(r"\s", "", found) for found in ID.findall(text))
    return tuple(name for name in ids if name)[-MAX_IDS:]


def read_message_id(raw: bytes) -> str | None:
    """The first id; where the < > are missing, all that is written there."""
    found = read_ids(raw)
    bare = re.sub(r"[\s<>]", "", clean_line(decode_text(raw)))[:998]
    return found[0] if found else bare or None


def read_date(raw: bytes) -> datetime | None:
    """The time in UTC; None for none that exists."""
    try:
        found = parsedate_to_datetime(decode_text(raw[:100]))
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
        return None


def read_parameters(raw: bytes) -> tuple[str, dict[str, str]]:
    """The value before the first semicolon, in lower case, and what follows by name, RFC 2231 put together."""
    text = decode_text(raw)
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bool, str]]] = {}
    for found in PARAMETER.finditer(text):
        name, quoted, bare = found.groups()
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare.strip()
        if split := CONTINUED.fullmatch(name.lower()):
            is_encoded = split.group(2) is None or bool(split.group(3))
            pieces.setdefault(split.group(1), {})[int(split.group(2) or 0)] = (is_encoded, value)
        else:
            plain.setdefault(name.lower(), value)
    joined = {name: join_pieces(parts) for name, parts in pieces.items()}
    return text.partition(";")[0].strip().lower(), plain | joined


def join_pieces(parts: dict[int, tuple[bool, str]]) -> str:
    """RFC 2231: the charset stands before the first of the pieces."""
    charset, raw = "", b""
    for place, (is_encoded, value) in sorted(parts.items()):
        if is_encoded and place == 0 and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        raw += unquote_to_bytes(value) if is_encoded else value.encode("utf-8", "replace")
    return decode_text(raw, charset)
