"""A mail's own words, apart from the mail it answers and from what programs write below it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import dropwhile, islice, pairwise, takewhile

from channels.mail.endings import find_ending
from channels.mail.quote_marks import WORDS, Header, Lines, find_above, find_headers, list_words, read_lines

ANSWERS_INSIDE, PASSES_ON = list_words(WORDS["answers_inside"]), list_words(WORDS["passes_on"])

CITED_LINES = 5  # of a quoted paragraph that an answer needs to be understood
SHORT = 200  # characters; a longer reply that says "see below" says more than that
LONG_LINE = 60  # characters; programs wrap later than that


@dataclass(frozen=True, slots=True)
class Reply:
    new: str
    """What the sender wrote now; the full text where that would be nothing."""
    rest: str
    """What was cut off: quoted mail, signatures, notices."""
    is_forwarded: bool
    """Whether the mail carries a third party's mail; nothing of it is cut then."""


@dataclass(frozen=True, slots=True)
class Part:
    """Lines `first` up to but without `end`, written by the sender or quoted by a program."""

    first: int
    end: int
    is_quoted: bool = False
    header: Header | None = None
    is_marked: bool = False


def split_reply(text: str) -> Reply:
    """Any text; linear in its length. Lines of `new` are lines of `text` in their order, without blank ones around.

    Where a program put the quoted mail's first line behind the sender's last words, the line ends after those.
    """
    lines = read_lines(text)
    parts = [part if part.is_quoted else cut_ending(lines, part) for part in list_parts(lines)]
    quotes = [part for part in parts if part.is_quoted]
    kinds = [part.header.kind for part in quotes if part.header]
    if "forwarded" in kinds:
        return Reply(text, "", is_forwarded=True)
    written = [part for part in parts if not part.is_quoted and has_text(lines, part)]
    if not written:
        return Reply(text, "", is_forwarded=bool(kinds) and kinds[0] != "wrote")
    if quotes and not quotes[-1].is_marked and says(lines, written[0], PASSES_ON + ANSWERS_INSIDE):
        return Reply(text, "", is_forwarded=not says(lines, written[0], ANSWERS_INSIDE))
    kept = list(list_kept(lines, parts))
    cut = sorted(set(range(len(lines.raw))).difference(kept))
    return Reply(join(lines, kept), join(lines, cut), is_forwarded=False)


def join(lines: Lines, indexes: Iterable[int]) -> str:
    """The lines without the blank ones around them; indentation stays."""
    return re.sub(r"\A(?:[^\S\n]*\n)+", "", "\n".join(lines.raw[index] for index in indexes).rstrip())


def has_text(lines: Lines, part: Part) -> bool:
    return not all(map(lines.is_blank, range(part.first, part.end)))


def says(lines: Lines, part: Part, phrases: tuple[str, ...]) -> bool:
    """Whether a short text holds one of the phrases as whole words."""
    said = " ".join(lines.said[part.first : part.end])[: 2 * SHORT]
    words = " ".join(re.sub(r"[^\w.'-]|[.](?!\w)", " ", said).split())
    return len(words) <= SHORT and any(f" {phrase} " in f" {words} " for phrase in phrases)


def list_parts(lines: Lines) -> list[Part]:
    headers = find_headers(lines)
    parts: list[Part] = []
    index = begun = 0
    has_reply = False
    while index < len(lines.raw):
        if index not in headers and not lines.quoted[index]:
            has_reply = has_reply or not lines.is_blank(index)
            index += 1
            continue
        if index > begun:
            parts.append(Part(begun, index))
        quote = read_quote(lines, index, headers.get(index), has_reply=has_reply)
        parts.append(quote)
        index = begun = quote.end
    return [*parts, Part(begun, index)] if index > begun else parts


def read_quote(lines: Lines, first: int, header: Header | None, *, has_reply: bool) -> Part:
    """To the last marked line; to the end of the mail where a header is not followed by marks."""
    start = header.end if header else first
    if header and not lines.before_quoted[start - 1]:
        return Part(first, len(lines.raw), is_quoted=True, header=header)
    end = start
    for index in range(start, len(lines.raw)):
        if lines.quoted[index] or is_wrapped(lines, index, has_reply=has_reply):
            end = index + 1
        elif not lines.is_blank(index):
            break
    return Part(first, end, is_quoted=True, header=header, is_marked=True)


def is_wrapped(lines: Lines, index: int, *, has_reply: bool) -> bool:
    """Whether a line without a mark between two marked ones is the end of the line above, not an answer to it."""
    if not 0 < index < len(lines.raw) - 1 or not (lines.quoted[index - 1] and lines.quoted[index + 1]):
        return False
    line, above = lines.raw[index].strip(), lines.raw[index - 1].strip(" \t>")
    if not above or not line or not (line[0].islower() or not line[0].isalnum()):
        return False
    if above[-1] not in ".!?:;…":
        return True
    is_paragraph_end = not lines.said[index + 1]
    return has_reply and above[-1] == "." and is_paragraph_end and len(lines.raw[index - 1]) >= LONG_LINE


def cut_ending(lines: Lines, part: Part) -> Part:
    return Part(part.first, find_ending(lines, part.first, part.end))


def list_kept(lines: Lines, parts: list[Part]) -> Iterator[int]:
    """The sender's lines, and of quoted ones those that were picked by hand or are answered one by one."""
    is_dropped = False
    for index, (part, is_cited) in enumerate(zip(parts, list_cited(lines, parts), strict=True)):
        if not part.is_quoted:
            yield from skip_blank(lines, part) if is_dropped else range(part.first, part.end)
        elif is_cited:
            yield from list_paragraph(lines, part)
        is_dropped = part.is_quoted and not is_cited and index > 0


def list_cited(lines: Lines, parts: list[Part]) -> list[bool]:
    """For each part, whether it is a quote whose end the sender's words need to be understood."""
    answered = [part.is_quoted and has_text(lines, after) for part, after in pairwise([*parts, Part(0, 0)])]
    picked = [part.is_quoted and part.header is None for part in parts]
    first = answered.index(True) if True in answered else len(parts)
    is_between = sum(answered) > 1 or any(picked[first + 1 :])
    return [
        (answered[index] and (picked[index] or is_between)) or (picked[index] and is_introduced(lines, part.first))
        for index, part in enumerate(parts)
    ]


def is_introduced(lines: Lines, first: int) -> bool:
    above = find_above(lines, first)
    return above >= 0 and lines.raw[above].rstrip().endswith(":")


def skip_blank(lines: Lines, part: Part) -> Iterator[int]:
    return dropwhile(lines.is_blank, range(part.first, part.end))


def list_paragraph(lines: Lines, quote: Part) -> list[int]:
    """The last quoted paragraph, or the end of it."""
    first = quote.header.end if quote.header else quote.first
    backward = dropwhile(lambda index: not lines.said[index], range(quote.end - 1, first - 1, -1))
    return sorted(islice(takewhile(lambda index: bool(lines.said[index]), backward), CITED_LINES))
