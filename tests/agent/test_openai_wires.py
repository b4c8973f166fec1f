"""What is sent and what is read, on both wires."""

import json
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from agent.models.base import ModelRequest, Reasoning, Text, ToolCall, ToolResult, Usage
from agent.models.openai import ModelEndpoint, OpenAIModel, Wire, choose_wire, open_openai_model
from agent.tool_schemas import TOOLS
from tests.agent.samples import WIRES, ask, called, chat_reply, responses_reply, said, serve

both = pytest.mark.parametrize("wire", WIRES)
QUESTION = Text("user", "How do I export?")
STEP = (
    ToolCall("a", "search_knowledge_base", '{"query":"export","category":null}'),
    ToolCall("b", "analyze_sentiment", '{"message_ref":null}'),
    ToolResult("a", '{"results":[]}'),
    ToolResult("b", '{"score":0}'),
)


async def send(wire: Wire, request: ModelRequest) -> dict[str, object]:
    model, server = serve(wire, said(wire))
    await model.reply(request)
    return server.bodies[0]


@both
async def test_text_without_a_call_is_a_text_item(wire: Wire) -> None:
    model, _ = serve(wire, said(wire, "Hello."))
    reply = await model.reply(ask())
    assert reply.items == (Text("assistant", "Hello."),)
    assert reply.model == model.name == "gpt-test"


@both
async def test_several_calls_keep_their_order_and_their_arguments_as_written(wire: Wire) -> None:
    calls = (ToolCall("x", "search_knowledge_base", '{"query": "a"'), ToolCall("y", "send_response", "{}"))
    model, _ = serve(wire, called(wire, *((call.id, call.name, call.arguments) for call in calls)))
    assert (await model.reply(ask())).items == calls


@both
async def test_arguments_that_come_as_an_object_become_json_text(wire: Wire) -> None:
    model, _ = serve(wire, called(wire, ("x", "send_response", {"body": "é"}), ("y", "analyze_sentiment", None)))
    reply = await model.reply(ask())
    assert [call.arguments for call in reply.items if isinstance(call, ToolCall)] == ['{"body": "é"}', "{}"]


@both
async def test_unusable_and_repeated_call_ids_are_replaced_the_same_way_each_time(wire: Wire) -> None:
    offered = ("", None, "a", "c", "c", "z" * 65)
    model, _ = serve(wire, called(wire, *((call_id, "t", "{}") for call_id in offered)))
    first, second = [(await model.reply(ask(QUESTION, *STEP))).items for _ in range(2)]
    ids = [call.id for call in first if isinstance(call, ToolCall)]
    assert first == second
    assert ids == ["call_5_1", "call_5_2", "call_5_3", "c", "call_5_5", "call_5_6"]


@both
async def test_a_tool_name_no_provider_would_take_back_is_mended(wire: Wire) -> None:
    model, _ = serve(wire, called(wire, ("x", "send response!", "{}"), ("y", "", "{}")))
    reply = await model.reply(ask())
    assert [call.name for call in reply.items if isinstance(call, ToolCall)] == ["send_response_", "unnamed"]


@both
async def test_half_a_surrogate_pair_does_not_reach_the_transcript(wire: Wire) -> None:
    model, _ = serve(wire, said(wire, "a\ud83db\x00c"))
    assert (await model.reply(ask())).items == (Text("assistant", "a?bc"),)


async def test_chat_text_in_parts_is_joined_and_an_unknown_finish_reason_is_ignored() -> None:
    parts = [{"type": "text", "text": "Hel"}, {"type": "thinking", "text": "hm"}, {"type": "text", "text": "lo"}]
    model, _ = serve("chat", chat_reply({"content": parts}, finish_reason="eos"))
    assert (await model.reply(ask())).items == (Text("assistant", "Hello"),)


@both
async def test_usage_is_counted_and_kept_raw(wire: Wire) -> None:
    names = ("input", "output") if wire == "responses" else ("prompt", "completion")
    raw = {f"{names[0]}_tokens": 1200, f"{names[1]}_tokens": 30, f"{names[0]}_tokens_details": {"cached_tokens": 1024}}
    model, _ = serve(wire, said(wire, usage=raw))
    reply = await model.reply(ask())
    assert reply.usage == Usage(1200, 30, 1024, raw)


@both
async def test_missing_usage_is_none(wire: Wire) -> None:
    model, _ = serve(wire, said(wire))
    assert (await model.reply(ask())).usage is None


@both
async def test_request_id_comes_from_the_header_or_the_body(wire: Wire) -> None:
    named = httpx2.Response(200, headers={"x-request-id": "req_9"}, content=said(wire).content)
    model, _ = serve(wire, named, said(wire))
    assert (await model.reply(ask())).request_id == "req_9"
    assert (await model.reply(ask())).request_id == ("resp_1" if wire == "responses" else "chatcmpl-1")


async def test_responses_request_stores_nothing_and_asks_for_encrypted_reasoning() -> None:
    body = await send("responses", ask(must_call_tool=True))
    tools = body.pop("tools")
    assert body == {
        "model": "gpt-test",
        "instructions": "Be kind.",
        "parallel_tool_calls": False,
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "max_output_tokens": 4096,
        "tool_choice": "required",
        "input": [{"type": "message", "role": "user", "content": "How do I export?"}],
    }
    assert isinstance(tools, list)
    assert tools[0] == {
        "type": "function",
        "name": TOOLS[0].name,
        "description": TOOLS[0].description,
        "parameters": TOOLS[0].parameters,
        "strict": True,
    }


async def test_chat_request_carries_no_temperature_and_no_choice_unless_asked() -> None:
    body = await send("chat", ask())
    tools = body.pop("tools")
    assert body == {
        "model": "gpt-test",
        "parallel_tool_calls": False,
        "max_completion_tokens": 4096,
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "How do I export?"}],
    }
    assert isinstance(tools, list)
    assert tools[0]["function"]["strict"] is True
    assert (await send("chat", ask(must_call_tool=True)))["tool_choice"] == "required"


@both
async def test_a_request_without_tools_says_nothing_about_tools(wire: Wire) -> None:
    bare = ask()
    body = await send(wire, replace(bare, tools=(), must_call_tool=True))
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & body.keys()


@both
async def test_static_prefix_is_the_same_bytes_whatever_the_transcript(wire: Wire) -> None:
    model, server = serve(wire, said(wire))
    await model.reply(ask(Text("user", "One."), *STEP))
    await model.reply(ask(Text("user", "Another altogether."), must_call_tool=True))
    first, second = (request.content for request in server.seen)
    common = next(place for place, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
    assert b"Be kind." in first[:common]
    assert all(json.dumps(tool.description).encode() in first[:common] for tool in TOOLS)


async def test_reasoning_returns_only_to_the_model_that_made_it_and_without_ids() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}]}
    output: list[dict[str, Any]] = [
        {**thought, "encrypted_content": "sealed"},
        {"type": "function_call", "id": "fc_1", "call_id": "x", "name": "analyze_sentiment", "arguments": "{}"},
    ]
    model, server = serve("responses", responses_reply(output), said("responses"))
    made = (await model.reply(ask())).items
    foreign = Reasoning("elsewhere.test/gpt-test", {"encrypted_content": "not ours"})
    await model.reply(ask(QUESTION, *made, ToolResult("x", "{}"), foreign))
    sent = server.bodies[1]["input"]
    assert sent[1] == {"type": "reasoning", "summary": [], "encrypted_content": "sealed"}
    assert [item["type"] for item in sent] == ["message", "reasoning", "function_call", "function_call_output"]
    assert not any("id" in item for item in sent)


async def test_responses_transcript_keeps_the_order_of_the_items() -> None:
    body = await send("responses", ask(QUESTION, Text("assistant", "Let me look."), *STEP))
    assert body["input"] == [
        {"type": "message", "role": "user", "content": "How do I export?"},
        {"type": "message", "role": "assistant", "content": "Let me look."},
        {"type": "function_call", "call_id": "a", "name": STEP[0].name, "arguments": STEP[0].arguments},
        {"type": "function_call", "call_id": "b", "name": STEP[1].name, "arguments": STEP[1].arguments},
        {"type": "function_call_output", "call_id": "a", "output": '{"results":[]}'},
        {"type": "function_call_output", "call_id": "b", "output": '{"score":0}'},
    ]


async def test_chat_transcript_joins_text_and_calls_of_a_step_and_drops_reasoning() -> None:
    body = await send("chat", ask(QUESTION, Reasoning("m", {}), Text("assistant", "Let me look."), *STEP))
    messages = body["messages"]
    assert isinstance(messages, list)
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "tool"]
    assert messages[2]["content"] == "Let me look."
    assert [call["id"] for call in messages[2]["tool_calls"]] == ["a", "b"]
    assert messages[3] == {"role": "tool", "tool_call_id": "a", "content": '{"results":[]}'}


@both
@pytest.mark.parametrize("length", range(1, 7))
async def test_every_prefix_of_a_transcript_gives_each_call_exactly_one_output(wire: Wire, length: int) -> None:
    whole = (QUESTION, *STEP[:3], ToolResult("a", "twice"), ToolResult("gone", "{}"), Text("user", "And?"))
    body = await send(wire, ask(*whole[:length]))
    sent = body["input"] if wire == "responses" else body["messages"]
    assert isinstance(sent, list)
    calls = [item["call_id"] for item in sent if item.get("type") == "function_call"]
    calls += [call["id"] for message in sent for call in message.get("tool_calls", ())]
    outputs = [item["call_id"] for item in sent if item.get("type") == "function_call_output"]
    outputs += [message["tool_call_id"] for message in sent if message.get("role") == "tool"]
    assert outputs == calls == ["a", "b"][: max(length - 1, 0)]


@both
async def test_arguments_that_are_no_json_object_are_sent_back_as_one(wire: Wire) -> None:
    body = await send(wire, ask(QUESTION, ToolCall("a", "send_response", '{"body": "cut'), ToolResult("a", "{}")))
    sent = body["input"] if wire == "responses" else body["messages"]
    assert isinstance(sent, list)
    call = sent[1] if wire == "responses" else sent[2]["tool_calls"][0]["function"]
    assert json.loads(call["arguments"]) == {"unreadable": '{"body": "cut'}


@pytest.mark.parametrize(
    ("base_url", "wire"),
    [
        (None, "responses"),
        ("https://api.openai.com/v1", "responses"),
        ("https://eu.api.openai.com/v1", "responses"),
        ("https://api.openai.com.evil.test/v1", "chat"),
        ("http://localhost:11434/v1", "chat"),
    ],
)
def test_auto_speaks_responses_only_to_openai_itself(base_url: str | None, wire: str) -> None:
    assert choose_wire(ModelEndpoint(base_url, "k", "m")) == wire
    assert choose_wire(ModelEndpoint(base_url, "k", "m", "chat")) == "chat"


async def test_endpoint_without_a_key_never_borrows_one_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere.test/v1")
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return said("chat")

    http_client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    model = open_openai_model(ModelEndpoint("http://localhost:11434/v1", "", "m"), http_client=http_client)
    await model.reply(ask())
    assert (seen[0].headers["authorization"], str(seen[0].url)) == (
        "Bearer none",
        "http://localhost:11434/v1/chat/completions",
    )
    own = open_openai_model(ModelEndpoint(None, "k", "m"), http_client=http_client)
    assert own.client.base_url.host == "api.openai.com"
    await model.aclose()


async def test_model_opened_from_settings_owns_its_connections_and_never_retries_itself() -> None:
    model = open_openai_model(ModelEndpoint("http://localhost:1/v1", "k", "m"))
    assert isinstance(model, OpenAIModel)
    assert model.client.max_retries == 0
    await model.aclose()
    assert model.client.is_closed()


def test_endpoint_does_not_show_its_key() -> None:
    assert "secret" not in repr(ModelEndpoint(None, "secret", "m"))
