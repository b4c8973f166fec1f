"""What a mail says: which of its parts are its text, and that text."""

import re

from channels.mail.charsets import clean_text, decode_text
from channels.mail.html_text import read_html
from channels.mail.parts import Part, is_body

MAX_TEXT = 200_000  # characters
PLACEHOLDER = re.compile(r"\bhtml\b", re.IGNORECASE)
MAX_PLACEHOLDER = 400  # characters
QUOTE_MARKS = re.compile(r">*")


def read_body(part: Part) -> str:
    """The text of a part and all in it that is meant to be read at once, cut."""
    return read_part(part).strip("\n")[:MAX_TEXT]


def read_part(part: Part) -> str:
    if part.type == "multipart/alternative" and part.children:
        return read_alternative(part)
    if part.children:
        shown = part.children[:1] if part.type == "multipart/report" else part.children
        return "\n\n".join(text for child in shown if (text := read_part(child).strip("\n")))
    return read_text_part(part) if is_body(part) else ""


def read_alternative(part: Part) -> str:
    """The plain form, unless it is empty or only says that there is another one."""
    ordered = sorted(part.children, key=lambda child: child.type != "text/plain")
    fallback = ""
    for child in ordered:
        text = read_part(child)
        if text.strip() and not (child.type == "text/plain" and is_placeholder(text)):
            return text
        fallback = fallback or text
    return fallback


def is_placeholder(text: str) -> bool:
    return len(text.strip()) <= MAX_PLACEHOLDER and bool(PLACEHOLDER.search(text))


def read_text_part(part: Part) -> str:
    text = clean_text(decode_text(part.decode(), part.parameters.get("charset", "")))
    if part.type == "text/html":
        return read_html(text)
    if part.parameters.get("format", "").lower() == "flowed":
        return unflow(text, drops_space=part.parameters.get("delsp", "").lower() == "yes")
    return text


def unflow(text: str, *, drops_space: bool) -> str:
    """RFC 3676: lines that end with a space go on in the next one of the same quote."""
    lines: list[str] = []
    is_open, open_depth = False, 0
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        words = line[depth:].removeprefix(" ")
        is_signature = words == "-- "
        if is_open and depth == open_depth and not is_signature:
            lines[-1] += words
        else:
            lines.append("> " * depth + words)
        is_open, open_depth = words.endswith(" ") and not is_signature, depth
        if is_open and drops_space:
            lines[-1] = lines[-1][:-1]
    return "\n".join(line if line.endswith("-- ") else line.rstrip() for line in lines)
