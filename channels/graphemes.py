"""Where a text may be cut without breaking what a reader sees as one character."""

from unicodedata import category, combining

ZWJ = "\u200d"
VIRAMA = 9  # the combining class of signs that join two consonants
SPACING = "\u0e33\u0eb3"  # Thai and Lao am: letters by category, marks by behaviour
PREPENDED = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2"


def is_boundary(text: str, index: int) -> bool:
    """Whether nothing that belongs together lies on both sides of `index`.

    Errs on the side of no: a cut it allows is one of Unicode's extended grapheme boundaries (UAX 29).
    """
    if index <= 0 or index >= len(text):
        return True
    before, after = text[index - 1], text[index]
    if before < "\u0300" and after < "\u0300":
        return not (before == "\r" and after == "\n")
    if extends(after) or before == ZWJ or before in PREPENDED or joins(before, after):
        return False
    if is_flag_half(before) and is_flag_half(after):
        return count_flag_halves(text, index) % 2 == 0
    return not is_one_syllable(before, after)


def extends(letter: str) -> bool:
    """Whether a character belongs to the one before it: marks, selectors, skin tones, tags."""
    return (
        category(letter) in ("Mn", "Me", "Mc")
        or letter in ("\u200c", ZWJ)
        or letter in SPACING
        or "\U0001f3fb" <= letter <= "\U0001f3ff"
        or "\U000e0020" <= letter <= "\U000e007f"
    )


def joins(before: str, after: str) -> bool:
    return combining(before) == VIRAMA and category(after) == "Lo"


def is_flag_half(letter: str) -> bool:
    return "\U0001f1e6" <= letter <= "\U0001f1ff"


def count_flag_halves(text: str, index: int) -> int:
    start = index
    while start > 0 and is_flag_half(text[start - 1]):
        start -= 1
    return index - start


def is_one_syllable(before: str, after: str) -> bool:
    """Hangul written in its letters."""
    if "\u1160" <= after <= "\u11ff" or "\ud7b0" <= after <= "\ud7fb":
        return True
    leads = "\u1100" <= before <= "\u115f" or "\ua960" <= before <= "\ua97c"
    return leads and ("\u1100" <= after <= "\u115f" or "\ua960" <= after <= "\ua97c" or "\uac00" <= after <= "\ud7a3")
