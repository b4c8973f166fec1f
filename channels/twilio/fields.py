"""The fields of a form that Twilio posts."""

import re
from collections.abc import Iterable

from channels.base import InvalidSignature

UNSENDABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
MAX_LINE = 200  # characters


class Fields(dict[str, list[str]]):
    """A form with all its values, empty and repeated ones too: the signature covers them."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        super().__init__()
        for name, value in pairs:
            self.setdefault(name, []).append(value)

    def getlist(self, name: str) -> list[str]:
        """As RequestValidator asks for them."""
        return self[name]

    def first(self, name: str) -> str:
        """The first value of a field, empty when there is none."""
        return self[name][0] if name in self else ""

    def only(self, name: str) -> str:
        """The value of a field that says who or which one; InvalidSignature when it has several.

        What is signed has no delimiters between names and values, so a customer's text can be cut up into another
        From. The true one is still there then.
        """
        if len(self.get(name, ())) > 1:
            raise InvalidSignature("repeated")
        return self.first(name)

    def text(self, name: str) -> str:
        """A text of several lines, as it can be stored and shown."""
        return clean_text(self.first(name))

    def line(self, name: str, length: int = MAX_LINE) -> str:
        """A text made one line of at most `length` characters."""
        return UNSEEN.sub(" ", self.first(name)).strip()[:length]


def clean_text(text: str) -> str:
    """A text without what cannot be stored or shown."""
    return UNSENDABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
