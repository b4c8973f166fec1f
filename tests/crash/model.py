"""The model of the matrix: searches, then answers; it counts how often it was asked, also across its deaths."""

import asyncio
import json

from agent.models.base import Item, ModelReply, ModelRequest, ToolCall, ToolResult
from tests.crash.points import Case
from tests.crash.world import World

ANSWER = "Thank you for writing to us."
LONG_ANSWER = (ANSWER + " ") * 145
"""Three parts on every channel but the page."""
STEPS = 3


class CaseModel:
    """Asked about one case at a time."""

    name = "scripted"

    def __init__(self, world: World) -> None:
        self.world = world

    async def reply(self, request: ModelRequest) -> ModelReply:
        """The next step of the script. Raises RuntimeError as often as a case needs a turn that fails."""
        case = next(case for case in self.world.cases if is_about(case, request))
        asked_before = self.world.note(case, "asked")
        await asyncio.sleep(self.world.thinks)
        if asked_before < sum(hit.step == "release" for hit in case.hits):
            raise RuntimeError("a turn that fails")
        step = sum(isinstance(item, ToolResult) for item in request.items)
        return ModelReply(self.name, (play(step, ANSWER if case.parts == 1 else LONG_ANSWER),))


def is_about(case: Case, request: ModelRequest) -> bool:
    """Every customer says which case it is."""
    return any(line.text.endswith(f"({case.key})") for line in request.brief.burst)


def play(step: int, answer: str) -> Item:
    arguments: dict[str, object]
    if step == 0:
        name, arguments = "search_knowledge_base", {"query": "boards", "category": None}
    elif step == 1:
        name, arguments = "get_customer_history", {"scope": "open_tickets"}
    else:
        name = "send_response"
        arguments = {"body": answer, "citations": [], "kind": "acknowledgement", "resolves": False, "language": "en"}
    return ToolCall(f"call{step}", name, json.dumps(arguments))
