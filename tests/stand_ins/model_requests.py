"""What a provider of models would refuse in a request, and what must never reach one.

Strict on purpose: a field nobody here knows is a fault as well, so that whoever sends a new one says so in FIELDS.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tests.stand_ins.model_transcripts import list_chat_faults, list_responses_faults

Wire = Literal["chat", "responses"]

WIRES: dict[str, Wire] = {"/v1/chat/completions": "chat", "/v1/responses": "responses"}
SHARED = {"model", "tools", "tool_choice", "parallel_tool_calls", "store"}
FIELDS = {
    "chat": SHARED | {"messages", "max_completion_tokens", "max_tokens"},
    "responses": SHARED | {"instructions", "input", "include", "max_output_tokens"},
}
NEEDED = {"chat": ("model", "messages"), "responses": ("model", "instructions", "input", "store")}
LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
TYPES = {"string", "number", "integer", "boolean", "object", "array", "null"}
KEYWORDS = {"type", "description", "enum", "properties", "required", "additionalProperties", "items"}
TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
JSON_GAP = re.compile(r"[\s,:]*")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came; the names of its headers in lower case."""

    method: str
    path: str
    headers: Sequence[tuple[str, str]]
    body: str

    def read_body(self) -> dict[str, Any]:
        """Its JSON object. ValueError where it holds none."""
        body = json.loads(self.body)
        if not isinstance(body, dict):
            raise ValueError("the body is not a JSON object")
        return body


def list_run_faults(asked: Sequence[Asked], *, key: str, secrets: Sequence[str] = ()) -> list[str]:
    """What is wrong with all that one provider was asked, in words; empty where nothing is, and never for no request.

    key: the one of this provider. secrets: what it must not see, such as other providers' keys or a customer's address.
    """
    faults = [
        f"request {place}: {fault}" for place, one in enumerate(asked) for fault in list_faults(one, key, secrets)
    ]
    return [*faults, *list_prefix_faults(asked)] if asked else ["nothing was asked"]


def list_faults(asked: Asked, key: str, secrets: Sequence[str] = ()) -> Iterator[str]:
    """What is wrong with one request."""
    yield from list_leaks(asked, key, secrets)
    wire = WIRES.get(asked.path)
    if wire is None or asked.method != "POST":
        yield f"{asked.method} {asked.path} is not where a model is asked"
        return
    if dict(asked.headers).get("content-type", "").partition(";")[0] != "application/json":
        yield "the content type is not JSON"
    try:
        body = asked.read_body()
    except ValueError as error:
        yield f"the body cannot be read: {error}"
        return
    yield from list_field_faults(body, wire)
    yield from list_tool_faults(body, wire)
    yield from list_chat_faults(body) if wire == "chat" else list_responses_faults(body)


def list_leaks(asked: Asked, key: str, secrets: Sequence[str]) -> Iterator[str]:
    if [value for name, value in asked.headers if name == "authorization"] != [f"Bearer {key}"]:
        yield "Authorization does not show this provider's key, once and alone"
    others = [f"{name}: {value}" for name, value in asked.headers if name != "authorization"]
    if key in "\n".join((asked.path, asked.body, *others)):
        yield "the key stands outside of Authorization"
    everything = "\n".join((asked.path, asked.body, *map(str, asked.headers)))
    yield from (f"shows what this provider must not see: {secret}" for secret in secrets if secret in everything)


def list_field_faults(body: dict[str, Any], wire: Wire) -> Iterator[str]:
    yield from (f"unknown field {name}" for name in body.keys() - FIELDS[wire])
    yield from (f"no field {name}" for name in NEEDED[wire] if name not in body)
    if not isinstance(body.get("model"), str) or not body["model"]:
        yield "model is not a name"
    if body.get("store", False) is not False:
        yield "store is not false: the provider would keep the conversation"
    for name in LIMITS:
        limit = body.get(name, 1)
        if type(limit) is not int or limit < 1:
            yield f"{name} is not a count"
    if body.get("tool_choice", "auto") not in ("auto", "required"):
        yield "tool_choice is neither auto nor required"
    if body.get("parallel_tool_calls", False) is not False:
        yield "parallel_tool_calls is not false"
    if "tools" not in body:
        yield from (f"{name} without tools" for name in ("tool_choice", "parallel_tool_calls") if name in body)


def list_tool_faults(body: dict[str, Any], wire: Wire) -> Iterator[str]:
    tools = body.get("tools", [{}])
    if not isinstance(tools, list) or not tools:
        yield "tools is not a list of tools"
        return
    if "tools" not in body:
        return
    specs = [find_spec(tool, wire) for tool in tools]
    names = [str(spec.get("name")) for spec in specs]
    if len(set(names)) < len(names):
        yield "two tools have one name"
    for name, spec in zip(names, specs, strict=True):
        yield from (f"tool {name}: {fault}" for fault in list_spec_faults(spec))


def find_spec(tool: object, wire: Wire) -> dict[str, Any]:
    """The tool without its wrapping; empty where that is wrong."""
    if not isinstance(tool, dict) or tool.get("type") != "function":
        return {}
    inner = tool.get("function") if wire == "chat" and tool.keys() == {"type", "function"} else None
    if wire == "responses":
        inner = {name: value for name, value in tool.items() if name != "type"}
    return inner if isinstance(inner, dict) else {}


def list_spec_faults(spec: dict[str, Any]) -> Iterator[str]:
    if spec.keys() != {"name", "description", "parameters", "strict"}:
        yield f"fields {sorted(spec)}"
        return
    if not isinstance(spec["name"], str) or not TOOL_NAME.fullmatch(spec["name"]):
        yield "a name no provider takes"
    if not isinstance(spec["description"], str) or not spec["description"]:
        yield "no description"
    if spec["strict"] is not True:
        yield "not strict"
    if not isinstance(spec["parameters"], dict) or spec["parameters"].get("type") != "object":
        yield "parameters are not an object"
    yield from list_schema_faults(spec["parameters"], "parameters")


def list_schema_faults(schema: object, where: str) -> Iterator[str]:
    """What is outside of the part of JSON schema that every provider takes in strict mode."""
    if not isinstance(schema, dict):
        yield f"{where} is not a schema"
        return
    yield from (f"{where}: keyword {name}" for name in sorted(schema.keys() - KEYWORDS))
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if not kinds or not all(kind in TYPES for kind in kinds):
        yield f"{where}: type {schema.get('type')}"
    if "object" in kinds:
        yield from list_object_faults(schema, where)
    if "array" in kinds:
        yield from list_schema_faults(schema.get("items"), f"{where}[]")


def list_object_faults(schema: dict[str, Any], where: str) -> Iterator[str]:
    properties, required = schema.get("properties"), schema.get("required")
    if schema.get("additionalProperties") is not False:
        yield f"{where}: additionalProperties is not false"
    if not isinstance(properties, dict) or not isinstance(required, list) or sorted(required) != sorted(properties):
        yield f"{where}: not every property is required"
    for name, inner in (properties if isinstance(properties, dict) else {}).items():
        yield from list_schema_faults(inner, f"{where}.{name}")


def list_prefix_faults(asked: Sequence[Asked]) -> Iterator[str]:
    """Whether the policy and the tools are the first bytes of every request on a wire, and the same ones."""
    seen: dict[str, set[str]] = defaultdict(set)
    for one in asked:
        seen[one.path].add(find_prefix(one))
    for path, prefixes in seen.items():
        if len(prefixes) > 1:
            yield f"{path}: the policy and the tools began in {len(prefixes)} ways, so that no provider can cache them"


def find_prefix(asked: Asked) -> str:
    """The body up to the end of its tools and its policy, whichever comes last; "" where it has none of them."""
    ends = []
    for name, start, end in list_places(asked.body):
        if name in ("tools", "instructions"):
            ends.append(end)
        elif name == "messages" and asked.body[start:end].startswith("[{"):
            ends.append(json.JSONDecoder().raw_decode(asked.body, start + 1)[1])
    return asked.body[: max(ends, default=0)]


def list_places(body: str) -> Iterator[tuple[str, int, int]]:
    """Each field of a JSON object with where its value begins and ends; nothing where it cannot be read."""
    decoder, place = json.JSONDecoder(), 1
    try:
        while (place := skip_gap(body, place)) < len(body) and body[place] != "}":
            name, end = decoder.raw_decode(body, place)
            start = skip_gap(body, end)
            _, place = decoder.raw_decode(body, start)
            yield str(name), start, place
    except ValueError:
        return


def skip_gap(body: str, place: int) -> int:
    found = JSON_GAP.match(body, place)
    return found.end() if found else place
