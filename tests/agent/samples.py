"""A turn to ask models about, and the replies of both wires, shared by the tests of the models."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx2
import openai

from agent.brief import Assessment, Author, Brief, ChannelLimits, Line, Sentiment
from agent.models.base import Item, ModelRequest, Text
from agent.models.openai import OpenAIModel, Wire
from agent.tool_schemas import TOOLS

WIRES: tuple[Wire, Wire] = ("responses", "chat")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ASSESSMENT = Assessment(
    language="en",
    category="billing",
    category_margin=0.3,
    priority=5,
    priority_why="plain question",
    sentiment=Sentiment(-0.2, "neutral"),
    trend="steady",
)


def line(ref: str, text: str, author: Author = "customer") -> Line:
    return Line(ref, author, text, NOON)


BRIEF = Brief(
    company="Acme",
    limits=ChannelLimits("whatsapp", 1600, 300),
    today=date(2026, 11, 21),
    customer_name="Ann Lee",
    plan="pro",
    trust=3,
    subject="",
    summary="",
    history=(),
    burst=(line("m1", "How do I export?"),),
    open_ticket=None,
    assessment=ASSESSMENT,
)


def ask(*items: Item, seconds: float = 5, must_call_tool: bool = False) -> ModelRequest:
    """A request whose transcript is `items`, or one question where there are none."""
    transcript = items or (Text("user", "How do I export?"),)
    timeout = timedelta(seconds=seconds)
    return ModelRequest(
        instructions="Be kind.",
        items=transcript,
        tools=TOOLS,
        brief=BRIEF,
        timeout=timeout,
        must_call_tool=must_call_tool,
    )


@dataclass
class Server:
    """Answers each request with the next of `answers`, the last one again and again; keeps what it was sent."""

    answers: tuple[Callable[[httpx2.Request], httpx2.Response], ...]
    seen: list[httpx2.Request] = field(default_factory=list)

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        return self.answers[min(len(self.seen), len(self.answers)) - 1](request)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.seen]


def serve(wire: Wire, *answers: httpx2.Response | Exception) -> tuple[OpenAIModel, Server]:
    """A model whose server gives `answers` in turn."""
    server = Server(tuple(play(answer) for answer in answers))
    http_client = httpx2.AsyncClient(transport=httpx2.MockTransport(server.answer))
    client = openai.AsyncOpenAI(api_key="key", base_url="http://model.test/v1", http_client=http_client)
    return OpenAIModel(client, "gpt-test", wire), server


def play(answer: httpx2.Response | Exception) -> Callable[[httpx2.Request], httpx2.Response]:
    def respond(request: httpx2.Request) -> httpx2.Response:
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)

    return respond


def said(wire: Wire, text: str = "Hello.", usage: dict[str, Any] | None = None) -> httpx2.Response:
    """A 200 in which the model says `text` and calls no tool."""
    if wire == "chat":
        return chat_reply({"content": text}, usage=usage)
    return responses_reply([{"type": "message", "content": [{"type": "output_text", "text": text}]}], usage=usage)


def called(wire: Wire, *calls: tuple[object, str, object]) -> httpx2.Response:
    """A 200 in which the model calls tools: (id, name, arguments) each."""
    if wire == "chat":
        functions = [{"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in calls]
        return chat_reply({"content": None, "tool_calls": functions}, finish_reason="tool_calls")
    return responses_reply(
        [{"type": "function_call", "id": f"fc_{i}", "call_id": i, "name": n, "arguments": a} for i, n, a in calls]
    )


def chat_reply(message: dict[str, Any], finish_reason: str = "stop", **fields: object) -> httpx2.Response:
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", **message}}
    return give({"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], **fields})


def responses_reply(output: list[dict[str, Any]], status: str = "completed", **fields: object) -> httpx2.Response:
    return give({"id": "resp_1", "status": status, "error": None, "output": output, **fields})


def give(body: dict[str, Any]) -> httpx2.Response:
    return httpx2.Response(200, headers={"content-type": "application/json"}, content=json.dumps(body))


def refuse(status: int, wait: dict[str, str] | None = None, /, **error: str) -> httpx2.Response:
    """A failure of the provider: `error` is its error object, `wait` the headers beside it."""
    return httpx2.Response(status, headers=wait, json={"error": error})
