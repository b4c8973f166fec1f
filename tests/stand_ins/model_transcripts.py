"""What a provider of models would refuse in a conversation that is shown to it, on both wires."""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

Mark = tuple[str, str]
"""A part of a conversation: who speaks (user, assistant), or call or output with the id of the call."""

MESSAGE_FIELDS = {
    "system": ({"role", "content"}, set[str]()),
    "user": ({"role", "content"}, set[str]()),
    "assistant": ({"role", "content"}, {"tool_calls"}),
    "tool": ({"role", "content", "tool_call_id"}, set[str]()),
}
"""By role on the chat wire: what a message has, and what it may have. Several servers refuse a `name`."""
ITEM_FIELDS = {
    "message": {"type", "role", "content"},
    "function_call": {"type", "call_id", "name", "arguments"},
    "function_call_output": {"type", "call_id", "output"},
    "reasoning": {"type", "summary", "encrypted_content"},
}
"""By type on the Responses wire, without `id`: nothing is stored, so the provider would look for it in vain."""


def list_chat_faults(body: dict[str, Any]) -> Iterator[str]:
    """Of the `messages` of a chat completion."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        yield "messages is not a list of messages"
        return
    roles = [str(message.get("role")) for message in messages]
    if roles[:1] != ["system"] or "system" in roles[1:] or "user" not in roles:
        yield f"the roles are {', '.join(roles)}: one system message, the first, then a user's"
    marks: list[Mark] = []
    for place, message in enumerate(messages):
        yield from (f"messages[{place}]: {fault}" for fault in list_message_faults(message))
        marks += mark_message(message)
    yield from list_order_faults(marks, closing=("user", "assistant"))


def list_message_faults(message: dict[str, Any]) -> Iterator[str]:
    role, content, calls = message.get("role"), message.get("content"), message.get("tool_calls")
    if role not in MESSAGE_FIELDS:
        yield f"role {role}"
        return
    must, may = MESSAGE_FIELDS[str(role)]
    if not must <= message.keys() <= must | may:
        yield f"fields {sorted(message)} in a message of the role {role}"
    if not (isinstance(content, str) and content) and not (role == "assistant" and content is None and calls):
        yield "no text"
    if calls is not None:
        yield from list_call_faults(calls)


def list_call_faults(calls: object) -> Iterator[str]:
    if not isinstance(calls, list) or not calls:
        yield "tool_calls is not a list of calls"
        return
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or call.keys() != {"id", "type", "function"} or call["type"] != "function":
            yield "a call that is not one"
        elif function.keys() != {"name", "arguments"}:
            yield f"a call with the fields {sorted(function)}"
        else:
            yield from list_name_faults(call["id"], function["name"], function["arguments"])


def mark_message(message: dict[str, Any]) -> list[Mark]:
    role, calls = str(message.get("role")), message.get("tool_calls")
    if role == "tool":
        return [("output", str(message.get("tool_call_id")))]
    called = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return [(role, ""), *(("call", str(call.get("id"))) for call in called)]


def list_responses_faults(body: dict[str, Any]) -> Iterator[str]:
    """Of the `instructions` and the `input` of a response."""
    items = body.get("input")
    if not isinstance(body.get("instructions"), str) or not body["instructions"]:
        yield "no instructions"
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        yield "input is not a list of items"
        return
    if not any(item.get("role") == "user" for item in items):
        yield "input has no user's message"
    if any(item.get("type") == "reasoning" for item in items) and body.get("include") != [
        "reasoning.encrypted_content"
    ]:
        yield "reasoning is shown, and not asked for"
    for place, item in enumerate(items):
        yield from (f"input[{place}]: {fault}" for fault in list_item_faults(item))
    yield from list_order_faults([mark_item(item) for item in items], closing=("user",))


def list_item_faults(item: dict[str, Any]) -> Iterator[str]:
    kind = str(item.get("type"))
    if ITEM_FIELDS.get(kind) != item.keys():
        yield f"fields {sorted(item)} in an item of the type {kind}"
    elif kind == "message":
        if item["role"] not in ("user", "assistant"):
            yield f"role {item['role']}"
        if not isinstance(item["content"], str) or not item["content"]:
            yield "no text"
    elif kind == "function_call":
        yield from list_name_faults(item["call_id"], item["name"], item["arguments"])
    elif kind == "function_call_output":
        if not isinstance(item["output"], str) or not item["output"]:
            yield "no text"
    elif item["summary"] != [] or not isinstance(item["encrypted_content"], str) or not item["encrypted_content"]:
        yield "reasoning that is not sealed"


def mark_item(item: dict[str, Any]) -> Mark:
    names = {"function_call": "call", "function_call_output": "output", "reasoning": "reasoning"}
    kind = names.get(str(item.get("type")))
    return (str(item.get("role")), "") if kind is None else (kind, str(item.get("call_id")))


def list_name_faults(call_id: object, name: object, arguments: object) -> Iterator[str]:
    if not isinstance(call_id, str) or not 0 < len(call_id) <= 64:
        yield f"a call with the id {call_id!r}"
    if not isinstance(name, str) or not name:
        yield "a call of no tool"
    try:
        read = json.loads(arguments) if isinstance(arguments, str) else None
    except ValueError:
        read = None
    if not isinstance(read, dict):
        yield "arguments that are not the text of a JSON object"


def list_order_faults(marks: Sequence[Mark], closing: Collection[str]) -> Iterator[str]:
    """Each call has exactly one output, before one of `closing` speaks again; what comes last can be answered."""
    called: set[str] = set()
    waiting: list[str] = []
    for kind, call_id in (*marks, (next(iter(closing)), "")):
        if kind in closing:
            yield from (f"call {one} has no output" for one in waiting)
            waiting = []
        elif kind == "call":
            if call_id in called:
                yield f"two calls have the id {call_id}"
            called.add(call_id)
            waiting.append(call_id)
        elif kind == "output" and call_id not in waiting:
            yield f"an output of {call_id}, which waits for none"
        elif kind == "output":
            waiting.remove(call_id)
    if not marks or marks[-1][0] not in ("user", "output"):
        yield "nothing at the end that could be answered"
