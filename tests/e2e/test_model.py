"""The real worker with a provider that nobody here wrote: what it answers reaches the customer, and whatever it does
wrong, the next link of the chain or a person answers. Each request it gets has the shape that providers take."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.knowledge_files import SAMPLE_COMPANY, import_files
from db.pool import Connection, Pool
from tests.conftest import require_node
from tests.e2e.desk import ask, find_free_port, process, until, wait_for_health
from tests.fakes import submit
from tests.stand_ins.model_peer import MODEL_PEER, ModelPeer, running_model_peer
from tests.stand_ins.model_requests import list_run_faults

FIRST_KEY, SECOND_KEY = "key-of-the-first-provider", "key-of-the-second-provider"
FIRST, SECOND = "first-model", "second-model"
ADDRESS = "ana@example.com"
PATIENCE = 90.0
"""Seconds, more than a turn may take."""

QUESTION = "I am locked out after too many wrong passwords. When does my account unlock?"
ANSWER = "After 10 wrong passwords the account is locked for 15 minutes. It unlocks by itself."
TITLE = "Reset a forgotten password"
"""Of the article that says so: a conversation holds it once something was found."""
TOTALS = "Our boards show other totals than yesterday."
HANDOVER = "I have passed this to a colleague, who will look at your boards and write to you here."
NOTE = "Totals on the boards differ from yesterday's."
SPEECH = "Just a word to see whether anybody reads this form."
GARBLED = "How long does the lock after too many wrong passwords last?"
CUT_OFF = "Too many wrong passwords: am I locked out for good?"

USAGE = {"prompt_tokens": 1200, "completion_tokens": 40, "input_tokens": 1200, "output_tokens": 40}
REPLY = {"body": ANSWER, "citations": ["K1"], "kind": "answer", "resolves": True, "language": "en"}
ESCALATION = {
    "category": "technical",
    "reason_code": "no_answer",
    "priority": "high",
    "handoff_note": NOTE,
    "customer_message": HANDOVER,
}


def on(words: str, **response: Any) -> dict[str, Any]:
    """A fixture: what the provider answers in a conversation that holds these words, however many steps it has."""
    return {"match": {"endpoint": "chat"}, "holds": words, "response": {"usage": USAGE, **response}}


def call(name: str, arguments: Mapping[str, Any] | str) -> dict[str, Any]:
    """A response with one call in it; a text is sent as it is."""
    written = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"toolCalls": [{"name": name, "arguments": written}]}


CITE = on(TITLE, **call("send_response", REPLY))
SEARCH = on("", **call("search_knowledge_base", {"query": "locked out after wrong passwords", "category": None}))
BROKEN = on(GARBLED, **call("search_knowledge_base", '{"query": "locked'))
FIXTURES = [
    on(TOTALS, **call("escalate_to_human", ESCALATION)),
    on(SPEECH, content="Somebody does: what can we do for you?"),
    {**BROKEN, "match": {"endpoint": "chat", "sequenceIndex": 0}},
    on(CUT_OFF, content="You choose", finishReason="length"),
    CITE,
    SEARCH,
]
SLOW = [{**CITE, "chaos": {"latencyMs": 30_000}}, SEARCH]


def open_peer() -> Iterator[ModelPeer]:
    require_node(MODEL_PEER)
    with running_model_peer(FIXTURES) as peer:
        yield peer


@pytest.fixture(scope="module")
def first_peer() -> Iterator[ModelPeer]:
    """The first provider of this test process."""
    yield from open_peer()


@pytest.fixture(scope="module")
def second_peer() -> Iterator[ModelPeer]:
    """The second one."""
    yield from open_peer()


@pytest.fixture
def first(first_peer: ModelPeer) -> ModelPeer:
    """A provider that was never asked and has no faults."""
    first_peer.reset()
    return first_peer


@pytest.fixture
def second(second_peer: ModelPeer) -> ModelPeer:
    """Another one."""
    second_peer.reset()
    return second_peer


@pytest.fixture(params=["chat", "responses"])
def wire(request: pytest.FixtureRequest) -> str:
    """Both wires, one after the other."""
    return str(request.param)


@asynccontextmanager
async def running_worker(
    database_url: str, pool: Pool, wire: str, first: ModelPeer, second: ModelPeer | None = None
) -> AsyncIterator[None]:
    """The worker's process on the sample company's articles, with these providers."""
    settings = {
        "OPENAI_BASE_URL": f"{first.url}/v1",
        "OPENAI_API_KEY": FIRST_KEY,
        "OPENAI_MODEL": FIRST,
        "OPENAI_WIRE": wire,
    }
    if second is not None:
        settings |= {
            "FALLBACK_BASE_URL": f"{second.url}/v1",
            "FALLBACK_API_KEY": SECOND_KEY,
            "FALLBACK_MODEL": SECOND,
        }
    await import_files(pool, [SAMPLE_COMPANY])
    async with process("worker", database_url, **settings):
        yield


async def wait_for_reply(conn: Connection, reference: str) -> dict[str, Any]:
    """The one reply to a ticket's message, with the ledger of its turn, once nothing is left to be answered."""

    async def look() -> list[Any]:
        rows: list[Any] = await conn.fetch(
            """
            select m.body, m.kind, m.citations, m.degraded, t.model, t.input_tokens, t.output_tokens, t.cost_usd
              from messages m join tickets k using (conversation_id) join turns t on t.id = m.turn_id
             where k.reference = $1 and m.direction = 'outbound'
               and not exists (select 1 from message_queue where kind = 'inbound')
            """,
            reference,
        )
        return rows

    [row] = await until(look, seconds=PATIENCE)
    return dict(row)


async def assert_nobody_waits_unseen(conn: Connection) -> None:
    unseen = await conn.fetch("select waits_for, owner, last_error from waiting_customers where is_unseen")
    assert [dict(row) for row in unseen] == []
    assert await conn.fetchval("select count(*) from dead_letters") == 0


def assert_is_the_answer(reply: Mapping[str, Any]) -> None:
    assert ANSWER in reply["body"]
    assert [cited["slug"] for cited in reply["citations"]] == ["reset-password"]


def list_first_faults(peer: ModelPeer) -> list[str]:
    return list_run_faults(peer.journal(), key=FIRST_KEY, secrets=(SECOND_KEY, ADDRESS))


def list_second_faults(peer: ModelPeer) -> list[str]:
    return list_run_faults(peer.journal(), key=SECOND_KEY, secrets=(FIRST_KEY, ADDRESS))


async def test_a_question_is_searched_answered_and_cited_on_the_ticket_page(
    database_url: str, pool: Pool, conn: Connection, wire: str, first: ModelPeer
) -> None:
    port = find_free_port()
    form = {"name": "Ana Lima", "email": ADDRESS, "subject": "A question", "message": QUESTION, "plan": "pro"}
    async with process("web", database_url, PORT=str(port)), running_worker(database_url, pool, wire, first):
        await wait_for_health(port)
        sent = (await ask(port, "POST", "/support/submit", form)).body
        another = await submit(conn, QUESTION.upper(), plan="free", email="bo@example.com")
        reply = await wait_for_reply(conn, sent["ticket"])
        await wait_for_reply(conn, another)
        page = urlsplit(sent["status_url"])
        ticket = (await ask(port, "GET", f"{page.path}?{page.query}")).body
    assert_is_the_answer(reply)
    [shown] = [message for message in ticket["messages"] if message["direction"] == "outbound"]
    assert ANSWER in shown["text"]
    assert [(cited["title"], cited["version"]) for cited in shown["citations"]] == [(TITLE, 1)]
    assert (reply["model"], reply["degraded"], reply["cost_usd"]) == (FIRST, False, None)
    asked = [row["usage"] for row in await conn.fetch("select usage from turn_steps where model = $1", FIRST)]
    assert asked
    assert {(usage["input_tokens"], usage["output_tokens"]) for usage in asked} == {(1200, 40)}
    assert reply["input_tokens"] > 0
    assert reply["input_tokens"] * 40 == reply["output_tokens"] * 1200
    assert list_first_faults(first) == []
    await assert_nobody_waits_unseen(conn)


async def test_a_model_that_calls_a_person_leaves_a_ticket_that_one_owns(
    database_url: str, pool: Pool, conn: Connection, wire: str, first: ModelPeer
) -> None:
    async with running_worker(database_url, pool, wire, first):
        reference = await submit(conn, TOTALS, email=ADDRESS)
        reply = await wait_for_reply(conn, reference)
    assert HANDOVER in reply["body"]
    assert (reply["kind"], reply["model"], reply["degraded"]) == ("handoff", FIRST, False)
    assert await conn.fetchval("select status from tickets where reference = $1", reference) == "escalated"
    waiting = await conn.fetchrow("select waits_for, owner, is_unseen from waiting_customers")
    assert waiting is not None
    team = await conn.fetchval("select team from escalation_routes where category = 'technical'")
    assert tuple(waiting) == ("person", team, False)
    assert list_first_faults(first) == []


async def test_words_without_a_call_broken_arguments_and_a_cut_off_reply_still_end_at_an_answer_or_a_person(
    database_url: str, pool: Pool, conn: Connection, wire: str, first: ModelPeer
) -> None:
    async with running_worker(database_url, pool, wire, first):
        references = [await submit(conn, words, email=ADDRESS) for words in (SPEECH, GARBLED, CUT_OFF)]
        speech, garbled, cut_off = [await wait_for_reply(conn, reference) for reference in references]
    assert {reply["kind"] for reply in (speech, garbled, cut_off)} <= {"answer", "clarifying_question", "handoff"}
    assert "You choose" not in cut_off["body"].splitlines()
    assert cut_off["degraded"] or cut_off["kind"] == "handoff"
    assert list_first_faults(first) == []
    await assert_nobody_waits_unseen(conn)


@pytest.mark.parametrize("fault", ["rateLimitRate", "dropRate", "disconnectRate", "malformedRate"])
async def test_while_the_first_provider_fails_the_second_one_answers_and_the_answer_is_marked(
    database_url: str, pool: Pool, conn: Connection, wire: str, first: ModelPeer, second: ModelPeer, fault: str
) -> None:
    first.set_chaos(**{fault: 1})
    async with running_worker(database_url, pool, wire, first, second):
        reply = await wait_for_reply(conn, await submit(conn, QUESTION, email=ADDRESS))
    assert_is_the_answer(reply)
    assert (reply["model"], reply["degraded"]) == (SECOND, True)
    assert list_first_faults(first) == []
    assert list_second_faults(second) == []
    await assert_nobody_waits_unseen(conn)


async def test_while_no_provider_works_the_offline_model_answers_from_the_articles(
    database_url: str, pool: Pool, conn: Connection, wire: str, first: ModelPeer, second: ModelPeer
) -> None:
    first.set_chaos(dropRate=1)
    second.set_chaos(disconnectRate=1)
    async with running_worker(database_url, pool, wire, first, second):
        reply = await wait_for_reply(conn, await submit(conn, QUESTION, email=ADDRESS))
    assert {cited["slug"] for cited in reply["citations"]} == {"reset-password"}
    assert (reply["kind"], reply["degraded"]) == ("answer", True)
    assert reply["model"] not in (FIRST, SECOND)
    assert list_first_faults(first) == list_second_faults(second) == []
    await assert_nobody_waits_unseen(conn)


async def test_a_provider_killed_in_the_middle_of_a_turn_is_followed_by_the_second_one(
    database_url: str, pool: Pool, conn: Connection, wire: str, second: ModelPeer
) -> None:
    require_node(MODEL_PEER)

    async def is_in_the_middle() -> bool:
        return any(TITLE in asked.body for asked in dying.journal())

    with running_model_peer(SLOW) as dying:
        async with running_worker(database_url, pool, wire, dying, second):
            reference = await submit(conn, QUESTION, email=ADDRESS)
            await until(is_in_the_middle, seconds=PATIENCE)
            faults = list_first_faults(dying)
            dying.kill()
            reply = await wait_for_reply(conn, reference)
    assert_is_the_answer(reply)
    assert (reply["model"], reply["degraded"]) == (SECOND, True)
    assert faults == list_second_faults(second) == []
    assert all(TITLE in asked.body for asked in second.journal()), "what was found is not searched again"
    await assert_nobody_waits_unseen(conn)
