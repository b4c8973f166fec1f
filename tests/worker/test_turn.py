"""Promises of a turn: all of it or nothing of it, once, and never over a person's head."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from agent.models.base import Item, ModelReply, ModelRequest, ToolResult
from agent.models.scripted import ScriptedModel
from app.knowledge_files import SAMPLE_COMPANY, import_files
from db import handover, queue
from db.errors import LeaseLost
from db.pool import Connection, Pool
from db.text import plain_text
from tests.fakes import (
    call,
    claim_one,
    hand_over,
    list_replies,
    make_runner,
    reply_with,
    search_for,
    submit,
    write_again,
    write_on_a_channel_without_tickets,
)

THANKS = "You are welcome."


async def count(conn: Connection, table: str) -> int:
    return int(await conn.fetchval(f"select count(*) from {table}"))  # noqa: S608 (names of our own tables)


async def test_a_turn_leaves_everything_it_did_in_one_commit(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Hello there")
    await make_runner(pool, ScriptedModel([reply_with("Hello, what can we do for you?")])).run(await claim_one(pool))
    assert await list_replies(conn, reference) == ["Hello, what can we do for you?"]
    ticket = await conn.fetchrow("select status, first_response_met_at, customer_id from tickets")
    assert ticket is not None
    assert ticket["status"] == "answered"
    assert None not in (ticket["first_response_met_at"], ticket["customer_id"])
    turn = await conn.fetchrow("select state, outcome, model from turns")
    assert turn is not None
    assert tuple(turn) == ("done", "acknowledged", "scripted")
    for table, rows in {"message_queue": 0, "messages": 2, "turn_steps": 1, "agent_metrics": 1, "customers": 1}.items():
        assert await count(conn, table) == rows, table
    assert await count(conn, "waiting_customers") == 0


async def test_a_commit_that_fails_half_way_leaves_nothing(pool: Pool, conn: Connection) -> None:
    await submit(conn, "Hello there")
    await conn.execute("alter table agent_metrics add constraint broken check (waiting_ms < 0)")
    lane = await claim_one(pool)
    with pytest.raises(Exception, match="broken"):
        await make_runner(pool, ScriptedModel([reply_with(THANKS)])).run(lane)
    assert await count(conn, "messages") == 0
    assert await count(conn, "message_queue") == 1
    assert await conn.fetchval("select status from tickets") == "open"


async def test_a_worker_whose_lease_was_taken_over_keeps_nothing(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Hello there")
    late = await claim_one(pool, worker="late", lease=timedelta(0))
    held = await claim_one(pool, worker="holder")
    with pytest.raises(LeaseLost):
        await make_runner(pool, ScriptedModel([reply_with("Good.")])).run(late)
    await make_runner(pool, ScriptedModel([reply_with("in time")])).run(held)
    assert await list_replies(conn, reference) == ["in time"]


async def test_a_lease_lost_in_the_middle_of_a_turn_keeps_nothing(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Hello there")
    lane = await claim_one(pool)

    async def lose_it() -> None:
        await conn.execute("update lanes set lease_until = now() - interval '1 second'")
        await make_runner(pool, ScriptedModel([reply_with("the other one")])).run(await claim_one(pool, worker="b"))

    with pytest.raises(LeaseLost):
        await make_runner(pool, Interrupted([reply_with("Good.")], lose_it)).run(lane)
    assert await list_replies(conn, reference) == ["the other one"]


class Interrupted:
    """A model during whose first call something happens."""

    name = "interrupted"

    def __init__(self, replies: list[list[Item]], happens: Callable[[], Awaitable[None]]) -> None:
        self.script = ScriptedModel(replies)
        self.happens = happens

    async def reply(self, request: ModelRequest) -> ModelReply:
        if not self.script.requests:
            await self.happens()
        return await self.script.reply(request)


async def test_a_reply_is_dropped_when_a_person_took_over_meanwhile(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Hello there")

    async def take_over() -> None:
        await conn.execute("update conversations set handler = 'human', epoch = epoch + 1")

    await make_runner(pool, Interrupted([reply_with("Good for you.")], take_over)).run(await claim_one(pool))
    assert await list_replies(conn, reference) == []
    assert await conn.fetchval("select state from turns") == "silenced"
    # the message itself is kept for the person, by a turn that says nothing
    await make_runner(pool, ScriptedModel([])).run(await claim_one(pool))
    assert await list_replies(conn, reference) == []
    assert await count(conn, "messages") == 1
    assert await count(conn, "message_queue") == 0
    assert await conn.fetchval("select waits_for from waiting_customers") == "person"


async def test_a_reply_is_dropped_when_the_customer_wrote_again_and_the_next_one_covers_both(
    pool: Pool, conn: Connection
) -> None:
    reference = await submit(conn, "Hello there")

    async def write() -> None:
        await write_again(conn, reference, "One more thing")

    await make_runner(pool, Interrupted([reply_with("Good.")], write)).run(await claim_one(pool))
    assert await list_replies(conn, reference) == []
    model = ScriptedModel([reply_with("for both")])
    await make_runner(pool, model).run(await claim_one(pool))
    assert await list_replies(conn, reference) == ["for both"]
    assert [line.text for line in model.requests[0].brief.burst] == ["Hello there", "One more thing"]
    assert await conn.fetchval("select array_agg(state order by started_at) from turns") == ["superseded", "done"]


async def test_a_customer_who_never_stops_writing_is_answered_after_two_dropped_replies(
    pool: Pool, conn: Connection
) -> None:
    reference = await submit(conn, "Hello there")

    async def write() -> None:
        await write_again(conn, reference, "And another thing")

    for reply in ("first", "second", "third"):
        await make_runner(pool, Interrupted([reply_with(reply)], write)).run(await claim_one(pool))
    assert await list_replies(conn, reference) == ["third"]
    assert await count(conn, "message_queue") == 1, "the newest message waits for a turn of its own"
    assert await conn.fetchval("select waits_for from waiting_customers") == "queue", "and is not forgotten meanwhile"


def crash(_: ModelRequest) -> list[Item]:
    raise ConnectionResetError


async def test_a_turn_goes_on_after_its_last_step_and_pays_for_none_twice(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Hello there")
    crashed = ScriptedModel([search_for("hello"), call("analyze_sentiment", message_ref=None), crash])
    lane = await claim_one(pool, lease=timedelta(0))
    with pytest.raises(ConnectionResetError):
        await make_runner(pool, crashed).run(lane)
    resumed = ScriptedModel([reply_with(THANKS)])
    await make_runner(pool, resumed).run(await claim_one(pool, worker="b"))
    assert len(resumed.requests) == 1
    assert await list_replies(conn, reference) == [THANKS]
    assert await conn.fetchval("select array_agg(step order by step) from turn_steps") == [1, 2, 3]
    assert await conn.fetchval("select attempts from turns") == 2


async def test_an_answer_cites_the_passage_and_version_it_stands_on(pool: Pool, conn: Connection) -> None:
    await import_files(pool, [SAMPLE_COMPANY])
    reference = await submit(conn, "How do I reset my password?")
    model = ScriptedModel([search_for("reset password"), answer_with_first_passage])
    await make_runner(pool, model).run(await claim_one(pool))
    citations = await conn.fetchval("select citations from messages where direction = 'outbound'")
    assert [(c["slug"], c["version"]) for c in citations] == [("reset-password", 1)]
    assert len(await list_replies(conn, reference)) == 1


def answer_with_first_passage(request: ModelRequest) -> list[Item]:
    [result] = [item for item in request.items if isinstance(item, ToolResult)]
    first = json.loads(result.output)["results"][0]
    return reply_with(plain_text(first["text"].split("\n")[0]), ("K1",), kind="answer")


async def test_a_person_is_called_with_route_due_time_and_a_word_to_the_customer(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Let me talk to a person")
    await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_one(pool))
    assert await list_replies(conn, reference) == ["A colleague takes over."]
    ticket = await conn.fetchrow("select status, team, priority, person_due_at, handoff_note from tickets")
    assert ticket is not None
    assert (ticket["status"], ticket["team"]) == ("escalated", "support")
    assert ticket["priority"] >= 8
    assert ticket["person_due_at"] is not None
    waiting = await conn.fetchrow("select waits_for, is_unseen, reference from waiting_customers")
    assert waiting is not None
    assert tuple(waiting) == ("person", False, reference)


async def test_thanks_close_an_answered_conversation_without_another_word(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Hello there")
    await make_runner(pool, ScriptedModel([reply_with(THANKS)])).run(await claim_one(pool))
    await write_again(conn, reference, "Thank you, it works now!")
    silent = ScriptedModel([])
    await make_runner(pool, silent).run(await claim_one(pool))
    assert await list_replies(conn, reference) == [THANKS]
    assert silent.requests == []
    assert await conn.fetchval("select status from tickets") == "resolved"
    assert await count(conn, "waiting_customers") == 0
    await write_again(conn, reference, "Actually, one more question")
    assert await conn.fetchval("select status from tickets") == "open"


async def test_the_agent_is_silent_while_a_person_has_the_conversation(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Let me talk to a person")
    await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_one(pool))
    await write_again(conn, reference, "Are you there?")
    await make_runner(pool, ScriptedModel([])).run(await claim_one(pool))
    assert len(await list_replies(conn, reference)) == 1
    assert await conn.fetchval("select array_agg(outcome order by started_at) from turns") == ["escalated", "silent"]


async def test_no_connection_is_held_while_a_model_thinks(database_url: str, pool: Pool, conn: Connection) -> None:
    await submit(conn, "Hello there")

    async def look() -> None:
        assert pool.get_idle_size() == pool.get_size() - 1, "only this test's own connection is out"

    await make_runner(pool, Interrupted([reply_with(THANKS)], look)).run(await claim_one(pool))


async def test_two_forms_of_one_address_are_one_customer_also_when_taken_up_at_once(
    pool: Pool, conn: Connection
) -> None:
    for _ in range(2):
        await submit(conn, "Hello there")
    lanes = await queue.claim_lanes(conn, worker="w", lanes=2, messages=9, lease=timedelta(minutes=1))
    await asyncio.gather(*(make_runner(pool, ScriptedModel([reply_with(THANKS)])).run(lane) for lane in lanes))
    assert await count(conn, "customers") == 1
    assert await count(conn, "customer_identifiers") == 1
    assert await conn.fetchval("select count(distinct customer_id) from conversations") == 1


async def test_a_customer_who_comes_back_on_a_persons_answer_has_an_owner_and_a_due_time(
    pool: Pool, conn: Connection
) -> None:
    reference = await submit(conn, "Hello there")
    assert await handover.add_person_message(conn, reference, "Jane here.", idempotency=uuid4()) == "accepted"
    await make_runner(pool, ScriptedModel([])).run(await claim_one(pool))
    await handover.add_person_message(conn, reference, "Is it better now?", idempotency=uuid4())
    assert await count(conn, "waiting_customers") == 0
    await write_again(conn, reference, "No, it is not")
    await make_runner(pool, ScriptedModel([])).run(await claim_one(pool))
    assert await list_replies(conn, reference) == ["Jane here.", "Is it better now?"]
    waiting = await conn.fetchrow("select waits_for, owner, due_at > now() as is_due, is_unseen from waiting_customers")
    assert waiting is not None
    assert tuple(waiting) == ("person", "support", True, False)


NEW_TICKET = call(
    "create_ticket", subject="Board does not load", category="technical", priority="high", summary="It only spins."
)


async def test_a_worker_whose_lease_moved_on_commits_nothing_even_if_the_turn_is_still_open(
    pool: Pool, conn: Connection
) -> None:
    reference = await submit(conn, "Hello there")
    lane = await claim_one(pool)
    taken: list[queue.ClaimedLane] = []

    async def lose_it() -> None:
        await conn.execute("update lanes set lease_until = now() - interval '1 second'")
        taken.append(await claim_one(pool, worker="b"))

    with pytest.raises(LeaseLost):
        await make_runner(pool, Interrupted([reply_with("Good.")], lose_it)).run(lane)
    assert await list_replies(conn, reference) == []
    await make_runner(pool, ScriptedModel([reply_with("in time")])).run(taken[0])
    assert await list_replies(conn, reference) == ["in time"]


async def test_a_step_of_a_worker_whose_lease_moved_on_is_not_journalled(pool: Pool, conn: Connection) -> None:
    await submit(conn, "Hello there")
    lane = await claim_one(pool)

    async def lose_it() -> None:
        await conn.execute("update lanes set lease_until = now() - interval '1 second'")
        await claim_one(pool, worker="b")

    with pytest.raises(LeaseLost):
        await make_runner(pool, Interrupted([search_for("boards"), reply_with("Good.")], lose_it)).run(lane)
    assert await count(conn, "turn_steps") == 0


async def test_a_worker_that_comes_too_late_asks_no_model(pool: Pool, conn: Connection) -> None:
    await submit(conn, "Hello there")
    late = await claim_one(pool, worker="late", lease=timedelta(0))
    await claim_one(pool, worker="holder")
    model = ScriptedModel([reply_with("Good.")])
    with pytest.raises(LeaseLost):
        await make_runner(pool, model).run(late)
    assert model.requests == []


async def test_a_dropped_turn_leaves_no_ticket_behind(pool: Pool, conn: Connection) -> None:
    await write_on_a_channel_without_tickets(conn, "My board does not load")

    async def take_over() -> None:
        await conn.execute("update conversations set handler = 'human', epoch = epoch + 1")

    model = Interrupted([NEW_TICKET, reply_with(THANKS)], take_over)
    await make_runner(pool, model).run(await claim_one(pool))
    assert await count(conn, "tickets") == 0
    assert await count(conn, "messages") == 0


async def test_what_tools_did_before_a_crash_is_part_of_the_commit_after_it(pool: Pool, conn: Connection) -> None:
    await write_on_a_channel_without_tickets(conn, "My board does not load")
    lane = await claim_one(pool, lease=timedelta(0))
    with pytest.raises(ConnectionResetError):
        await make_runner(pool, ScriptedModel([NEW_TICKET, crash])).run(lane)
    assert await count(conn, "tickets") == 0
    await make_runner(pool, ScriptedModel([reply_with(THANKS)])).run(await claim_one(pool, worker="b"))
    ticket = await conn.fetchrow("select subject, priority, status, first_response_due_at from tickets")
    assert ticket is not None
    assert (ticket["subject"], ticket["status"]) == ("Board does not load", "answered")
    assert ticket["priority"] >= 7
    assert ticket["first_response_due_at"] is not None


async def test_what_was_found_before_a_crash_can_be_cited_after_it(pool: Pool, conn: Connection) -> None:
    await import_files(pool, [SAMPLE_COMPANY / "reset-password.md"])
    await submit(conn, "How do I reset my password?")
    lane = await claim_one(pool, lease=timedelta(0))
    with pytest.raises(ConnectionResetError):
        await make_runner(pool, ScriptedModel([search_for("reset password"), crash])).run(lane)
    await make_runner(pool, ScriptedModel([answer_with_first_passage])).run(await claim_one(pool, worker="b"))
    [cited] = await conn.fetchval("select citations from messages where direction = 'outbound'")
    assert cited["slug"] == "reset-password"


async def test_a_handover_moves_the_epoch_so_that_nothing_begun_before_it_is_said_after_it(
    pool: Pool, conn: Connection
) -> None:
    await submit(conn, "Let me talk to a person")
    await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_one(pool))
    assert await conn.fetchval("select epoch from conversations") == 1


async def test_an_answered_ticket_bears_the_category_and_priority_that_were_found(pool: Pool, conn: Connection) -> None:
    await submit(conn, "The board won't load, only a spinner.")
    await make_runner(pool, ScriptedModel([reply_with(THANKS)])).run(await claim_one(pool))
    ticket = await conn.fetchrow("select category, priority, priority_why from tickets")
    assert ticket is not None
    assert (ticket["category"], ticket["priority"] >= 5, bool(ticket["priority_why"])) == ("technical", True, True)
