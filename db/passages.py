"""Articles cut into passages: by headings, of a size to cite, with every step list in one piece."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from db.text import plain_text

MAX_WORDS = 180
SHOWN_CHARS = 1500
"""What models are shown of a passage. One of MAX_WORDS is shorter, so only long lists, code and tables are cut."""
MIN_WORDS = 40
"""A section shorter than this is kept with the next one: alone it says too little to be found."""
FENCE = re.compile(r"^\s*(```|~~~)")
HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
ITEM = re.compile(r"^\s{0,3}(?:[-*+]|(\d+)[.)])\s+")
SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])")
CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")

Kind = Literal["paragraph", "steps", "bullets", "code", "table"]


@dataclass(slots=True)
class Block:
    """Lines that belong together. `first` is the number a step list begins with."""

    kind: Kind
    lines: list[str]
    first: int = 1

    @property
    def text(self) -> str:
        return "\n".join(self.lines).strip("\n")


@dataclass(slots=True)
class Section:
    """What stands under one heading. `line` is that heading as it stands, `heading` names those above it too."""

    heading: str = ""
    line: str = ""
    blocks: list[Block] = field(default_factory=list)


def split_passages(body: str) -> list[tuple[str, str]]:
    """(heading, Markdown text) of each passage, in order; at most MAX_WORDS words unless a list or code is longer.

    A passage ends at the next heading; sections of a few words stay together, with their headings in the text.
    """
    passages: list[tuple[str, str]] = []
    held: list[tuple[Section, str]] = []
    for section, text in ((part, text) for part in list_sections(body) for text in pack_section(part)):
        words = sum(count_words(part) for _, part in held)
        if held and (words >= MIN_WORDS or words + count_words(text) > MAX_WORDS):
            passages.append(join_sections(held))
            held = []
        held.append((section, text))
    return [*passages, join_sections(held)] if held else passages or [("", body.strip())]


def join_sections(held: list[tuple[Section, str]]) -> tuple[str, str]:
    headings = list(dict.fromkeys(section.heading for section, _ in held if section.heading))
    if len(held) == 1:
        return "".join(headings), held[0][1]
    return "; ".join(headings), "\n\n".join(f"{section.line}\n\n{text}".strip() for section, text in held)


def list_sections(body: str) -> Iterator[Section]:
    path: dict[int, str] = {}
    section = Section()
    for block in list_blocks(body):
        heading = HEADING.match(block.lines[0]) if block.kind == "paragraph" else None
        if heading is None:
            section.blocks.append(block)
            continue
        yield section
        level = len(heading.group(1))
        path = {depth: words for depth, words in path.items() if depth < level} | {level: plain_text(heading.group(2))}
        section = Section(": ".join(path.values()), block.lines[0])
    yield section


def list_blocks(body: str) -> Iterator[Block]:
    block: Block | None = None
    blanks = 0
    for line in body.splitlines():
        if block is not None and block.kind == "code":
            block.lines.append(line)
            if FENCE.match(line):
                yield block
                block = None
        elif not line.strip():
            blanks += 1
        elif block is not None and continues(block, line, after_blank=blanks > 0):
            block.lines += [""] * min(blanks, 1) + [line]
            blanks = 0
        else:
            if block is not None:
                yield block
            block = begin_block(line)
            blanks = 0
    if block is not None:
        yield block


def begin_block(line: str) -> Block:
    item = ITEM.match(line)
    if FENCE.match(line):
        return Block("code", [line])
    if item is not None and item.group(1) is not None:
        return Block("steps", [line], first=int(item.group(1)))
    if item is not None:
        return Block("bullets", [line])
    return Block("table" if line.startswith("|") else "paragraph", [line])


def continues(block: Block, line: str, *, after_blank: bool) -> bool:
    """Whether a line that is not blank goes on with the block before it."""
    if HEADING.match(block.lines[0]) or HEADING.match(line):
        return False
    item = ITEM.match(line)
    if block.kind in ("steps", "bullets"):
        if item is not None:
            return (item.group(1) is not None) == (block.kind == "steps") or line[0] == " "
        return line[0] in " \t" or not after_blank
    if after_blank or item is not None or FENCE.match(line):
        return False
    return line.startswith("|") == (block.kind == "table")


def keep_steps_whole(blocks: list[Block]) -> list[list[Block]]:
    """Blocks that may not be parted: a list with the line that introduces it, and steps that go on after a remark."""
    units: list[list[Block]] = []
    for block in blocks:
        earlier = [at for at, unit in enumerate(units) if any(part.kind == "steps" for part in unit)]
        if block.kind == "steps" and block.first > 1 and earlier:
            joined = [part for unit in units[earlier[-1] :] for part in unit]
            units[earlier[-1] :] = [[*joined, block]]
        elif units and block.kind != "paragraph" and units[-1][-1].text.rstrip("*_ ").endswith(":"):
            units[-1].append(block)
        else:
            units.append([block])
    return units


def pack_section(section: Section) -> list[str]:
    """The text of a section in pieces of up to MAX_WORDS."""
    units = keep_steps_whole(section.blocks)
    return pack_pieces([text for unit in units for text in cut_unit(unit)], "\n\n")


def cut_unit(unit: list[Block]) -> list[str]:
    text = "\n\n".join(block.text for block in unit)
    if count_words(text) <= MAX_WORDS or any(block.kind not in ("paragraph", "bullets") for block in unit):
        return [text]
    pieces: list[str] = []
    for block in unit:
        pieces += pack_pieces(SENTENCE_END.split(block.text), " ") if block.kind == "paragraph" else cut_bullets(block)
    return pieces


def cut_bullets(block: Block) -> list[str]:
    items: list[str] = []
    for line in block.lines:
        if not items or re.match(r"[-*+]\s", line):
            items.append(line)
        else:
            items[-1] += f"\n{line}"
    return pack_pieces(items, "\n")


def pack_pieces(pieces: list[str], joint: str) -> list[str]:
    packed: list[str] = []
    for piece in pieces:
        if packed and count_words(packed[-1]) + count_words(piece) <= MAX_WORDS:
            packed[-1] += joint + piece
        else:
            packed.append(piece)
    return packed


def count_words(text: str) -> int:
    """Words by spaces; two characters of Chinese or Japanese count as one."""
    return len(text.split()) + len(CJK.findall(text)) // 2
