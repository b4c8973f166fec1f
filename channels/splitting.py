"""A long text as several messages, cut where a reader would pause."""

import re
from collections.abc import Iterator

from channels.graphemes import is_boundary

PAUSES = (
    re.compile(r"(?=\n[^\S\n]*\n)"),  # paragraph
    re.compile(r"(?=\n)"),  # line
    re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]+[”’」』）]*"),  # sentence
    re.compile(r"(?=\s)"),  # word
)
WORD = PAUSES[-1]
WHOLE = re.compile(
    r"(?:https?://|www\.)\S+"
    r"|[^\s@]+@[^\s@]+\.[^\s@]+"
    r"|\+?\(?\d+(?:[ \u00a0\u2009\u202f.,:/'’()-]{1,2}\d+)*"
)
"""Links, addresses and numbers, also those written in groups: useless in two pieces."""

Span = tuple[int, int]


def measure(text: str) -> int:
    """Length as vendors count it: UTF-16 code units, so that most emoji are two."""
    return len(text) + sum(letter > "\uffff" for letter in text)


def split_text(text: str, limit: int) -> list[str]:
    """The messages a text is sent as, each at most `limit` UTF-16 code units, at least 2; none of them blank.

    Cut at a paragraph, else a line, a sentence, a word; inside a link, an address, a number or what looks like one
    character only where that alone is longer than a message.
    """
    parts, rest = [], text.strip()
    while measure(rest) > limit:
        cut = find_cut(rest, limit)
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*parts, rest] if rest else parts


def find_cut(text: str, limit: int) -> int:
    """Where the first message of a text that is too long ends."""
    reach = find_reach(text, limit)
    whole = list(list_whole(text, reach))
    for pause in PAUSES:
        cut = find_last(pause, text, reach, whole)
        if cut and cut >= reach // 2:
            return cut
    word = find_last(WORD, text, reach, whole)
    if word and measure(read_word(text, word)) <= limit:
        return word
    return (
        last_boundary(text, reach, whole)
        or find_last(WORD, text, reach, [])
        or last_boundary(text, reach, [])
        or reach
    )  # fmt: skip


def find_reach(text: str, limit: int) -> int:
    """How many characters fit."""
    reach = min(limit, len(text))
    while measure(text[:reach]) > limit:
        reach -= 1
    return reach


def list_whole(text: str, reach: int) -> Iterator[Span]:
    for found in WHOLE.finditer(text):
        if found.start() >= reach:
            return
        yield found.span()


def find_last(pause: re.Pattern[str], text: str, reach: int, whole: list[Span]) -> int:
    """The last pause within reach that breaks nothing; 0 when there is none."""
    last = 0
    for found in pause.finditer(text):
        if found.end() > reach:
            break
        if found.end() > last and is_free(text, found.end(), whole):
            last = found.end()
    return last


def last_boundary(text: str, reach: int, whole: list[Span]) -> int:
    return next((index for index in range(reach, 0, -1) if is_free(text, index, whole)), 0)


def is_free(text: str, index: int, whole: list[Span]) -> bool:
    """Whether a cut here leaves both sides readable; the white space after it is dropped."""
    start = index
    while start < len(text) and text[start].isspace():
        start += 1
    return (
        is_boundary(text, index)
        and is_boundary(text, start)
        and not any(begins < index < ends for begins, ends in whole)
    )  # fmt: skip


def read_word(text: str, index: int) -> str:
    """What stands without a pause after the white space at `index`."""
    found = re.compile(r"\s*(\S*)").match(text, index)
    return found.group(1) if found else ""


PART_LIMITS = {"whatsapp": 1600}
"""What one message of a channel may hold; a channel that is not here takes any length."""


def split_for(channel: str, text: str) -> list[str]:
    """The messages a text is sent as on a channel."""
    limit = PART_LIMITS.get(channel)
    return split_text(text, limit) if limit else [text]
