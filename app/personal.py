"""What a text seems to give away of a customer, for whoever is about to publish it."""

import re
from collections.abc import Iterable

EMAIL = re.compile(r"[^\s@<>()\[\],;:]+@[^\s@<>()\[\],;:]+\.[^\s@<>()\[\],;:.]+")
NUMBER = re.compile(r"(?<![\w.])\+?\d(?:[\s().\-/]{0,2}\d){3,}(?!\w)|\b[A-Za-z]{1,6}[-#]?\d(?:-?[0-9A-Za-z]){4,}\b")
"""Four digits and more, however they are parted, or letters with a number: a telephone, an order, a ticket."""
MIN_NAME = 3  # letters; shorter words of a name stand in every other sentence


def find_personal(text: str, names: str = "", addresses: Iterable[str] = ()) -> list[str]:
    """What to look at before this is kept, each in words; empty when nothing stands out. What it does not know (a
    street, somebody else's name) it does not find."""
    found = [f"an e-mail address, {address}" for address in EMAIL.findall(text)]
    rest = EMAIL.sub(" ", text)
    found += [f"a number, {' '.join(number.split())}" for number in NUMBER.findall(rest)]
    words = {word.casefold() for word in re.findall(r"\w+", rest)}
    parts = [
        *re.findall(r"\w+", names),
        *(part for one in addresses for part in re.findall(r"[^\W\d_]+", one.split("@")[0])),
    ]
    known = dict.fromkeys(part for part in parts if len(part) >= MIN_NAME and part.casefold() in words)
    found += [f"the customer's name, {part}" for part in dict.fromkeys(part.casefold() for part in known)]
    return list(dict.fromkeys(found))
