"""The neutral transcript on OpenAI's Responses API, stateless: nothing is stored at the provider."""

from collections.abc import Mapping
from typing import Any

from agent.models.base import Item, ModelFailure, Prompt, Reasoning, Text, ToolCall, ToolResult, ToolSpec, Usage
from agent.models.wire import (
    CallIds,
    WireFormat,
    WireOptions,
    complete_transcript,
    count_tokens,
    find_object,
    join_parts,
    list_objects,
    read_call,
    replay_arguments,
    require_answer,
)


def build_body(request: Prompt, options: WireOptions) -> dict[str, Any]:
    """The request body. What stays the same from call to call comes first, so that the provider can cache it."""
    body: dict[str, Any] = {"model": options.model, "instructions": request.instructions}
    if request.tools:
        body["tools"] = [write_tool(tool, options) for tool in request.tools]
        if options.keeps("parallel_tool_calls"):
            body["parallel_tool_calls"] = False
    body["store"] = False
    if options.keeps("include"):
        body["include"] = ["reasoning.encrypted_content"]
    if options.keeps("max_output_tokens"):
        body["max_output_tokens"] = request.max_output_tokens
    if request.must_call_tool and request.tools and options.keeps("tool_choice"):
        body["tool_choice"] = "required"
    written = (write_item(item, options) for item in complete_transcript(request.items))
    body["input"] = [item for item in written if item is not None]
    return body


def write_tool(tool: ToolSpec, options: WireOptions) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }
    return {**spec, "strict": True} if options.keeps("strict") else spec


def write_item(item: Item, options: WireOptions) -> dict[str, Any] | None:
    """One input item, without an `id`: the provider stores nothing, so it would look for it in vain."""
    match item:
        case Text(role, text):
            return {"type": "message", "role": role, "content": text}
        case ToolCall(call_id, name, arguments):
            arguments = replay_arguments(arguments)
            return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
        case ToolResult(call_id, output):
            return {"type": "function_call_output", "call_id": call_id, "output": output}
        case Reasoning(origin, payload):
            encrypted = payload.get("encrypted_content")
            if origin != options.origin or not encrypted or not options.keeps("include"):
                return None
            return {"type": "reasoning", "summary": [], "encrypted_content": encrypted}


def read_items(body: Mapping[str, Any], request: Prompt, options: WireOptions) -> tuple[Item, ...]:
    """The items of a reply, in order. Raises ModelFailure truncated, refused or malformed."""
    reject_unfinished(body)
    if not isinstance(body.get("output"), list):
        raise ModelFailure("malformed", "the reply has no output")
    ids = CallIds(request.items)
    items: list[Item] = []
    for raw in list_objects(body["output"]):
        kind = raw.get("type")
        if kind == "function_call":
            items.append(read_call(ids.claim(raw.get("call_id")), raw.get("name"), raw.get("arguments")))
        elif kind == "message":
            items += read_message(raw)
        elif kind == "reasoning" and isinstance(raw.get("encrypted_content"), str):
            items.append(Reasoning(options.origin, {"encrypted_content": raw["encrypted_content"]}))
    return require_answer(items)


def reject_unfinished(body: Mapping[str, Any]) -> None:
    status = body.get("status")
    if status == "incomplete":
        reason = str(find_object(body, "incomplete_details").get("reason"))
        code = "refused" if reason == "content_filter" else "truncated"
        raise ModelFailure(code, f"the reply is incomplete: {reason}")
    if status in ("failed", "cancelled"):
        raise ModelFailure("unavailable", f"the provider reports the reply as {status}")


def read_message(raw: Mapping[str, Any]) -> list[Item]:
    if any(part.get("type") == "refusal" for part in list_objects(raw.get("content"))):
        raise ModelFailure("refused", "the model refused to answer")
    text = join_parts(raw.get("content"), "output_text")
    return [Text("assistant", text)] if text.strip() else []


def read_usage(body: Mapping[str, Any]) -> Usage | None:
    """Token counts of the exchange; None where the server gives none."""
    usage = find_object(body, "usage")
    if not usage:
        return None
    cached = count_tokens(find_object(usage, "input_tokens_details"), "cached_tokens")
    return Usage(count_tokens(usage, "input_tokens"), count_tokens(usage, "output_tokens"), cached, usage)


RESPONSES = WireFormat("/responses", build_body, read_items, read_usage)
