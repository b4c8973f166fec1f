import json
import re
from typing import Any, get_args

import pytest

from agent.brief import Category
from agent.models.base import ToolSpec
from agent.tool_schemas import CATEGORIES, TERMINAL_TOOLS, TOOLS

PORTABLE = {"type", "description", "enum", "items", "properties", "required", "additionalProperties"}
TYPES = {"object", "array", "string", "boolean", "null"}
MOST_BYTES = 4_500

each_tool = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)


def list_faults(schema: dict[str, Any], path: str = "$") -> list[str]:
    """Where a schema leaves the subset that every provider takes in strict mode."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    faults = [f"{path}: {word}" for word in schema if word not in PORTABLE]
    faults += [f"{path}: type {kind}" for kind in kinds if kind not in TYPES]
    if "object" in kinds:
        properties = schema["properties"]
        if schema.get("additionalProperties") is not False or schema.get("required") != list(properties):
            faults.append(f"{path}: not strict")
        faults += [fault for name, inner in properties.items() for fault in list_faults(inner, f"{path}.{name}")]
    if "array" in kinds:
        faults += list_faults(schema["items"], f"{path}[]")
    if "enum" in schema and (None in schema["enum"]) != ("null" in kinds):
        faults.append(f"{path}: enum and type disagree about null")
    return faults


@each_tool
def test_schema_stays_in_the_strict_portable_subset(tool: ToolSpec) -> None:
    assert list_faults(tool.parameters) == []
    assert tool.parameters["type"] == "object"


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": [], "additionalProperties": False},
        {"type": "object", "properties": {}, "required": []},
        {"type": "string", "maxLength": 3},
        {"type": ["string", "null"], "enum": ["a"]},
        {"type": "array", "items": {"type": "integer"}},
    ],
)
def test_lint_finds_what_is_not_portable(wrong: dict[str, Any]) -> None:
    assert list_faults(wrong)


@each_tool
def test_no_tool_lets_the_model_choose_whose_data_it_is(tool: ToolSpec) -> None:
    theirs = re.compile(r".*id|customer|conversation|channel|email|phone")
    assert not [name for name in tool.parameters["properties"] if theirs.fullmatch(name)]


def test_there_are_the_six_tools_and_two_of_them_end_a_turn() -> None:
    assert [tool.name for tool in TOOLS] == [
        "search_knowledge_base",
        "get_customer_history",
        "create_ticket",
        "escalate_to_human",
        "analyze_sentiment",
        "send_response",
    ]
    assert {tool.name for tool in TERMINAL_TOOLS} == {"escalate_to_human", "send_response"}


def test_categories_are_the_ones_of_the_brief() -> None:
    assert tuple(CATEGORIES) == get_args(Category)


def test_tools_stay_small_enough_to_send_every_time() -> None:
    sent = [{"name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in TOOLS]
    assert len(json.dumps(sent)) <= MOST_BYTES
