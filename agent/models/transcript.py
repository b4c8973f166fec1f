"""What a turn's transcript says has been done so far, read by the offline model."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.models.base import Item, ToolCall, ToolResult


@dataclass(frozen=True, slots=True)
class Found:
    """One search result as the tool gave it."""

    citation: str
    title: str
    text: str
    score: float

    @property
    def heading(self) -> str:
        """Of its section; empty where the article begins."""
        first = self.text.partition("\n")[0]
        return first.removeprefix("## ") if first.startswith("## ") else ""


@dataclass(frozen=True, slots=True)
class Searched:
    """One search: what was asked, what came back, and how sure the tool is that the first result answers it."""

    query: str
    results: tuple[Found, ...]
    confidence: str


@dataclass(frozen=True, slots=True)
class Progress:
    """The calls of this turn, in order, each with its result; one without a result was not carried out."""

    calls: tuple[tuple[ToolCall, dict[str, Any]], ...]

    @property
    def step(self) -> int:
        return len(self.calls) + 1

    def list_results(self, name: str) -> list[dict[str, Any]]:
        return [result for call, result in self.calls if call.name == name]

    def list_errors(self, name: str) -> list[str]:
        """The codes of the errors this tool answered with."""
        return [str(r["error"].get("code", "")) for r in self.list_results(name) if isinstance(r.get("error"), dict)]

    def list_searches(self) -> list[Searched]:
        return [
            read_search(call, result)
            for call, result in self.calls
            if call.name == "search_knowledge_base" and "error" not in result
        ]


def read_progress(items: Sequence[Item]) -> Progress:
    """What the transcript's items say, whichever model made them."""
    outputs = {item.call_id: item.output for item in items if isinstance(item, ToolResult)}
    calls = [item for item in items if isinstance(item, ToolCall)]
    return Progress(tuple((call, read_object(outputs.get(call.id, ""))) for call in calls))


def read_object(text: str) -> dict[str, Any]:
    """The JSON object in `text`, an empty one where there is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def read_search(call: ToolCall, result: dict[str, Any]) -> Searched:
    rows = result.get("results")
    found = [
        Found(str(row["k"]), str(row.get("title", "")), str(row.get("text", "")), float(row.get("score") or 0))
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict) and row.get("k")
    ]
    query = str(read_object(call.arguments).get("query", ""))
    return Searched(query, tuple(found), str(result.get("confidence", "none")))
