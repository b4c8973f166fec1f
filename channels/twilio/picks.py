"""What a customer picked: a button, an entry of a list, the answers of a form."""

import json
from collections.abc import Iterator
from typing import Any

from channels.twilio.fields import Fields, clean_text

LABELS = ("ButtonText", "ListTitle", "ListDescription")
IDS = ("ButtonPayload", "ListId")
UNSAID = ("id", "type", "name", "flow_token")
"""Keys of InteractiveData that are ours or the vendor's, and nothing the customer said."""
MAX_DEPTH = 6
MAX_ANSWERS = 50


def is_tap(fields: Fields) -> bool:
    """Whether it was picked and not typed."""
    return any(fields.first(name) for name in (*LABELS, *IDS, "InteractiveData"))


def list_picked(fields: Fields) -> list[str]:
    """The labels as the customer saw them and the answers as they gave them; ids only where there is nothing else."""
    seen = [text for name in LABELS if (text := fields.text(name))]
    given = list(list_answers(load(fields.text("InteractiveData"))))[:MAX_ANSWERS]
    return [*seen, *given] or [text for name in IDS if (text := fields.text(name))]


def load(text: str) -> Any:
    """JSON, or the text itself where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def list_answers(content: Any, depth: int = 0) -> Iterator[str]:
    """Every text and number in it, in order. The answers of a form are JSON in a text of their own, response_json."""
    if depth > MAX_DEPTH or content is None:
        return
    if isinstance(content, dict):
        for key, value in content.items():
            if key not in UNSAID:
                yield from list_answers(load(value) if key == "response_json" else value, depth + 1)
    elif isinstance(content, list):
        for value in content:
            yield from list_answers(value, depth + 1)
    elif text := clean_text(str(content)):
        yield text
