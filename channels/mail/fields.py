"""The header lines of a mail that was read: which there are, and what they say without their comments."""

import re

from channels.mail.parsed import ParsedMail

PIECE = re.compile(r'\\.?|"|\(|\)|[^\\"()]+', re.DOTALL)


def list_values(mail: ParsedMail, *names: str) -> list[str]:
    """What stands behind these header names (lower case), topmost first."""
    return [value.strip() for name, value in mail.headers if name in names]


def list_words(mail: ParsedMail, name: str) -> list[str]:
    """What the headers of this name say, as lower-case words without comments and parameters."""
    plain = (strip_comments(value) or "" for value in list_values(mail, name))
    return [word for value in plain for word in re.split(r"[\s,]+", value.partition(";")[0].lower()) if word]


def strip_comments(value: str) -> str | None:
    """A value without its comments (RFC 5322: in brackets, also nested); None where something is never closed."""
    kept: list[str] = []
    depth, is_quoted = 0, False
    for piece in PIECE.findall(value):
        text = piece
        if piece == '"' and not depth:
            is_quoted = not is_quoted
        elif piece in {"(", ")"} and not is_quoted:
            depth += 1 if piece == "(" else -1
            text = " "
        if depth < 0:
            return None
        if not depth:
            kept.append(text)
    return None if depth or is_quoted else "".join(kept)
