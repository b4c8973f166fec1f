"""One turn of the offline model with canned searches and real checks, for its tests."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from agent import tool_arguments
from agent.assess import Assessor
from agent.brief import Author, Brief, ChannelLimits, Line
from agent.grounding import Evidence, Problem, ReplyDraft, check_reply
from agent.models.base import ModelRequest, Text, ToolCall, ToolResult
from agent.models.offline import OfflineModel
from agent.tool_schemas import TOOLS
from app.front_matter import parse_article
from tests.shipped import load_classifier

ASSESSOR = Assessor(load_classifier())
SAMPLE_COMPANY = Path(__file__).parents[2] / "app" / "sample_company"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ARGUMENTS: dict[str, type[tool_arguments.Arguments]] = {
    "search_knowledge_base": tool_arguments.Search,
    "get_customer_history": tool_arguments.History,
    "escalate_to_human": tool_arguments.Handover,
    "send_response": tool_arguments.Reply,
}
EXPORT = """You can export up to 20 projects at once.

1. Open **Settings > Export**.
2. Tick the projects and choose CSV.
3. Choose **Start export**.

The file is ready within 15 minutes. See [our page](https://other.example/x) for formats.

Attachments are not part of an export; the file holds their names and links."""
TITLES = {
    "Export projects": EXPORT,
    "Import tasks": "Drop a CSV file on the board.",
    "Webhooks": "We try for 24 hours.",
}


def search_result(confidence: str, *titles: str, scores: Sequence[float] = (0.9, 0.5, 0.4)) -> dict[str, Any]:
    rows = [
        {"k": f"K{at}", "title": title, "text": TITLES[title], "updated": "2026-10-02", "score": scores[at - 1]}
        for at, title in enumerate(titles, start=1)
    ]
    return {"results": rows, "confidence": confidence}


def sample_result(slug: str) -> dict[str, Any]:
    """What a sure search gives of one sample article: all its passages, about as near as each other."""
    article = parse_article((SAMPLE_COMPANY / f"{slug}.md").read_text(encoding="utf-8"), slug)
    texts = [f"## {p.heading}\n\n{p.text}" if p.heading else p.text for p in article.passages]
    rows = [
        {"k": f"K{at}", "title": article.title, "text": text, "updated": "2026-10-02", "score": 0.9}
        for at, text in enumerate(reversed(texts), start=1)
    ]
    return {"results": rows, "confidence": "high"}


def make_brief(
    *burst: str, history: Sequence[tuple[Author, str]] = (), language: str | None = None, ticket: str | None = None
) -> Brief:
    earlier = tuple(Line(f"m{at}", author, text, NOON) for at, (author, text) in enumerate(history, start=1))
    previous = [text for author, text in history if author == "customer"]
    return Brief(
        company="Tidefern",
        limits=ChannelLimits("whatsapp", 1600, 300),
        today=date(2026, 11, 21),
        customer_name="Ann",
        plan="pro",
        trust=3,
        subject="",
        summary="",
        history=earlier,
        burst=tuple(Line(f"m{at}", "customer", text, NOON) for at, text in enumerate(burst, start=len(earlier) + 1)),
        open_ticket=ticket,
        assessment=ASSESSOR.assess(burst, previous=previous, language=language, category_hint=None),
    )


@dataclass
class Desk:
    """Plays the tools of one turn: canned searches, real checks of arguments and of replies."""

    brief: Brief
    searches: list[dict[str, Any]] = field(default_factory=list)
    tickets: list[dict[str, Any]] = field(default_factory=list)
    refuse: list[str] = field(default_factory=list)
    """Codes with which the first replies are refused, whatever they say."""
    tools: tuple[str, ...] = tuple(tool.name for tool in TOOLS)
    calls: list[ToolCall] = field(default_factory=list)
    problems: tuple[Problem, ...] = ()

    async def run(self) -> dict[str, Any]:
        """The arguments of the call that ended the turn."""
        model, items = OfflineModel(), [Text("user", "the transcript")]
        passages: dict[str, str] = {}
        told: list[str] = []
        for _ in range(6):
            tools = tuple(tool for tool in TOOLS if tool.name in self.tools)
            request = ModelRequest(
                instructions="", items=tuple(items), tools=tools, brief=self.brief, timeout=timedelta(seconds=5)
            )
            [call] = (await model.reply(request)).items
            assert isinstance(call, ToolCall)
            assert call.name in self.tools
            arguments = ARGUMENTS[call.name].model_validate_json(call.arguments).model_dump()
            self.calls.append(call)
            output = self.answer(call, arguments, passages, told)
            if output is None:
                return arguments
            items += [call, ToolResult(call.id, json.dumps(output))]  # type: ignore[list-item]
        raise AssertionError("the turn did not end")

    def answer(
        self, call: ToolCall, arguments: dict[str, Any], passages: dict[str, str], told: list[str]
    ) -> dict[str, Any] | None:
        if call.name == "search_knowledge_base":
            found = self.searches.pop(0) if self.searches else search_result("none")
            passages.update({row["k"]: f"{row['title']}\n{row['text']}" for row in found.get("results", ())})
            return found
        if call.name == "get_customer_history":
            told.append(json.dumps(self.tickets))
            return {"identity": "verified", "tickets": self.tickets}
        if call.name == "escalate_to_human":
            return None
        if self.refuse:
            return {"error": {"code": self.refuse.pop(0), "message": "no", "retry": True, "hint": ""}}
        self.problems = self.check(arguments, passages, told)
        return None

    def check(self, arguments: dict[str, Any], passages: dict[str, str], told: list[str]) -> tuple[Problem, ...]:
        evidence = Evidence(
            passages,
            (*(line.text for line in (*self.brief.history, *self.brief.burst)), *told),
            frozenset(call.name for call in self.calls if call.name != "send_response"),
            self.brief.company,
            ("other.example", "tidefern.example"),
            self.brief.limits.max_chars,
            self.brief.assessment.language,
        )
        draft = ReplyDraft(arguments["body"], tuple(arguments["citations"]), arguments["kind"], arguments["language"])
        return check_reply(draft, evidence)

    @property
    def names(self) -> list[str]:
        return [call.name for call in self.calls]
