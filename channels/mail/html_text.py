"""HTML mail as the text its reader sees: hidden text dropped, quotes marked as plain mail marks them."""

import re
from collections.abc import Mapping

from lxml import etree

from channels.mail.charsets import clean_text
from channels.mail.hidden_text import Look, read_look

SKIPPED = frozenset({"head", "style", "script", "title", "template", "noframes", "object", "svg", "math"})
VOID = frozenset({"br", "hr", "img", "input", "meta", "link", "area", "base", "col", "embed", "wbr", "param", "source"})
PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "pre", "blockquote", "dl"})
BLOCKS = PARAGRAPHS | frozenset({
    "div", "tr", "li", "dt", "dd", "section", "article", "header", "footer", "address", "center", "form", "fieldset",
    "body", "html", "caption", "figure", "main", "nav", "aside",
})  # fmt: skip
OUTLOOK_LINE = "_" * 32
"""What Outlook writes above a quoted mail in plain text."""
OUTLOOK_RULE = re.compile(r"border:none;border-top:solid#(?:e1e1e1|b5c4df)1\.0pt")
QUOTE_CLASSES = ("yahoo_quoted", "protonmail_quote")
ATTRIBUTION_CLASSES = ("gmail_attr", "moz-cite-prefix")
FORWARD = re.compile(r"\s*(?:--|Begin forwarded message)")
MAX_QUOTE_DEPTH = 20
MAX_ATTRIBUTION = 3  # lines
MAX_ELEMENTS = 15_000
CHUNK = 65_536  # bytes
SPACE = re.compile(r"[ \t\n\r\f]+")


class Line:
    """One line of text inside `depth` quotes."""

    __slots__ = ("depth", "is_blank", "parts")

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.is_blank = True
        self.parts: list[str] = []

    def add(self, text: str) -> None:
        self.parts.append(text)
        self.is_blank = self.is_blank and not text.strip()

    def write(self) -> str:
        text = "".join(self.parts).replace("\u00a0", " ").rstrip()
        return ("> " * min(self.depth, MAX_QUOTE_DEPTH) + text).rstrip()


class VisibleText:
    """Takes the tags of a document one after the other, as lxml meets them, and keeps what can be seen."""

    def __init__(self) -> None:
        self.lines = [Line(0)]
        self.looks = [Look()]
        self.quotes: list[int | None] = [None]
        """Of each open element that is a quote, its first line."""
        self.elements = 0
        self.skipped = 0
        self.depth = 0
        self.preformatted = 0
        self.lists: list[int | None] = []
        self.attribution: int | None = None
        """The line at which the words above a quote start, while nothing but they have been read."""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        self.elements += 1
        if self.skipped:
            self.skipped += tag not in VOID
            return
        look = read_look(tag, attributes, self.looks[-1])
        if (tag in SKIPPED or look.is_hidden) and tag not in VOID:
            self.skipped = 1
            return
        if tag in BLOCKS:
            self.break_line(blank=tag in PARAGRAPHS)
        self.start_mark(tag)
        if tag not in VOID:
            self.looks.append(look)
            self.start_quote(tag, attributes)

    def start_mark(self, tag: str) -> None:
        """What a tag itself puts into the text."""
        if tag == "br":
            self.lines.append(Line(self.depth))
        elif tag == "hr":
            self.break_line(blank=True)
        elif tag in ("td", "th") and not self.lines[-1].is_blank:
            self.lines[-1].add("\t")
        elif tag in ("ul", "ol"):
            self.lists.append(1 if tag == "ol" else None)
        elif tag == "li":
            self.start_item()
        elif tag == "pre":
            self.preformatted += 1

    def start_item(self) -> None:
        number = self.lists[-1] if self.lists else None
        self.lines[-1].add(f"{number}. " if number else "- ")
        if number:
            self.lists[-1] = number + 1

    def start_quote(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Goes one level deeper where another mail is quoted; draws Outlook's line where it starts without a level."""
        if not attributes and tag != "blockquote":
            self.quotes.append(None)
            return
        classes = set(attributes.get("class", "").lower().split())
        style = SPACE.sub("", attributes.get("style", "").lower())
        is_quote = tag == "blockquote" or any(name.endswith(QUOTE_CLASSES) for name in classes)
        if is_quote:
            self.break_line()
            self.quote_attribution()
            self.depth += 1
            self.lines.append(Line(self.depth))
        elif attributes.get("id", "").lower().endswith("divrplyfwdmsg") or OUTLOOK_RULE.search(style):
            self.break_line()
            self.lines[-1].add(OUTLOOK_LINE)
            self.lines.append(Line(self.depth))
        self.quotes.append(len(self.lines) - 1 if is_quote else None)
        if classes.intersection(ATTRIBUTION_CLASSES):
            self.break_line()
            self.attribution = len(self.lines) - 1

    def quote_attribution(self) -> None:
        """Takes "On Monday Ana wrote:" into the quote that follows it, in whatever language it is."""
        above = self.lines[self.attribution :] if self.attribution is not None else []
        if sum(not line.is_blank for line in above) <= MAX_ATTRIBUTION:
            for line in above:
                line.depth += 1
        self.attribution = None

    def end_quote(self, first: int) -> None:
        """Leaves a quote; what turns out to be a forwarded mail stands as it does in plain mail, without marks."""
        self.depth -= 1
        opening = next((line for line in self.lines[first : first + 10] if not line.is_blank), None)
        if self.depth == 0 and opening and FORWARD.match("".join(opening.parts)):
            for line in self.lines[first:]:
                line.depth -= 1
        while len(self.lines) > first + 1 and self.lines[-1].is_blank:
            self.lines.pop()
        self.lines.append(Line(self.depth))

    def end(self, tag: str) -> None:
        """An element ends."""
        if self.skipped:
            self.skipped -= tag not in VOID
            return
        if tag in VOID or len(self.looks) == 1:
            return
        self.looks.pop()
        first = self.quotes.pop()
        if first is not None:
            self.end_quote(first)
        if tag in BLOCKS:
            self.break_line(blank=tag in PARAGRAPHS)
        if tag in ("ul", "ol") and self.lists:
            self.lists.pop()
        if tag == "pre":
            self.preformatted -= 1

    def data(self, text: str) -> None:
        """Text between tags."""
        if self.skipped or not text or not self.looks[-1].is_readable:
            return
        if self.preformatted:
            first, *others = text.split("\n")
            self.lines[-1].add(first)
            for other in others:
                self.lines.append(Line(self.depth))
                self.lines[-1].add(other)
            return
        text = SPACE.sub(" ", text)
        parts = self.lines[-1].parts
        if text[0] == " " and (not parts or parts[-1][-1:] in (" ", "\t", "")):
            text = text[1:]
        if text:
            self.lines[-1].add(text)

    def comment(self, text: str) -> None:
        """Nobody sees it."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Nor that."""

    def break_line(self, *, blank: bool = False) -> None:
        """The next text starts a line of its own, after an empty one where asked."""
        if not self.lines[-1].is_blank:
            self.lines.append(Line(self.depth))
        if blank and len(self.lines) > 1 and not self.lines[-2].is_blank:
            self.lines.append(Line(self.depth))
        self.lines[-1].depth = self.depth

    def close(self) -> str:
        """The whole text, with at most one empty line in a row."""
        text = "\n".join(line.write() for line in self.lines)
        text = re.sub(r"\n{3,}", "\n\n", text)
        return re.sub(r"^(>(?: >)*)\n(?:\1\n)+", r"\1\n", text, flags=re.MULTILINE).strip("\n")


def read_html(html: str) -> str:
    """The visible text of a page or a piece of one, up to a number of elements; nothing where there is none."""
    html = clean_text(html)
    if not html.strip():
        return ""
    seen, page = VisibleText(), html.encode("utf-8")
    parser = etree.HTMLParser(target=seen, encoding="utf-8", huge_tree=True)
    for start in range(0, len(page), CHUNK):
        parser.feed(page[start : start + CHUNK])
        if seen.elements > MAX_ELEMENTS:
            break
    return clean_text(str(parser.close())).strip("\n")
