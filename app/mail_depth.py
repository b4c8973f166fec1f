"""How deep the tags of a strange HTML text may be nested: one pass over it, before anything builds a tree of it."""

import re
from collections.abc import Iterator

SPACE = r"[ \t\n\f\r]"
VALUE = rf"""{SPACE}*+={SPACE}*+(?:"[^"]*"|'[^']*'|(?!["'])[^ \t\n\f\r>]*+)"""
TOKEN = re.compile(
    r"<!--(?:-?>|.*?--!?>)|<[!?](?!--)[^>]*+>|</[^a-zA-Z][^>]*+>|</>"
    r"|<(?P<slash>/?)(?P<name>[a-zA-Z][^ \t\n\f\r/>]*+)"
    rf"(?:[ \t\n\f\r/]++|[^ \t\n\f\r/>][^ \t\n\f\r/>=]*+(?:{VALUE})?+)*+>"
    r"|(?P<unfinished><(?:[!?a-zA-Z]|/.))",
    re.DOTALL,
)
"""What a browser takes for a comment or a tag; what it takes for one that never ends hides all that follows."""
VOID = {
    "area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input", "keygen", "link",
    "meta", "param", "source", "track", "wbr",
}  # fmt: skip
RAW = {"script", "style", "title"}
"""Their content has no tags."""
ODD = re.compile(
    r"<(?:frameset|iframe|math|noembed|noframes|noscript|plaintext|select|svg|template|textarea|xmp)\b", re.IGNORECASE
)
"""Inside these, what looks like a comment or the end of a tag need not be one."""
BEGINNING = re.compile(r"<([a-zA-Z][^ \t\n\f\r/>]*+)")
PARTS = {"caption", "tbody", "td", "tfoot", "th", "thead", "tr"}
WALLS = {"applet", "button", "caption", "marquee", "object", "table", "td", "th"}
"""An end inside of these does not reach what was opened outside."""
IMPLIED = {"dd", "dt", "li", "p", *PARTS}
"""They end with what they are in."""
ENDED_BY = {
    "p": ["p"], "li": ["li"], "dd": ["dd", "dt"], "dt": ["dd", "dt"], "td": ["td", "th"], "th": ["td", "th"],
    "tr": ["tr"],
}  # fmt: skip
"""What a tag ends of its own kind without saying so."""


def is_too_deep(html: str, most: int) -> bool:
    """Whether more than `most` tags may be open at once; in doubt they are. In time linear in the text's length."""
    if is_odd(html):
        return sum(begun[1].lower() not in VOID for begun in BEGINNING.finditer(html)) > most
    is_open: list[str] = []
    for name, is_end in read_tags(html):
        for ended in [name] if is_end else ENDED_BY.get(name, ()):
            end(ended, is_open)
        if not is_end and name not in VOID:
            is_open.append(name)
            if len(is_open) > most:
                return True
    return False


def is_odd(html: str) -> bool:
    """Whether only the beginnings of its tags can be relied on."""
    scripts = re.split("<script", html, flags=re.IGNORECASE)[1:]
    hidden = (re.split("</script", script, maxsplit=1, flags=re.IGNORECASE)[0] for script in scripts)
    return ODD.search(html) is not None or any("<!--" in script for script in hidden)


def read_tags(html: str) -> Iterator[tuple[str, bool]]:
    """Names of tags, and whether each is an end."""
    at = 0
    while (token := TOKEN.search(html, at)) and not token["unfinished"]:
        at, name = token.end(), (token["name"] or "").lower()
        if not name:
            continue
        if name in RAW and not token["slash"]:
            end_of_it = re.compile(rf"</{name}(?=[ \t\n\f\r/>])", re.IGNORECASE).search(html, at)
            if end_of_it is None:
                return
            at = end_of_it.start()
        else:
            yield name, bool(token["slash"])


def end(name: str, is_open: list[str]) -> None:
    """Take out the newest of this name that an end reaches, and what ends with it; nothing where there is none."""
    walls = {"table"} if name in PARTS else WALLS
    for at in range(len(is_open) - 1, -1, -1):
        if is_open[at] == name:
            is_open[at:] = [other for other in is_open[at + 1 :] if other not in IMPLIED]
            return
        if is_open[at] in walls:
            return
