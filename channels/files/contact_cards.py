"""Contact cards (vCard 2.1 to 4.0) as lines that people read: who, where they work, numbers and addresses."""

import quopri
import re

from channels.mail.charsets import clean_line

MAX_CARDS = 10
MAX_LINES = 8  # of one card
MAX_LINE = 200  # characters
FOLD = re.compile(r"\n[ \t]")
SOFT_FOLD = re.compile(r"=\n")
PROPERTY = re.compile(r"(?:[\w-]{1,40}\.)?(?P<name>[A-Za-z]{1,20})(?P<given>;[^:\n]*)?:(?P<value>.*)", re.ASCII)
ESCAPED = re.compile(r"\\([\\,;:nN])")
SHOWN = ("ORG", "TEL", "EMAIL")


def read_cards(text: str) -> str:
    """The cards of a file, a paragraph each; empty when there is nothing to read in it."""
    cards = re.split(r"(?im)^BEGIN:VCARD\s*$", text)[1:]
    return "\n\n".join(card for card in map(read_card, cards[:MAX_CARDS]) if card)


def read_card(text: str) -> str:
    found = [match for line in unfold(text).split("\n") if (match := PROPERTY.match(line))]
    values = [(match["name"].upper(), read_value(match["given"] or "", match["value"])) for match in found]
    name = next((value for kind in ("FN", "N") for known, value in values if known == kind and value), "")
    lines = [name, *(value for kind in SHOWN for known, value in values if known == kind)]
    return "\n".join([line for line in dict.fromkeys(lines) if line][:MAX_LINES])


def unfold(text: str) -> str:
    """A property on each line. In version 2.1 those in quoted-printable go on after an equals sign."""
    text = FOLD.sub("", text)
    return SOFT_FOLD.sub("", text) if "QUOTED-PRINTABLE" in text.upper() else text


def read_value(given: str, value: str) -> str:
    if "QUOTED-PRINTABLE" in given.upper():
        value = quopri.decodestring(value.encode()).decode("utf-8", "replace")
    parts = [ESCAPED.sub(unescape, part).strip() for part in re.split(r"(?<!\\);", value)]
    return clean_line(", ".join(part for part in parts if part).removeprefix("tel:"))[:MAX_LINE]


def unescape(match: re.Match[str]) -> str:
    return " " if match[1] in "nN" else match[1]
