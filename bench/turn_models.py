"""What the models of the turn bench say: search, look at the open tickets, greet. Three steps, the same every time."""

import asyncio
import json
from typing import Any

from agent.models.base import ModelReply, ModelRequest, ToolCall, ToolResult

SCRIPT: list[tuple[str, dict[str, Any]]] = [
    ("search_knowledge_base", {"query": "export a board", "category": None}),
    ("get_customer_history", {"scope": "open_tickets"}),
    (
        "send_response",
        {
            "body": "Thank you for writing.",
            "citations": [],
            "kind": "acknowledgement",
            "resolves": False,
            "language": "en",
        },
    ),
]
"""One tool call per step, chosen by how many results of its own calls the request already holds."""
CALL_IDS = [f"c{step}" for step in range(len(SCRIPT))]


class ScriptModel:
    """Plays the script inside the process that asks, each step after `seconds`; 0 answers at once."""

    name = "script"

    def __init__(self, seconds: float = 0) -> None:
        self.seconds = seconds

    async def reply(self, request: ModelRequest) -> ModelReply:
        done = sum(isinstance(item, ToolResult) and item.call_id in CALL_IDS for item in request.items)
        name, arguments = SCRIPT[done]
        if self.seconds:
            await asyncio.sleep(self.seconds)
        return ModelReply(self.name, (ToolCall(CALL_IDS[done], name, json.dumps(arguments)),))


def write_completion(step: int) -> bytes:
    """The same step as a body of Chat Completions, with the fields a provider sends."""
    name, arguments = SCRIPT[step]
    call = {"id": CALL_IDS[step], "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    choice = {
        "index": 0,
        "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None, "annotations": []},
        "logprobs": None,
    }
    usage = {"prompt_tokens": 2400, "completion_tokens": 40, "total_tokens": 2440}
    body = {"id": "chatcmpl-bench", "object": "chat.completion", "created": 1, "model": "script", "choices": [choice]}
    return json.dumps(body | {"usage": usage}).encode()
