"""HTML that strangers wrote, for a box that nothing gets out of: no scripts, no forms, no pictures until asked for."""

import nh3

from app.mail_depth import is_too_deep

TAGS = {
    "a", "abbr", "b", "bdi", "bdo", "blockquote", "br", "caption", "center", "code", "col", "colgroup", "dd", "del",
    "div", "dl", "dt", "em", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "li", "ol", "p",
    "pre", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "table", "tbody", "td", "tfoot",
    "th", "thead", "tr", "tt", "u", "ul",
}  # fmt: skip
ATTRIBUTES = {
    "*": {"align", "bgcolor", "dir", "lang", "style", "title", "valign"},
    "a": {"href"},
    "col": {"span", "width"},
    "font": {"color", "face", "size"},
    "img": {"alt", "height", "src", "width"},
    "ol": {"start", "type"},
    "table": {"border", "cellpadding", "cellspacing", "width"},
    "td": {"colspan", "height", "rowspan", "width"},
    "th": {"colspan", "height", "rowspan", "width"},
}
STYLES = {
    "background-color", "border", "border-bottom", "border-collapse", "border-color", "border-left",
    "border-radius", "border-right", "border-top", "color", "font", "font-family", "font-size", "font-style",
    "font-weight", "line-height", "list-style-type", "margin", "margin-bottom", "margin-left", "margin-right",
    "margin-top", "max-width", "padding", "padding-bottom", "padding-left", "padding-right", "padding-top",
    "text-align", "text-decoration", "vertical-align", "white-space", "width",
}  # fmt: skip
"""Nothing that loads, covers other things or moves."""
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
"""The box: a sandboxed page has no origin, so not even a fault of ours would let what is in it reach the desk."""
PICTURES = "; img-src https:"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer"><title>A mail as it was laid out</title></head>
<body><p style="font: 14px sans-serif; border-bottom: 1px solid; padding-bottom: 8px">{note}</p>
{body}</body></html>"""
HIDDEN = (
    'Pictures are not shown. <a href="?pictures=1">Show them</a>: '
    "whoever they are loaded from learns that this mail is being read."
)
MAX_DEPTH = 200
"""Of tags in tags: what makes them safe takes time with the square of it."""
MAX_SAFE = 2_000_000
"""Characters: a few tags that end late are written out again in every paragraph."""

SHOWN = "Pictures are loaded from wherever the mail says."


class TooDeep(Exception):
    """This HTML is nested too deeply to be made safe."""


def make_page(html: str, *, with_pictures: bool) -> tuple[str, str]:
    """The page, and the policy it has to be sent with. Raises TooDeep.

    with_pictures: those of the open Internet are loaded, which tells their owner that the mail is being read.
    """
    if is_too_deep(html, MAX_DEPTH):
        raise TooDeep
    body = nh3.clean(
        html,
        tags=TAGS if with_pictures else TAGS - {"img"},
        attributes=ATTRIBUTES,
        url_schemes={"https", "http", "mailto"},
        link_rel="noopener noreferrer nofollow",
        filter_style_properties=STYLES,
        clean_content_tags={"head", "script", "style", "title"},
    )
    if len(body) > MAX_SAFE:
        raise TooDeep
    page = PAGE.format(body=body, note=SHOWN if with_pictures else HIDDEN)
    return page, POLICY + (PICTURES if with_pictures else "")
