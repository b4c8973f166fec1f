"""The judge of requests refuses each request that is broken in one place, and none that is whole."""

import copy
import json
from typing import Any

import pytest

from tests.stand_ins.model_requests import WIRES, Asked, Wire, list_faults, list_run_faults

KEY, OTHER_KEY = "key-of-this-provider", "key-of-another-provider"
LEAVE_OUT = "(left out)"
PATHS = {wire: path for path, wire in WIRES.items()}

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["words", "sizes"],
    "properties": {
        "words": {"type": ["string", "null"], "enum": ["a", None], "description": "Some"},
        "sizes": {"type": "array", "items": {"type": "integer"}},
    },
}
SPEC = {"name": "look_up", "description": "Looks.", "parameters": SCHEMA, "strict": True}
CALL = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
WHOLE: dict[Wire, dict[str, Any]] = {
    "chat": {
        "model": "some-model",
        "tools": [{"type": "function", "function": SPEC}],
        "parallel_tool_calls": False,
        "max_completion_tokens": 900,
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Where is it?"},
            {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "c2"}]},
            {"role": "tool", "tool_call_id": "c1", "content": "[]"},
            {"role": "tool", "tool_call_id": "c2", "content": "[]"},
        ],
        "tool_choice": "required",
    },
    "responses": {
        "model": "some-model",
        "instructions": "Be kind.",
        "tools": [{"type": "function", **SPEC}],
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "input": [
            {"type": "message", "role": "user", "content": "Where is it?"},
            {"type": "reasoning", "summary": [], "encrypted_content": "sealed"},
            {"type": "message", "role": "assistant", "content": "I look."},
            {"type": "function_call", "call_id": "c1", "name": "look_up", "arguments": "{}"},
            {"type": "function_call", "call_id": "c2", "name": "look_up", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "[]"},
            {"type": "function_call_output", "call_id": "c2", "output": "[]"},
        ],
    },
}
CHAT_TOOL = ("tools", 0, "function")
CHAT_CALL = ("messages", 2, "tool_calls", 0)
CHAT_BREAKS: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("model",), "", "model"),
    (("temperature",), 0.2, "temperature"),
    (("metadata",), {"customer": "ana"}, "metadata"),
    (("user",), "ana", "user"),
    (("store",), True, "store"),
    (("max_completion_tokens",), 0, "max_completion_tokens"),
    (("parallel_tool_calls",), True, "parallel_tool_calls"),
    (("tool_choice",), "look_up", "tool_choice"),
    (("tools",), LEAVE_OUT, "without tools"),
    (("tools",), [], "tools"),
    (("tools", 1), {"type": "function", "function": SPEC}, "one name"),
    (("tools", 0, "type"), "custom", "fields"),
    ((*CHAT_TOOL, "strict"), False, "strict"),
    ((*CHAT_TOOL, "strict"), LEAVE_OUT, "fields"),
    ((*CHAT_TOOL, "name"), "look up", "name"),
    ((*CHAT_TOOL, "description"), "", "description"),
    (("messages",), [], "system"),
    (("messages",), LEAVE_OUT, "messages"),
    (("messages", 0), LEAVE_OUT, "system"),
    (("messages", 0, "role"), "developer", "role"),
    (("messages", 0, "content"), "", "no text"),
    (("messages", 1), {"role": "system", "content": "And brief."}, "system"),
    (("messages", 1, "name"), "Ana", "fields"),
    (("messages", 1, "role"), "customer", "role customer"),
    (("messages", 2), LEAVE_OUT, "waits for none"),
    (("messages", 2, "tool_calls"), [], "tool_calls"),
    (("messages", 2, "tool_calls"), LEAVE_OUT, "no text"),
    (("messages", 2, "refusal"), None, "fields"),
    ((*CHAT_CALL, "id"), "", "id"),
    ((*CHAT_CALL, "id"), "c2", "two calls"),
    ((*CHAT_CALL, "index"), 0, "a call that is not one"),
    ((*CHAT_CALL, "function", "arguments"), {}, "arguments"),
    ((*CHAT_CALL, "function", "arguments"), "{unfinished", "arguments"),
    ((*CHAT_CALL, "function", "name"), "", "no tool"),
    (("messages", 3), LEAVE_OUT, "c1 has no output"),
    (("messages", 3, "tool_call_id"), "c2", "waits for none"),
    (("messages", 3), {"role": "user", "content": "Hello?"}, "c1 has no output"),
    (("messages", 3), {"role": "assistant", "content": "I look."}, "c1 has no output"),
    (("messages", 5), {"role": "tool", "tool_call_id": "c1", "content": "[]"}, "waits for none"),
    (("messages", 5), {"role": "assistant", "content": "There."}, "answered"),
]
RESPONSES_BREAKS: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("store",), True, "store"),
    (("store",), LEAVE_OUT, "no field store"),
    (("previous_response_id",), "resp_1", "previous_response_id"),
    (("temperature",), 0.2, "temperature"),
    (("metadata",), {"customer": "ana"}, "metadata"),
    (("user",), "ana", "user"),
    (("max_output_tokens",), "900", "max_output_tokens"),
    (("instructions",), "", "instructions"),
    (("include",), LEAVE_OUT, "reasoning"),
    (("tools", 0, "strict"), False, "strict"),
    (("tools", 0, "function"), SPEC, "fields"),
    (("input",), "Where is it?", "input"),
    (("input", 0), LEAVE_OUT, "user"),
    (("input", 0, "role"), "system", "role"),
    (("input", 0, "content"), "", "no text"),
    (("input", 0, "type"), "text", "type text"),
    (("input", 1, "id"), "rs_1", "fields"),
    (("input", 1, "summary"), ["It thinks."], "sealed"),
    (("input", 1, "encrypted_content"), None, "sealed"),
    (("input", 2, "id"), "msg_1", "fields"),
    (("input", 3, "id"), "fc_1", "fields"),
    (("input", 3, "status"), "completed", "fields"),
    (("input", 3, "call_id"), "", "id"),
    (("input", 3, "call_id"), "c2", "two calls"),
    (("input", 3, "arguments"), "[]", "arguments"),
    (("input", 3), LEAVE_OUT, "waits for none"),
    (("input", 5), LEAVE_OUT, "c1 has no output"),
    (("input", 5), {"type": "message", "role": "user", "content": "Hello?"}, "c1 has no output"),
    (("input", 5, "output"), [], "no text"),
    (("input", 6, "call_id"), "c1", "waits for none"),
    (("input", 7), {"type": "message", "role": "assistant", "content": "There."}, "answered"),
]
SCHEMA_BREAKS: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("type",), "array", "not an object"),
    (("additionalProperties",), True, "additionalProperties"),
    (("additionalProperties",), LEAVE_OUT, "additionalProperties"),
    (("required",), ["words"], "required"),
    (("required",), LEAVE_OUT, "required"),
    (("properties", "words", "maxLength"), 9, "maxLength"),
    (("properties", "words", "type"), "text", "type"),
    (("properties", "sizes", "items"), LEAVE_OUT, "schema"),
    (("properties", "sizes", "items"), {"type": "object", "properties": {}, "required": []}, "additionalProperties"),
]
BREAKS: list[tuple[Wire, tuple[str | int, ...], Any, str]] = [
    *(("chat", *broken) for broken in CHAT_BREAKS),
    *(("responses", *broken) for broken in RESPONSES_BREAKS),
    *(("chat", (*CHAT_TOOL, "parameters", *where), value, word) for where, value, word in SCHEMA_BREAKS),
    *(("responses", ("tools", 0, "parameters", *where), value, word) for where, value, word in SCHEMA_BREAKS),
]


def ask(wire: Wire, body: str | None = None, *, key: str = KEY, **headers: str) -> Asked:
    shown = {"content-type": "application/json", "authorization": f"Bearer {key}", **headers}
    return Asked("POST", PATHS[wire], tuple(shown.items()), json.dumps(WHOLE[wire]) if body is None else body)


def change(wire: Wire, where: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """A copy of a whole body with another value in one place, or none there."""
    body = copy.deepcopy(WHOLE[wire])
    inner: Any = body
    for step in where[:-1]:
        inner = inner[step]
    last = where[-1]
    if value is LEAVE_OUT:
        del inner[last]
    elif isinstance(inner, list) and last == len(inner):
        inner.append(value)
    else:
        inner[last] = value
    return body


@pytest.mark.parametrize("wire", WHOLE)
def test_a_whole_request_has_no_fault(wire: Wire) -> None:
    assert list(list_faults(ask(wire), KEY, [OTHER_KEY])) == []


@pytest.mark.parametrize(("wire", "where", "value", "word"), BREAKS, ids=str)
def test_a_request_broken_in_one_place_is_refused_for_it(
    wire: Wire, where: tuple[str | int, ...], value: Any, word: str
) -> None:
    faults = list(list_faults(ask(wire, json.dumps(change(wire, where, value))), KEY))
    assert any(word in fault for fault in faults), faults


@pytest.mark.parametrize("body", ["", "[]", "{", '"text"'])
def test_a_body_that_is_no_object_is_refused(body: str) -> None:
    assert list(list_faults(ask("chat", body), KEY))


@pytest.mark.parametrize(
    "asked",
    [
        ask("chat", key=OTHER_KEY),
        ask("chat", authorization=f"Bearer {KEY}, Bearer {KEY}"),
        ask("chat", authorization=KEY),
        ask("chat", **{"x-api-key": KEY}),
        ask("chat", **{"x-trace": OTHER_KEY}),
        ask("chat", json.dumps(change("chat", ("messages", 1, "content"), f"My key is {KEY}"))),
        ask("chat", json.dumps(change("chat", ("messages", 1, "content"), f"Mine is {OTHER_KEY}"))),
        Asked("POST", f"/v1/chat/completions?key={KEY}", ask("chat").headers, ask("chat").body),
        Asked("POST", "/v1/completions", ask("chat").headers, ask("chat").body),
        Asked("GET", "/v1/responses", ask("responses").headers, ask("responses").body),
        ask("responses", **{"content-type": "text/plain"}),
    ],
    ids=range(11),
)
def test_a_key_or_a_secret_in_the_wrong_place_and_a_wrong_address_are_refused(asked: Asked) -> None:
    assert list(list_faults(asked, KEY, [OTHER_KEY]))


@pytest.mark.parametrize("wire", WHOLE)
def test_a_policy_or_tools_that_change_between_two_requests_are_refused(wire: Wire) -> None:
    policy: dict[Wire, tuple[str | int, ...]] = {"chat": ("messages", 0, "content"), "responses": ("instructions",)}
    question: dict[Wire, tuple[str | int, ...]] = {
        "chat": ("messages", 1, "content"),
        "responses": ("input", 0, "content"),
    }

    def follow(body: dict[str, Any]) -> list[str]:
        return list_run_faults([ask(wire), ask(wire, json.dumps(body))], key=KEY)

    assert follow(change(wire, question[wire], "And when?")) == []
    assert follow(change(wire, policy[wire], "Be kind at 10:01.")) != []
    assert follow(change(wire, ("tools", 0), LEAVE_OUT)) != []
    assert follow(dict(sorted(WHOLE[wire].items(), reverse=True))) != [], "the same in another order"


def test_a_provider_that_was_never_asked_is_no_proof() -> None:
    assert list_run_faults([], key=KEY) == ["nothing was asked"]
