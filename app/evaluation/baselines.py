"""Two agents that everything must beat, through the same pipeline: whoever pastes, and whoever always hands over."""

import json
from dataclasses import dataclass
from typing import Any

from agent.models.base import ModelReply, ModelRequest, ToolCall, Usage
from agent.models.transcript import read_progress
from agent.phrases import say
from db.text import plain_text


@dataclass(frozen=True, slots=True)
class AlwaysHandOver:
    """Knows nothing and says so: every message goes to a person."""

    name: str = "always hand over"

    async def reply(self, request: ModelRequest) -> ModelReply:
        return answer(self.name, request, "escalate_to_human", hand_over(request))


@dataclass(frozen=True, slots=True)
class PasteTopPassage:
    """Searches for the customer's words and sends what comes first; where that is refused, a person."""

    name: str = "paste the top passage"

    async def reply(self, request: ModelRequest) -> ModelReply:
        progress, brief = read_progress(request.items), request.brief
        searches = progress.list_searches()
        if not searches:
            query = {"query": (brief.words.strip() or brief.subject or "-")[:2000], "category": None}
            return answer(self.name, request, "search_knowledge_base", query)
        if not searches[-1].results or progress.list_errors("send_response"):
            return answer(self.name, request, "escalate_to_human", hand_over(request))
        top = searches[-1].results[0]
        body = plain_text(top.text)[: brief.limits.max_chars]
        language = brief.assessment.language
        reply = {"body": body, "citations": [top.citation], "kind": "answer", "resolves": False, "language": language}
        return answer(self.name, request, "send_response", reply)


def hand_over(request: ModelRequest) -> dict[str, Any]:
    found = request.brief.assessment
    return {
        "category": found.category,
        "reason_code": "no_answer",
        "priority": "normal",
        "handoff_note": "The agent does not know.",
        "customer_message": say("escalated", found.language),
    }


def answer(name: str, request: ModelRequest, tool: str, arguments: dict[str, Any]) -> ModelReply:
    call = ToolCall(f"c{len(request.items)}", tool, json.dumps(arguments, ensure_ascii=False))
    return ModelReply(name, (call,), Usage(0, 0))


BASELINES = (PasteTopPassage(), AlwaysHandOver())
