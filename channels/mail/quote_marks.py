"""Where mail programs say that somebody else's words begin."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

WORDS: dict[str, Any] = tomllib.loads((Path(__file__).parent / "quoting_words.toml").read_text(encoding="utf-8"))


def list_words(lists: dict[str, list[str]]) -> tuple[str, ...]:
    return tuple({word.casefold() for words in lists.values() for word in words})


def spaced(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f" {word}" for word in words)


FIRST_VERB = tuple(f" {word} " for word in list_words(WORDS["wrote_before_name"]))
ANY_VERB = tuple(f" {word} " for word in list_words(WORDS["wrote"]))
VERB_ENDS = spaced(list_words(WORDS["wrote"])) + list_words(WORDS["wrote_joined"])
BEGINS = tuple(f"{word} " for word in list_words(WORDS["begins"]))
PERSONS = frozenset(list_words(WORDS["persons"]))
ROLES = {word: role for role, lists in WORDS["keys"].items() for word in list_words(lists)}
ORIGINAL, FORWARDED = list_words(WORDS["original"]), list_words(WORDS["forwarded"])
ANSWER_ABOVE = list_words(WORDS["answer_above"])
SHORTEST_ASK = min(map(len, ANSWER_ABOVE))

DATE = re.compile(r"\d{1,2}[:.h]\d\d|\b(?:19|20)\d\d(?!\d)|\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4}|\d年|\d년")
ADDRESS_ENDS = re.compile(r"[<(][^\s<>()]{1,200}@[^\s<>()]{1,200}[>)]\W*$")
OTHER_KEY = re.compile(r"[^\W\d][\w .-]{0,24}:")
BRACKETED = re.compile(r"[<(][^\s<>()]{1,200}@")
HAND_OVER = re.compile(r":\s+(?=[^\s>])")
CAPITAL_BEGINS = tuple(f" {word.capitalize()} " for word in sorted(list_words(WORDS["begins"])))
INVISIBLE = dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xAD, 0xFEFF])
DASHES = "-_=*#~\u2010\u2011\u2012\u2013\u2014\u2015\u2500 "
LONGEST = 400  # characters; no program writes a longer line above a quote
WRAPS = 4  # lines that may come before the last one of "On ... wrote:"
BLOCK_LINES, BLOCK_GAP = 24, 3

Kind = Literal["wrote", "block", "original", "forwarded"]


@dataclass(frozen=True, slots=True)
class Header:
    """What a program put above somebody's words, in lines `first` up to but without `end`."""

    first: int
    end: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a mail beside what they say: without quote marks, folded, "" where too long to be a program's."""

    raw: list[str]
    said: list[str]
    quoted: list[bool]
    before_quoted: list[bool]
    """Whether the next line that is not blank is a quoted one."""

    def is_blank(self, index: int) -> bool:
        return not self.raw[index].strip()


def read_lines(text: str) -> Lines:
    raw = [part for line in re.split("\r\n|\r|\n", text) for part in unglue(line)]
    quoted = [is_quoted(line) for line in raw]
    return Lines(raw, [fold(line) for line in raw], quoted, look_ahead(raw, quoted))


def fold(line: str) -> str:
    if len(line) > 2 * LONGEST:
        return ""
    said = " ".join(line.translate(INVISIBLE).lstrip("> \t\xa0|").split()).casefold()
    return said if len(said) <= LONGEST else ""


def is_quoted(line: str) -> bool:
    """`>>> look <<<` is an ornament and `>= 5` a comparison."""
    start = line.lstrip()
    return start.startswith(">") and not start.startswith(">=") and not start.rstrip().endswith("<<")


def look_ahead(raw: list[str], quoted: list[bool]) -> list[bool]:
    ahead, found = False, [False] * len(raw)
    for index in range(len(raw) - 1, -1, -1):
        found[index] = ahead
        if raw[index].strip():
            ahead = quoted[index]
    return found


def unglue(line: str) -> list[str]:
    """Some programs put "On ... wrote:" behind the reply's last words, or the quote's first words behind it."""
    if "@" not in line or ":" not in line or len(line) > LONGEST or is_quoted(line):
        return [line]
    for found in HAND_OVER.finditer(line):
        head = fold(line[: found.end()])
        if head.startswith(BEGINS) and ends_in_verb(head) and is_attribution(head, before_quoted=False):
            return [line[: found.end()], line[found.end() :]]
    starts = [line.rfind(begin) for begin in CAPITAL_BEGINS]
    start, said = max(starts), fold(line)
    if line[: max(start, 0)].strip(DASHES) and ends_in_verb(said) and not said.startswith(BEGINS):
        tail = fold(line[start:])
        if "@" in tail and is_attribution(tail, before_quoted=False):
            return [line[:start], line[start:]]
    return [line]


def find_headers(lines: Lines) -> dict[int, Header]:
    """By their first line, the longest where two begin together."""
    found: dict[int, Header] = {}
    for index, said in enumerate(lines.said):
        if said and (header := read_header(lines, index)):
            known = found.get(header.first)
            if known is None or known.end < header.end:
                found[header.first] = header
    return found


def read_header(lines: Lines, index: int) -> Header | None:
    if kind := read_divider(lines.said[index]):
        return Header(index, index + 1, kind)
    if find_role(lines.said[index]):
        return read_block(lines, index)
    return find_attribution(lines, index)


def read_divider(said: str) -> Kind | None:
    if len(said) > 120:
        return None
    phrase = said.strip(DASHES + ":")
    dashed = said[:2].strip(DASHES) == ""
    if phrase.startswith(FORWARDED) and (dashed or (phrase in FORWARDED and said.endswith(":"))):
        return "forwarded"
    if phrase.startswith(ORIGINAL) and dashed:
        return "original"
    asks = len(phrase) >= SHORTEST_ASK and any(words in phrase for words in ANSWER_ABOVE)
    return "original" if asks else None


def find_role(said: str) -> str | None:
    """What a line like "From: Ana" names."""
    key, colon, _ = said.replace("：", ":").partition(":")
    return ROLES.get(key.strip("* ")) if colon else None


def read_block(lines: Lines, first: int) -> Header | None:
    """ "From: ... Sent: ... To: ... Subject: ...", in any order, with wrapped values and gaps."""
    roles: set[str] = set()
    end = first
    for index in range(first, min(first + BLOCK_LINES, len(lines.said))):
        if role := find_role(lines.said[index]):
            roles.add(role)
            end = index + 1
        elif index >= end + BLOCK_GAP:
            break
    proven = not roles.isdisjoint({"sent", "subject"}) or any("@" in said for said in lines.said[first:end])
    above = find_above(lines, first)
    if "from" not in roles or len(roles) < 2 or not proven or is_introduced(lines, above):
        return None
    return Header(first_of_block(lines, first, above), end, "block")


def find_above(lines: Lines, first: int) -> int:
    """The line that is not blank above; -1 without one within a few lines."""
    reach = range(first - 1, max(first - 4, -1), -1)
    return next((index for index in reach if lines.raw[index].strip()), -1)


def is_introduced(lines: Lines, above: int) -> bool:
    """Somebody who shows a header ends the line before with a colon."""
    return above >= 0 and lines.raw[above].rstrip().endswith(":") and not find_role(lines.said[above])


def first_of_block(lines: Lines, first: int, above: int) -> int:
    """The rule or title above a block belongs to it; so do other keys where the mail begins with them, like a form."""
    if above >= 0 and (is_rule(lines.raw[above]) or lines.said[above].strip(DASHES) in ORIGINAL):
        return above
    top = max(first - BLOCK_LINES, 0)
    is_form = top == 0 and all(OTHER_KEY.match(said) for said in lines.said[top:first])
    return top if is_form else first


def is_rule(line: str) -> bool:
    bare = line.strip()
    return len(bare) >= 3 and not bare.strip(DASHES)


def find_attribution(lines: Lines, last: int) -> Header | None:
    """ "On ... wrote:" that ends in line `last` and may begin some lines above."""
    if not may_end(lines, last):
        return None
    joined = ""
    found: Header | None = None
    for first in range(last, max(last - WRAPS - 1, -1), -1):
        if lines.quoted[first] != lines.quoted[last] and len(lines.said[last]) > 20:
            break
        joined = f"{lines.said[first]} {joined}".strip()
        if len(joined) > LONGEST:
            break
        if is_attribution(joined, before_quoted=lines.before_quoted[last]):
            if is_start(lines.said[first]):
                return Header(first, last + 1, "wrote")
            found = found or Header(first, last + 1, "wrote")
    if found is None and is_bare_attribution(lines, last):
        return Header(last, last + 1, "wrote")
    return found


def is_start(said: str) -> bool:
    said = said.lstrip(DASHES)
    return said.startswith(BEGINS) and any(letter.isdigit() for letter in said)


def may_end(lines: Lines, index: int) -> bool:
    said = lines.said[index]
    return said.endswith((":", "：")) or ends_in_verb(said) or (lines.before_quoted[index] and said.endswith(">"))


def ends_in_verb(said: str) -> bool:
    return f" {said.rstrip(DASHES + ':：…')}".endswith(VERB_ENDS)


def is_attribution(said: str, *, before_quoted: bool) -> bool:
    """Whether these words name a writer and a time in one of the ways of mail programs."""
    closes = said.endswith((":", "：", "--"))
    said = said.strip(DASHES)
    if not DATE.search(said):
        return False
    has_address, is_bracketed = "@" in said, BRACKETED.search(said) is not None
    begins = said.startswith(BEGINS) or DATE.search(said[:30]) is not None
    names_person = not before_quoted and not PERSONS.isdisjoint(said.replace(",", " ").split())
    if ends_in_verb(said):
        fits = (begins or has_address) and (closes or has_address or before_quoted)
    elif (closes or before_quoted) and any(verb in said for verb in FIRST_VERB):
        fits = is_bracketed or (begins and closes)
    elif closes and any(verb in said for verb in ANY_VERB):
        fits = is_bracketed
    else:
        return begins and (closes or before_quoted) and ADDRESS_ENDS.search(said) is not None and not names_person
    return fits and (is_bracketed or not names_person)


def is_bare_attribution(lines: Lines, index: int) -> bool:
    """ "Ana wrote:" or "Quoting <ana@example.com>:" right above quoted lines, or "Ana wrote" between dashes."""
    said = lines.said[index]
    closes_above_quote = lines.before_quoted[index] and said.endswith((":", "："))
    if not ends_in_verb(said) or len(said) > 200:
        return closes_above_quote and ADDRESS_ENDS.search(said) is not None
    return closes_above_quote or (said[:2].strip(DASHES) == "" and said[-2:].strip(DASHES) == "")
