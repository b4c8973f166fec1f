"""Texts of a turn as somebody else may read them: placeholders for private values, nobody's name."""

import json
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from agent.privacy import ALWAYS, CONTACTS, GENUINE, Placeholders

NAME = "<NAME>"
NAME_PART = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:?\d\d)?)?")
ANY_CASE_CHARS = 3
"""Parts of a name that are shorter are looked for as they are written: "An" is a name, "an" is not."""
LETTER = "A-Za-zÀ-ӿ"
OURS = frozenset((
    "kind", "response_kind", "status", "channel", "author", "ref", "k", "slug", "url", "unread",
    "plan", "language", "category", "priority", "reason", "reason_code", "scope", "message_ref", "confidence", "code",
    "trend", "label", "team", "at", "today", "updated", "due", "due_at", "when", "opened", "expected_first_reply",
    "reference", "open_ticket", "company",
))  # fmt: skip
"""Fields whose values are words of ours, numbers or days: a word that is also somebody's name stays there."""


class Redaction:
    """Replaces the same value by the same placeholder all over a turn. names: of people who must not be named."""

    def __init__(self, conversation: str, names: Iterable[str]) -> None:
        self.placeholders = Placeholders(conversation, ALWAYS | CONTACTS)
        self.names = compile_names(names)

    def hide_text(self, text: str) -> str:
        hidden = self.hide_values(text)
        return self.names.sub(lambda match: match[0] if match["kept"] else NAME, hidden) if self.names else hidden

    def hide_values(self, text: str) -> str:
        """Whatever names are in it; a time stays, which may look like somebody's number."""
        return text if TIME.fullmatch(text) else self.placeholders.hide(text)

    def hide_json(self, text: str) -> str:
        """JSON with every text of it hidden; what is no JSON is hidden as the text it is."""
        try:
            return json.dumps(self.hide(json.loads(text)), ensure_ascii=False)
        except (ValueError, RecursionError):
            return self.hide_text(text)

    def hide(self, value: Any) -> Any:
        """Every text in lists and objects hidden; in the fields that are OURS, and in their names, only values."""
        if isinstance(value, dict):
            return {self.hide_values(name): self.hide_field(name, inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.hide(inner) for inner in value]
        if isinstance(value, int) and not isinstance(value, bool):
            hidden = self.hide_text(str(value))
            return value if hidden == str(value) else hidden
        return self.hide_text(value) if isinstance(value, str) else value

    def hide_field(self, name: str, value: Any) -> Any:
        return self.hide_values(value) if name in OURS and isinstance(value, str) else self.hide(value)


def compile_names(names: Iterable[str]) -> re.Pattern[str] | None:
    """What finds the whole names and each of their parts, and steps over the placeholders; None for no names."""
    whole = {" ".join(name.split()) for name in names if "@" not in name}
    parts = {part for name in whole for part in NAME_PART.findall(name)}
    spelled = {*map(any_spelling, whole), *map(spell_part, parts)} - {""}
    found = sorted(spelled, key=lambda one: (-len(one), one))
    if not found:
        return None
    either = "|".join(found)
    return re.compile(rf"(?P<kept>{GENUINE.pattern})|(?<![{LETTER}])(?:{either})(?![{LETTER}])")


def spell_part(part: str) -> str:
    if len(part) >= ANY_CASE_CHARS or not part.isascii():
        return any_spelling(part)
    return re.escape(part) if len(part) > 1 and part[0].isupper() else ""


def any_spelling(name: str) -> str:
    """The name in any case, with and without its accents, whatever blanks are between its parts."""
    return "".join(map(spell_letter, unicodedata.normalize("NFC", name)))


def spell_letter(letter: str) -> str:
    if not letter.isalpha():
        return r"\s+" if letter == " " else re.escape(letter)
    plain = unicodedata.normalize("NFD", letter)[0]
    spellings = {one for known in (letter, plain) for one in (known.lower(), known.upper()) if len(one) == 1}
    return f"[{''.join(sorted(spellings))}]"
