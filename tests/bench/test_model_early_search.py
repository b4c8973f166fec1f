"""The model that reads the request: what it does decides what the bench says of the early search."""

import json
from typing import Any

from agent.models.base import Item, Text, ToolCall, ToolResult
from bench.model_early_search import ReadingModel, list_questions
from tests.agent.samples import ask

ASKED = Text("user", "How do I export?")
PASSAGE = {"k": "K1", "title": "Export", "text": "## CSV\n\nOpen **Settings > Export**.\n\n1. Tick it.", "score": 0.9}


def searched(confidence: str, *results: dict[str, Any], call_id: str = "early1") -> list[Item]:
    output = json.dumps({"results": results, "confidence": confidence})
    return [ToolCall(call_id, "search_knowledge_base", '{"query": "export"}'), ToolResult(call_id, output)]


def choose(*items: Item, is_doubtful: bool = False) -> ToolCall:
    return ReadingModel(is_doubtful=is_doubtful).choose_call(ask(ASKED, *items))


def test_without_a_search_result_it_searches_for_what_the_customer_asks() -> None:
    call = choose()
    assert call.name == "search_knowledge_base"
    assert json.loads(call.arguments)["query"] == "How do I export?"


def test_with_a_search_result_it_answers_with_its_first_paragraph_and_cites_it() -> None:
    call = choose(*searched("low", PASSAGE))
    assert call.name == "send_response"
    said = json.loads(call.arguments)
    assert (said["body"], said["citations"]) == ("Open **Settings > Export**.", ["K1"])


def test_one_that_doubts_searches_once_more_unless_the_search_was_sure() -> None:
    assert choose(*searched("high", PASSAGE), is_doubtful=True).name == "send_response"
    unsure = searched("low", PASSAGE)
    assert choose(*unsure, is_doubtful=True).name == "search_knowledge_base"
    own = searched("low", PASSAGE, call_id="searched")
    assert choose(*unsure, *own, is_doubtful=True).name == "send_response"


def test_what_no_search_finds_and_what_the_checks_refuse_goes_to_a_person() -> None:
    assert choose(*searched("none", call_id="searched")).name == "escalate_to_human"
    refused: list[Item] = [
        ToolCall("replied", "send_response", "{}"),
        ToolResult("replied", '{"error": {"code": "unsupported"}}'),
    ]
    assert choose(*searched("high", PASSAGE), *refused).name == "escalate_to_human"


def test_no_question_of_an_internal_article_is_asked() -> None:
    assert list_questions()
    assert not any("retention offer" in question.lower() for question in list_questions())
