"""The little Markdown that articles and answers use, as safe HTML."""

import re
from collections.abc import Iterator

from markupsafe import Markup, escape

BLOCK = re.compile(r"^(?:(?P<heading>#{1,6})\s+|(?P<bullet>[-*])\s+|(?P<number>\d{1,3})[.)]\s+)(?P<rest>\S.*)$")
INLINE = re.compile(
    r"\*\*(?P<strong>[^*\n]+)\*\*|`(?P<code>[^`\n]+)`|\[(?P<label>[^\]\n]+)\]\((?P<target>[^)\s]+)\)"
    r"|(?P<bare>https?://[^\s<>\"')\]]*[^\s<>\"')\].,;:!?])"
)


def render_markdown(text: str) -> Markup:
    """Headings, lists, paragraphs, **bold**, `code` and links as HTML; everything else stays text."""
    return Markup("\n").join(render_block(block) for block in split_blocks(text))


def split_blocks(text: str) -> Iterator[list[str]]:
    """Lines that belong together: between blank lines, a heading alone, a list without the text around it."""
    block: list[str] = []
    for line in [*text.splitlines(), ""]:
        kind = block_kind(line)
        if block and (not line.strip() or kind == "heading" or kind != block_kind(block[0])):
            yield block
            block = []
        if line.strip():
            block.append(line.strip())


def block_kind(line: str) -> str:
    found = BLOCK.match(line.strip())
    return next(name for name in ("heading", "bullet", "number") if found[name]) if found else "text"


def render_block(lines: list[str]) -> Markup:
    kind = block_kind(lines[0])
    if kind == "text":
        return Markup("<p>{}</p>").format(Markup("<br>").join(render_inline(line) for line in lines))
    rest = [render_inline(found["rest"]) for line in lines if (found := BLOCK.match(line))]
    if kind == "heading":
        level = min(len(lines[0]) - len(lines[0].lstrip("#")), 4)
        return Markup(f"<h{max(level, 2)}>{{}}</h{max(level, 2)}>").format(rest[0])  # noqa: S704 (a number)
    items = Markup("").join(Markup("<li>{}</li>").format(item) for item in rest)
    return Markup("<ol>{}</ol>").format(items) if kind == "number" else Markup("<ul>{}</ul>").format(items)


def render_inline(text: str) -> Markup:
    parts, start = [], 0
    for found in INLINE.finditer(text):
        parts += [escape(text[start : found.start()]), render_span(found)]
        start = found.end()
    return Markup("").join([*parts, escape(text[start:])])


def render_span(found: re.Match[str]) -> Markup:
    if found["strong"]:
        return Markup("<strong>{}</strong>").format(found["strong"])
    if found["code"]:
        return Markup("<code>{}</code>").format(found["code"])
    target = found["bare"] or found["target"]
    if not target.startswith(("https://", "http://", "/")) or target.startswith("//"):
        return escape(found[0])
    return Markup('<a href="{}" rel="noopener noreferrer">{}</a>').format(target, found["label"] or target)
