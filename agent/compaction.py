"""What was found so far in less room, for a model that cannot read all of it."""

import json
from collections.abc import Sequence
from dataclasses import replace

from agent.models.base import Item, Reasoning, ToolResult

KEPT_RESULTS, KEPT_CHARS = 2, 450


def shorten_results(items: Sequence[Item]) -> tuple[Item, ...]:
    """The items with the best results of each search, and their beginnings; without reasoning, which cannot be cut."""
    kept = (item for item in items if not isinstance(item, Reasoning))
    return tuple(shorten_result(item) if isinstance(item, ToolResult) else item for item in kept)


def shorten_result(item: ToolResult) -> ToolResult:
    """Still the JSON the tool gave; what is not a search is left as it is."""
    answer = json.loads(item.output)
    if not isinstance(answer.get("results"), list):
        return item
    results = [row | {"text": row["text"][:KEPT_CHARS]} for row in answer["results"][:KEPT_RESULTS]]
    return replace(item, output=json.dumps(answer | {"results": results}))
