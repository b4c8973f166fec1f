"""Whether a reader of an HTML mail sees a piece of text, as far as its own tags tell."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_STYLE = 4_000  # characters
NUMBER = re.compile(r"([+-]?(?:\d{1,9}(?:\.\d{1,9})?|\.\d{1,9}))\s*(px|pt|em|rem|%|ex|in|cm|mm|vw|vh)?")
IN_PIXELS = {"em": 16.0, "rem": 16.0, "pt": 1.33, "ex": 8.0, "in": 96.0, "cm": 38.0, "mm": 3.8}
FAR_AWAY = 500.0  # pixels
SMALLEST = 2.0  # pixels; what is not larger is a line of dust
WHITE = re.compile(r"#fff(?:fff(?:ff)?)?\b|white\b|rgba?\(\s*25[0-5]\s*[, ]\s*25[0-5]\s*[, ]\s*25[0-5]")
CLEAR = re.compile(r"transparent|rgba\([^)]*,\s*0?\.?0*\s*\)|#[0-9a-f]{6}00\b|#[0-9a-f]{3}0\b")


@dataclass(frozen=True, slots=True)
class Look:
    """How text inside an element looks."""

    is_hidden: bool = False
    """With all that is inside. What only small or white text hides, an element inside may show again."""
    size: float = 16.0
    """Pixels, roughly."""
    color: str = ""
    is_on_white: bool = True
    """False as soon as any background but white is named: then white text may well be read."""

    @property
    def is_readable(self) -> bool:
        """Whether text that stands directly in here is seen."""
        is_clear = bool(CLEAR.match(self.color)) or (self.is_on_white and bool(WHITE.match(self.color)))
        return self.size > SMALLEST and not is_clear


def read_style(style: str) -> dict[str, str]:
    """The declarations of a style attribute; the last one of a name counts."""
    pairs = (declaration.partition(":") for declaration in style[:MAX_STYLE].lower().split(";"))
    return {name.strip(): value.replace("!important", "").strip() for name, _, value in pairs}


def read_look(tag: str, attributes: Mapping[str, str], parent: Look) -> Look:
    """The look of an element inside `parent`."""
    if not attributes:
        return parent
    style = read_style(attributes.get("style", ""))
    color = style.get("color") or (attributes.get("color", "").lower() if tag == "font" else "") or parent.color
    background = style.get("background-color") or style.get("background") or attributes.get("bgcolor", "").lower()
    has_picture = "background" in attributes or "background-image" in style
    is_on_white = (bool(WHITE.match(background)) if background else parent.is_on_white) and not has_picture
    if background and CLEAR.match(background):
        is_on_white = parent.is_on_white and not has_picture
    is_hidden = "hidden" in attributes or is_undrawn(style) or is_squeezed(style)
    return Look(is_hidden, read_size(style, parent.size), color, is_on_white)


def is_undrawn(style: Mapping[str, str]) -> bool:
    """Said to be hidden."""
    return (
        style.get("display") == "none"
        or style.get("visibility") in ("hidden", "collapse")
        or style.get("mso-hide") == "all"
        or measure(style.get("opacity")) == 0
    )


def is_squeezed(style: Mapping[str, str]) -> bool:
    """Shown, yet in no room at all or too far away to be read."""
    is_cut = style.get("overflow") == "hidden"
    sides = (measure(style.get(name)) for name in ("height", "max-height", "width", "max-width"))
    if is_cut and any(side is not None and side <= 1 for side in sides):
        return True
    away = (measure(style.get(name)) for name in ("text-indent", "left", "top", "margin-left"))
    return any(side is not None and side <= -FAR_AWAY for side in away)


def read_size(style: Mapping[str, str], inherited: float) -> float:
    """The size of the letters, in pixels."""
    length = style.get("font-size") or find_font_size(style.get("font", ""))
    found = NUMBER.match(length or "")
    if not found:
        return inherited
    if found.group(2) in ("em", "%"):
        return inherited * float(found.group(1)) / (100 if found.group(2) == "%" else 1)
    return float(found.group(1)) * IN_PIXELS.get(found.group(2), 1.0)


def find_font_size(font: str) -> str | None:
    """The first length in the short form of a font; its weight is a bare number."""
    found = re.search(r"(?:^|\s)((?:\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})(?:px|pt|em|rem|%)|0)(?=[\s/]|$)", font)
    return found.group(1) if found else None


def measure(length: str | None) -> float | None:
    """A length in pixels, roughly; None for words and for parts of something else."""
    found = NUMBER.match(length or "")
    if not found or found.group(2) in ("%", "vw", "vh"):
        return None
    return float(found.group(1)) * IN_PIXELS.get(found.group(2), 1.0)
