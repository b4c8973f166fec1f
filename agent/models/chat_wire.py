"""The neutral transcript on Chat Completions, which every OpenAI-compatible server speaks."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.models.base import Item, ModelFailure, Prompt, Text, ToolCall, ToolResult, ToolSpec, Usage
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
    body: dict[str, Any] = {"model": options.model}
    if request.tools:
        body["tools"] = [write_tool(tool, options) for tool in request.tools]
        if options.keeps("parallel_tool_calls"):
            body["parallel_tool_calls"] = False
    # Servers that do not know the newer of the two names know the older one.
    limit = next((name for name in ("max_completion_tokens", "max_tokens") if options.keeps(name)), None)
    if limit is not None:
        body[limit] = request.max_output_tokens
    body["messages"] = write_messages(request)
    if request.must_call_tool and request.tools and options.keeps("tool_choice"):
        body["tool_choice"] = "required"
    return body


def write_tool(tool: ToolSpec, options: WireOptions) -> dict[str, Any]:
    spec: dict[str, Any] = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    if options.keeps("strict"):
        spec["strict"] = True
    return {"type": "function", "function": spec}


def write_messages(request: Prompt) -> list[dict[str, Any]]:
    """Text and calls of one model step become one assistant message; reasoning has no place on this wire."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": request.instructions}]
    step: list[Text | ToolCall] = []
    for item in complete_transcript(request.items):
        if isinstance(item, ToolCall) or (isinstance(item, Text) and item.role == "assistant"):
            step.append(item)
        elif isinstance(item, Text | ToolResult):
            messages += write_step(step)
            step = []
            messages.append(write_input(item))
    return messages + write_step(step)


def write_input(item: Text | ToolResult) -> dict[str, Any]:
    if isinstance(item, Text):
        return {"role": "user", "content": item.text}
    return {"role": "tool", "tool_call_id": item.call_id, "content": item.output}


def write_step(step: Sequence[Text | ToolCall]) -> list[dict[str, Any]]:
    """The assistant message of one step, or nothing where the step is empty."""
    if not step:
        return []
    text = "\n\n".join(item.text for item in step if isinstance(item, Text))
    calls = [write_call(item) for item in step if isinstance(item, ToolCall)]
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    return [{**message, "tool_calls": calls} if calls else message]


def write_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": replay_arguments(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def read_items(body: Mapping[str, Any], request: Prompt, _: WireOptions) -> tuple[Item, ...]:
    """The items of a reply, text first. Raises ModelFailure truncated, refused, unavailable or malformed."""
    choices = list_objects(body.get("choices"))
    if not choices:
        raise ModelFailure("malformed", "the reply has no choices")
    message = find_object(choices[0], "message")
    reject_unfinished(choices[0].get("finish_reason"), message)
    text = join_parts(message.get("content"), "text")
    items: list[Item] = [Text("assistant", text)] if text.strip() else []
    ids = CallIds(request.items)
    for raw in list_objects(message.get("tool_calls")):
        function = find_object(raw, "function")
        items.append(read_call(ids.claim(raw.get("id")), function.get("name"), function.get("arguments")))
    return require_answer(items)


def reject_unfinished(finish_reason: object, message: Mapping[str, Any]) -> None:
    """An unknown finish_reason is none of our business: what counts is what was said."""
    if finish_reason == "length":
        raise ModelFailure("truncated", "the reply reached the token limit")
    if finish_reason == "content_filter" or message.get("refusal"):
        raise ModelFailure("refused", "the model or its filter refused to answer")
    if finish_reason == "error":
        raise ModelFailure("unavailable", "the provider broke off the reply")


def read_usage(body: Mapping[str, Any]) -> Usage | None:
    """Token counts of the exchange; None where the server gives none."""
    usage = find_object(body, "usage")
    if not usage:
        return None
    cached = count_tokens(find_object(usage, "prompt_tokens_details"), "cached_tokens")
    return Usage(count_tokens(usage, "prompt_tokens"), count_tokens(usage, "completion_tokens"), cached, usage)


CHAT = WireFormat("/chat/completions", build_body, read_items, read_usage)
