"""What is nobody else's business, as placeholders: before a text goes to a model behind a network, and back after it.

Cards, accounts, secrets and national ids, and by setting addresses and telephone numbers, become `<CARD_4821>`,
`<EMAIL_0017>` and the like. The number comes from a hash of the conversation, the kind and the value, so the same value
has the same placeholder in every turn of a conversation, in no other, and nothing needs to be stored.

What comes back is put in its place again, except cards and secrets: nobody needs them repeated, and a reply may be read
by others. Whatever only resembles a placeholder fails: a model that changes one may have changed whose data it is.
"""

import hashlib
import re
from collections.abc import Callable, Collection

from agent.privacy_kinds import Found, find_private
from agent.privacy_rules import ALWAYS, CONTACTS, Kind
from db.errors import DeskError

__all__ = ["ALWAYS", "CONTACTS", "AlteredPlaceholder", "Kind", "Placeholders", "blank_out", "choose_kinds"]

NUMBERS = 10_000
PASSES = 3
"""What stood beside a value may be one itself once that is gone; more than once so is contrived."""
CARD_DIGITS_SHOWN = 4

KINDS = "CARD|IBAN|SECRET|NATIONALID|EMAIL|PHONE"
GENUINE = re.compile(rf"<(?:{KINDS})_[0-9]{{4,6}}>")
RESEMBLING = re.compile(
    # a name of ours after a bracket, in any case, with anything between it and the number, closed or not
    rf"(?:[<＜﹤‹«]|&lt;)[\s\\]{{0,3}}(?:{KINDS})(?:[\s_\\-]{{0,6}}\d{{1,12}}|[\s\\]{{0,3}}_(?![^\W\d_]))"
    r"[\s\\]{0,3}(?:[>＞﹥›»]|&gt;)?"
    # the same without its bracket, then a name that is none of ours
    rf"|(?<![A-Za-z])(?:{KINDS})\\?_\d{{3,12}}(?:[>＞﹥›»]|&gt;)?"
    r"|(?-i:<[A-Z]{2,12}_\d{1,6}>)",
    re.IGNORECASE,
)
NOT_A_WORD = re.compile(r"(?:&[lg]t;|[\W_])+")


class AlteredPlaceholder(DeskError):
    """A model's text holds a placeholder that was never given to it, or not as it was given."""


def choose_kinds(*, hide_contacts: bool) -> frozenset[Kind]:
    """What is hidden, with or without e-mail addresses and telephone numbers."""
    return ALWAYS | CONTACTS if hide_contacts else ALWAYS


class Placeholders:
    """The placeholders of one request. conversation: names the conversation, e.g. its id; it never leaves."""

    def __init__(self, conversation: str, kinds: frozenset[Kind]) -> None:
        self.conversation = conversation
        self.kinds = kinds
        self.given: dict[tuple[Kind, str], str] = {}
        self.shown: dict[str, str] = {}

    def hide(self, text: str) -> str:
        """The text with a placeholder for each private value, and with nothing else in it that could be taken for one.

        For a text from outside only, never for one that was hidden already: the placeholders in it would be disarmed.
        """
        text = RESEMBLING.sub(disarm, text)
        for _ in range(PASSES):
            found = find_private(text, self.kinds)
            if not found:
                break
            text = replace_found(text, found, self.choose_placeholder)
        return text

    def choose_placeholder(self, found: Found, written: str) -> str:
        key = (found.kind, found.normal)
        if key not in self.given:
            placeholder = f"<{found.kind}_{self.choose_number(key):04}>"
            self.given[key] = placeholder
            self.shown[placeholder] = describe_shown(found, written)
        return self.given[key]

    def choose_number(self, key: tuple[Kind, str]) -> int:
        """The first free number from the one that the value's hash names."""
        digest = hashlib.sha256("\x00".join((self.conversation, *key)).encode("utf-8", "replace")).digest()
        first = int.from_bytes(digest[:8], "big")
        for step in range(NUMBERS):
            number = (first + step) % NUMBERS
            if f"<{key[0]}_{number:04}>" not in self.shown:
                return number
        return NUMBERS + len(self.given)

    def show(self, text: str) -> str:
        """The text with each value in its place again. Raises AlteredPlaceholder, without the text."""
        return RESEMBLING.sub(self.find_shown, text)

    def find_shown(self, match: re.Match[str]) -> str:
        shown = self.shown.get(match[0])
        if shown is None:
            raise AlteredPlaceholder("a placeholder came back that was not given")
        return shown


def describe_shown(found: Found, written: str) -> str:
    """What stands for a value in a text that comes back, in any language."""
    if found.kind == "CARD":
        return f"**** {found.normal[-CARD_DIGITS_SHOWN:]}"
    return "[...]" if found.kind == "SECRET" else written


def disarm(match: re.Match[str]) -> str:
    """What only looks like a placeholder, in a form that no longer does."""
    return f"({NOT_A_WORD.sub(' ', match[0]).strip()})"


def blank_out(text: str, kinds: frozenset[Kind]) -> str:
    """The text with only the kind of each private value, for what nobody has to put back."""
    for _ in range(PASSES):
        found = find_private(text, kinds)
        if not found:
            break
        text = replace_found(text, found, lambda one, _: f"<{one.kind}>")
    return text


def replace_found(text: str, found: Collection[Found], choose: Callable[[Found, str], str]) -> str:
    parts: list[str] = []
    at = 0
    for one in found:
        parts += [text[at : one.start], choose(one, text[one.start : one.end])]
        at = one.end
    return "".join([*parts, text[at:]])
