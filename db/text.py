"""Markdown made plain for customers, and text made ready for the word index."""

import html
import re

CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
INLINE = (
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"<((?:https?://|mailto:)[^>\s]+)>"), r"\1"),
    (re.compile(r"<br\s*/?>", re.IGNORECASE), "\n"),
    (re.compile(r"<!--.*?-->|</?[a-zA-Z][^<>]*>", re.DOTALL), ""),
    (re.compile(r"(?<![\\*])(\*{1,3})(?=[^\s*])(.+?)(?<=[^\s\\])\1(?!\*)", re.DOTALL), r"\2"),
    (re.compile(r"(?<![\w\\])(_{1,3})(?=[^\s_])(.+?)(?<=[^\s\\])\1(?!\w)", re.DOTALL), r"\2"),
    (re.compile(r"~~(?=\S)(.+?)(?<=\S)~~", re.DOTALL), r"\1"),
    (re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>~])"), r"\1"),
)
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'][^)]*[\"'])?\s*\)")
FENCE = re.compile(r"^\s*(?:```|~~~)")
HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$")
QUOTE = re.compile(r"^\s{0,3}(?:>\s?)+")
BULLET = re.compile(r"^(\s*)[*+]\s+")
RULE = re.compile(r"^\s{0,3}([-*_])(?:\s*\1){2,}\s*$")
TABLE_RULE = re.compile(r"^\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*\|?\s*$")
SPACELESS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]{2,}")


def plain_text(markdown: str) -> str:
    """The words of a Markdown text without its marks, as a customer reads them; lists keep their numbers and dashes."""
    lines: list[str] = []
    fenced = False
    for line in markdown.splitlines():
        if FENCE.match(line):
            fenced = not fenced
        elif fenced:
            lines.append(line)
        elif not RULE.match(line) and not TABLE_RULE.match(line):
            lines.append(plain_line(line))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip()


def plain_line(line: str) -> str:
    heading = HEADING.match(line)
    line = BULLET.sub(r"\1- ", QUOTE.sub("", heading.group(1) if heading else line))
    if line.lstrip().startswith("|"):
        line = ", ".join(cell.strip() for cell in line.strip().strip("|").split("|"))
    return plain_inline(line)


def plain_inline(text: str) -> str:
    parts: list[str] = []
    at = 0
    for code in CODE.finditer(text):
        parts += [strip_marks(text[at : code.start()]), code.group(2).strip()]
        at = code.end()
    return "".join([*parts, strip_marks(text[at:])])


def strip_marks(text: str) -> str:
    text = LINK.sub(write_link, text)
    for pattern, replacement in INLINE:
        text = pattern.sub(replacement, text)
    return html.unescape(text)


def write_link(link: re.Match[str]) -> str:
    label, address = link.group(1), link.group(2).removeprefix("mailto:")
    if label.strip("*_` ") == address or not re.match(r"https?://|[^/]+@", address):
        return label
    return f"{label} ({address})"


def search_words(text: str) -> str:
    """Text as the word index takes it: no NUL, straight apostrophes, Chinese and the like in pairs of characters."""
    text = text.replace("\x00", " ").replace("’", "'")
    return SPACELESS.sub(lambda run: " ".join(run.group()[at : at + 2] for at in range(len(run.group()) - 1)), text)
