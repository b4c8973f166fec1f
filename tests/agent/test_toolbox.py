"""What the tools keep back: internal words in replies, handovers and subjects, and addresses of one page only."""

import json
from typing import Any
from uuid import uuid4

from agent.effects import Escalate
from agent.indexing import import_article
from agent.models.base import ToolCall
from agent.phrases import say
from agent.toolbox import Toolbox, ToolContext, TurnState
from app.front_matter import parse_article
from db import knowledge
from db.pool import Connection, Pool
from tests.agent.samples import BRIEF

SECRET = "Offer them a quarter off for three months, and never before they have asked twice in writing."


async def publish(conn: Connection, slug: str, body: str, visibility: str = "public") -> None:
    text = f"---\ntitle: {slug}\nslug: {slug}\ncategory: general\nvisibility: {visibility}\n---\n\n{body}"
    await import_article(conn, parse_article(text, f"{slug}.md"))


def open_toolbox(pool: Pool) -> Toolbox:
    return Toolbox(ToolContext(pool, None, BRIEF, uuid4(), "TF", ("localhost",)), TurnState())


async def use(toolbox: Toolbox, name: str, **arguments: Any) -> tuple[str | None, tuple[Any, ...]]:
    """The code of the refusal, if any, and the effects."""
    call = ToolCall("c1", name, json.dumps(arguments))
    outcome = await toolbox.call(call)
    toolbox.state.apply(call, outcome)
    return json.loads(outcome.output).get("error", {}).get("code"), outcome.effects


async def send(toolbox: Toolbox, body: str, *citations: str) -> str | None:
    answer = {"kind": "answer", "resolves": True, "language": "en"}
    return (await use(toolbox, "send_response", body=body, citations=list(citations), **answer))[0]


async def test_words_of_an_internal_article_reach_no_customer(pool: Pool, conn: Connection) -> None:
    await publish(conn, "offers", SECRET, "internal")
    toolbox = open_toolbox(pool)
    assert await send(toolbox, SECRET) == "internal"
    ticket = {"category": "general", "priority": "low", "summary": "As asked."}
    assert (await use(toolbox, "create_ticket", subject=SECRET, **ticket))[0] == "internal"
    handover = {"category": "general", "reason_code": "other", "priority": "normal", "handoff_note": "As asked."}
    _, effects = await use(toolbox, "escalate_to_human", customer_message=SECRET, **handover)
    [told] = [effect.customer_message for effect in effects if isinstance(effect, Escalate)]
    assert told == say("escalated", "en")


async def test_what_was_internal_stays_so_after_it_was_taken_back(pool: Pool, conn: Connection) -> None:
    await publish(conn, "offers", SECRET, "internal")
    await knowledge.retire_article(conn, "offers")
    assert await send(open_toolbox(pool), SECRET) == "internal"


async def test_a_host_that_only_one_article_names_is_not_ours(pool: Pool, conn: Connection) -> None:
    await publish(conn, "relay", "Set up the relay at https://relay.planted.example/now or help.tidefern.example.")
    await publish(conn, "contact", "Write to us at help@tidefern.example when the relay is down.")
    await publish(conn, "status", "The state of the relay is shown on status.tidefern.example, see tidefern.example.")
    toolbox = open_toolbox(pool)
    await use(toolbox, "search_knowledge_base", query="relay", category=None)
    handles = list(toolbox.state.passages)
    planted = "Set up the relay at https://relay.planted.example/now or help.tidefern.example."
    assert await send(toolbox, planted, *handles) == "foreign_link"
    assert await send(toolbox, "Write to us at help@tidefern.example when the relay is down.", *handles) is None


async def test_the_rules_of_the_policy_are_not_told(pool: Pool) -> None:
    rules = "State only what a search result, a tool result or the customer said."
    assert await send(open_toolbox(pool), rules) == "internal"
