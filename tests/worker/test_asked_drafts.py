"""Promises about drafts that somebody of the team asks for: written as an answer is, sent by nobody but a person."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from agent.models.base import ModelFailure, ModelReply, Usage
from agent.models.offline import OfflineModel
from agent.models.scripted import ScriptedModel
from agent.prices import Price
from app.knowledge_files import SAMPLE_COMPANY, import_files
from db import asked_drafts, drafts, handover, queue, turns
from db.asked_drafts import DraftRequest
from db.errors import LeaseLost
from db.people import Actor
from db.pool import Connection, Pool, acquire
from db.recordings import list_recorded
from tests.fakes import (
    call,
    claim_now,
    claim_one,
    hand_over,
    list_replies,
    make_runner,
    reply_with,
    submit,
    write_again,
    write_on_a_channel_without_tickets,
)
from worker.completer import Completer
from worker.jobs.draft import WriteDraft

ANA = Actor("person", UUID(int=1), "ana@team.example", "agent")
REFUND = "I was charged twice this month and I want a refund."
ANSWER = "Thank you for the details."
CASUAL = "Could you tell me more about it, please?"
HOLD = timedelta(seconds=10)
DEAR = {"dear": Price(input=Decimal(1), output=Decimal(3))}


async def escalate(pool: Pool, conn: Connection, message: str = REFUND) -> tuple[str, UUID]:
    """A customer whom the agent has handed over: the reference and the conversation."""
    reference = await submit(conn, message)
    await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_one(pool))
    talk: UUID = await conn.fetchval("select conversation_id from tickets where reference = $1", reference)
    return reference, talk


def make_job(pool: Pool, *models: Any, **settings: Any) -> WriteDraft:
    return WriteDraft(pool, Completer(pool), make_runner(pool, *models, **settings))


async def ask(conn: Connection, talk: UUID) -> str:
    return await asked_drafts.ask_for_draft(conn, talk, ANA)


async def ask_and_write(pool: Pool, conn: Connection, talk: UUID, *models: Any, **settings: Any) -> None:
    assert await ask(conn, talk) == "accepted"
    await make_job(pool, *models, **settings).run(await claim_now(conn, "draft:"))


async def find_state(conn: Connection, talk: UUID) -> str | None:
    found = await asked_drafts.find_request(conn, talk)
    return found.state if found else None


async def list_bodies(conn: Connection, talk: UUID) -> list[str]:
    return [one.body for one in await drafts.list_pending(conn, talk)]


async def list_waiting(conn: Connection) -> list[str]:
    return [row["waits_for"] for row in await conn.fetch("select waits_for from waiting_customers")]


async def look(conn: Connection) -> list[tuple[Any, ...]]:
    """All of conversations, tickets and waiting customers that asking must leave as it is."""
    rows = [
        *await conn.fetch("select * from conversations order by id"),
        *await conn.fetch("select * from tickets order by id"),
        *await conn.fetch("select * from messages order by id"),
        *await conn.fetch("select * from notices order by id"),
        *await conn.fetch("select conversation_id, waits_for, owner, due_at from waiting_customers"),
        *await conn.fetch("select * from agent_metrics"),
        *await conn.fetch("select * from autonomy_evidence"),
    ]
    return [tuple(row) for row in rows]


async def test_a_draft_that_was_asked_for_waits_for_a_person_and_changes_nothing_else(
    pool: Pool, conn: Connection
) -> None:
    _, talk = await escalate(pool, conn)
    before = await look(conn)
    await ask_and_write(pool, conn, talk, ScriptedModel([reply_with(ANSWER)]))
    [draft] = await drafts.list_pending(conn, talk)
    assert (draft.source, ANSWER in draft.body) == ("asked", True)
    assert await look(conn) == before
    assert await find_state(conn, talk) == "written"
    assert await conn.fetchval("select count(*) from message_queue where kind in ('draft', 'deliver')") == 0
    assert await conn.fetchval("select action from audit") == "asked for a draft"


async def test_what_must_go_to_a_person_is_drafted_because_a_person_has_it_and_they_are_told(
    pool: Pool, conn: Connection
) -> None:
    _, talk = await escalate(pool, conn)
    model = ScriptedModel([reply_with(ANSWER)])
    await ask_and_write(pool, conn, talk, model)
    [draft] = await drafts.list_pending(conn, talk)
    assert draft.note == "Alone it would have handed this over (billing dispute)."
    told = model.requests[0].items[0].text
    assert "a colleague has this conversation" in told
    assert "fired: must be escalated" not in told
    assert "create_ticket" not in [tool.name for tool in model.requests[0].tools]


async def test_a_draft_files_no_ticket_even_if_a_model_tries(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Hello there")
    await make_runner(pool, ScriptedModel([reply_with(ANSWER)])).run(await claim_one(pool))
    talk = await conn.fetchval("select conversation_id from tickets where reference = $1", reference)
    before = await look(conn)
    filing = call("create_ticket", subject="Hello there", category="general", priority="high", summary="They greet us.")
    model = ScriptedModel([filing, reply_with(CASUAL)])
    await ask_and_write(pool, conn, talk, model)
    assert await look(conn) == before
    assert "unknown_tool" in model.requests[1].items[-1].output


@pytest.mark.parametrize(
    ("code", "words"),
    [("no_answer", "It found nothing that answers this."), ("safety", "It would have handed this over.")],
)
async def test_a_model_that_would_hand_over_again_says_why_and_hands_nothing_over(
    pool: Pool, conn: Connection, code: str, words: str
) -> None:
    _, talk = await escalate(pool, conn)
    before = await look(conn)
    await ask_and_write(pool, conn, talk, ScriptedModel([hand_over(code)]))
    assert await look(conn) == before
    told = await asked_drafts.find_request(conn, talk)
    assert told == DraftRequest("nothing", f"{words} The customer wants a person.")
    assert await list_bodies(conn, talk) == []


async def test_without_a_key_it_says_honestly_that_it_found_nothing(pool: Pool, conn: Connection) -> None:
    _, talk = await escalate(pool, conn, "How do I teach my parrot the tango?")
    await ask_and_write(pool, conn, talk, OfflineModel())
    told = await asked_drafts.find_request(conn, talk)
    assert told is not None
    assert (told.state, (told.why or "").startswith("It found nothing that answers this.")) == ("nothing", True)


async def test_what_nothing_supports_is_not_drafted(pool: Pool, conn: Connection) -> None:
    _, talk = await escalate(pool, conn)
    invented = reply_with("You get $991 back within 3 days.", kind="answer")
    await ask_and_write(pool, conn, talk, ScriptedModel([invented] * 5))
    assert await list_bodies(conn, talk) == []
    assert await find_state(conn, talk) == "failed"


async def test_when_no_model_answers_whoever_asked_is_told_and_may_ask_again(pool: Pool, conn: Connection) -> None:
    _, talk = await escalate(pool, conn)
    before = await look(conn)
    await ask_and_write(pool, conn, talk, ScriptedModel([ModelFailure("unavailable", "503")] * 3))
    told = await asked_drafts.find_request(conn, talk)
    assert told == DraftRequest("failed", "None of our models could answer just now.")
    assert await look(conn) == before
    await ask_and_write(pool, conn, talk, ScriptedModel([reply_with(ANSWER)]))
    assert len(await list_bodies(conn, talk)) == 1


async def test_a_fallback_that_wrote_it_is_named(pool: Pool, conn: Connection) -> None:
    _, talk = await escalate(pool, conn, "Hello there")
    broken = ScriptedModel([ModelFailure("unavailable", "503")])
    await ask_and_write(pool, conn, talk, broken, ScriptedModel([reply_with(ANSWER)]))
    [draft] = await drafts.list_pending(conn, talk)
    assert draft.note is not None
    assert draft.note.startswith("A fallback model wrote it")


async def test_work_that_fails_for_good_is_no_dead_letter_and_no_turn_stays_open(pool: Pool, conn: Connection) -> None:
    _, talk = await escalate(pool, conn)
    await ask(conn, talk)
    lane = await claim_now(conn, "draft:")
    await asked_drafts.open_turn(conn, lane, [UUID(lane.jobs[0].payload["request_id"])], prompt_version="x")
    await turns.reserve_spend(
        conn,
        talk,
        Decimal("0.02"),
        make_runner(pool).budgets,
        turn_id=await conn.fetchval("select id from turns where lane like 'draft:%'"),
    )
    await make_job(pool, ScriptedModel([])).give_up(lane, "it broke")
    assert await find_state(conn, talk) == "failed"
    assert await conn.fetchval("select count(*) from dead_letters") == 0
    assert await conn.fetchval("select count(*) from turns where state = 'running' or reserved_usd > 0") == 0
    assert await conn.fetchval("select max(level) from quotas where key like 'spend:%'") == 0
    assert await conn.fetchval("select pending from lanes where lane like 'draft:%'") == 0


async def test_a_request_whose_work_was_lost_has_failed_and_may_be_made_again(pool: Pool, conn: Connection) -> None:
    _, talk = await escalate(pool, conn)
    await ask(conn, talk)
    await queue.bury_work(conn, await claim_now(conn, "draft:"), error="it broke")
    assert await find_state(conn, talk) == "failed"
    assert await ask(conn, talk) == "accepted"


async def test_two_who_ask_get_one_draft(pool: Pool, conn: Connection) -> None:
    _, talk = await escalate(pool, conn)
    assert [await ask(conn, talk), await ask(conn, talk)] == ["accepted", "repeated"]
    model = ScriptedModel([reply_with(ANSWER)] * 2)
    await make_job(pool, model).run(await claim_now(conn, "draft:"))
    assert await ask(conn, talk) == "repeated", "it is there already"
    assert (len(model.requests), len(await list_bodies(conn, talk))) == (1, 1)


async def test_a_draft_is_about_what_the_customer_wrote_since_they_were_answered(pool: Pool, conn: Connection) -> None:
    reference, talk = await escalate(pool, conn, "Hello there")
    await handover.add_person_message(conn, reference, "Good morning.", idempotency=uuid4(), who=ANA)
    for words in ("And where is my invoice?", "It is for September."):
        await write_again(conn, reference, words)
        await make_runner(pool, ScriptedModel([])).run(await claim_one(pool))
    model = ScriptedModel([reply_with(ANSWER)])
    await ask_and_write(pool, conn, talk, model)
    brief = model.requests[0].brief
    assert [line.text for line in brief.burst] == ["And where is my invoice?", "It is for September."]
    assert [line.author for line in brief.history] == ["customer", "agent", "person"]


class Meanwhile(ScriptedModel):
    """Something happens while it thinks."""

    def __init__(self, happens: Any) -> None:
        super().__init__([reply_with(ANSWER)] * 2)
        self.happens = happens

    async def reply(self, request: Any) -> ModelReply:
        await self.happens()
        return await super().reply(request)


@pytest.mark.parametrize("what", ["customer writes", "person answers", "resolved", "agent answers"])
async def test_what_is_said_meanwhile_makes_the_draft_worthless(pool: Pool, conn: Connection, what: str) -> None:
    reference, talk = await escalate(pool, conn)

    async def happen() -> None:
        async with acquire(pool) as own:
            if what == "customer writes":
                await write_again(own, reference, "Never mind.")
            elif what == "person answers":
                await handover.add_person_message(own, reference, "My own words.", idempotency=uuid4(), who=ANA)
            elif what == "resolved":
                await handover.settle_elsewhere(own, reference, ANA)
            else:
                await own.execute("select supersede_drafts($1)", talk)

    await ask_and_write(pool, conn, talk, Meanwhile(happen))
    assert await list_bodies(conn, talk) == []
    assert await find_state(conn, talk) == (None if what == "person answers" else "dropped")
    assert await conn.fetchval("select count(*) from message_queue where kind = 'draft'") == 0


async def test_a_draft_is_superseded_when_the_customer_writes_again(pool: Pool, conn: Connection) -> None:
    reference, talk = await escalate(pool, conn)
    await ask_and_write(pool, conn, talk, ScriptedModel([reply_with(ANSWER)]))
    await write_again(conn, reference, "Never mind.")
    await make_runner(pool, ScriptedModel([])).run(await claim_one(pool))
    assert await list_bodies(conn, talk) == []


async def test_a_request_made_while_an_older_one_is_dropped_is_answered(pool: Pool, conn: Connection) -> None:
    reference, talk = await escalate(pool, conn)

    async def answer_and_ask_again() -> None:
        async with acquire(pool) as own:
            if await find_state(own, talk) == "open" and await own.fetchval("select count(*) from draft_requests") == 1:
                await handover.add_person_message(own, reference, "My own words.", idempotency=uuid4(), who=ANA)
                assert await ask(own, talk) == "accepted"

    await ask_and_write(pool, conn, talk, Meanwhile(answer_and_ask_again))
    assert (await list_bodies(conn, talk), await find_state(conn, talk)) == ([], "open")
    await make_job(pool, ScriptedModel([reply_with(CASUAL)])).run(await claim_now(conn, "draft:"))
    assert len(await list_bodies(conn, talk)) == 1


async def test_a_worker_that_lost_its_lease_keeps_nothing(pool: Pool, conn: Connection) -> None:
    _, talk = await escalate(pool, conn)
    await ask(conn, talk)
    late = await claim_now(conn, "draft:")

    async def lose() -> None:
        async with acquire(pool) as own:
            await own.execute("update lanes set token = token + 1 where lane = $1", late.lane)

    with pytest.raises(LeaseLost):
        await make_job(pool, Meanwhile(lose)).run(late)
    assert (await list_bodies(conn, talk), await find_state(conn, talk)) == ([], "open")


async def test_after_a_crash_what_a_model_was_paid_for_is_not_asked_again(pool: Pool, conn: Connection) -> None:
    _, talk = await escalate(pool, conn, "How do I export a board?")
    await ask(conn, talk)
    search = call("search_knowledge_base", query="export a board", category=None)

    class Crash(BaseException):
        pass

    def crash(_: Any) -> Any:
        raise Crash

    with pytest.raises(Crash):
        await make_job(pool, ScriptedModel([search, crash])).run(await claim_now(conn, "draft:"))
    model = ScriptedModel([reply_with(CASUAL)])
    await make_job(pool, model).run(await claim_now(conn, "draft:"))
    assert (len(model.requests), len(await list_bodies(conn, talk))) == (1, 1)


async def test_a_draft_is_paid_from_the_same_budgets_and_is_in_the_ledger_but_in_no_figure(
    pool: Pool, conn: Connection
) -> None:
    _, talk = await escalate(pool, conn)
    costly = ModelReply("dear", tuple(reply_with(ANSWER)), usage=Usage(1000, 1000))
    await ask_and_write(pool, conn, talk, ScriptedModel([costly], name="dear"), prices=DEAR)
    row = await conn.fetchrow("select outcome, cost_usd, reserved_usd from turns where lane like 'draft:%'")
    assert row
    assert tuple(row) == ("suggested", Decimal("0.004"), 0)
    assert await conn.fetchval("select sum(cost_usd) from channel_costs") == Decimal("0.004")
    assert await conn.fetchval("select min(level)::numeric from quotas where key like 'spend:%'") == Decimal("0.004")
    assert await conn.fetchval("select count(*) from agent_metrics") == 1
    assert len(await list_recorded(conn)) == 1


async def test_where_the_budget_is_used_up_a_model_that_costs_nothing_writes(pool: Pool, conn: Connection) -> None:
    _, talk = await escalate(pool, conn, "Hello there")
    dear = ScriptedModel([reply_with(ANSWER)], name="dear")
    free = ScriptedModel([reply_with(CASUAL)])
    await ask_and_write(pool, conn, talk, dear, free, prices=DEAR, daily_budget="0.00001")
    [body] = await list_bodies(conn, talk)
    assert (CASUAL in body, dear.requests) == (True, [])


async def test_whoever_sends_it_has_answered_and_it_keeps_what_it_stands_on(pool: Pool, conn: Connection) -> None:
    reference, talk = await escalate(pool, conn)
    await ask_and_write(pool, conn, talk, ScriptedModel([reply_with(ANSWER)]))
    [draft] = await drafts.list_pending(conn, talk)
    await conn.execute("""update drafts set citations = '[{"slug": "refunds", "title": "Refunds"}]'""")
    sent = await drafts.approve_draft(conn, talk, draft.id, "My words.", distance=0.5, idempotency=uuid4(), who=ANA)
    row = await conn.fetchrow("select author, sent_by, citations from messages where body = 'My words.'")
    assert row
    assert (sent, row["author"], row["sent_by"]) == ("accepted", "person", ANA.name)
    assert row["citations"][0]["slug"] == "refunds"
    assert await conn.fetchval("select status from tickets where reference = $1", reference) == "answered"
    assert await conn.fetchval("select count(*) from waiting_customers") == 0
    assert await conn.fetchval("select state from drafts") == "edited"


async def test_a_draft_that_was_sent_and_taken_back_waits_again(pool: Pool, conn: Connection) -> None:
    reference, talk = await escalate(pool, conn)
    await ask_and_write(pool, conn, talk, ScriptedModel([reply_with(ANSWER)]))
    [draft] = await drafts.list_pending(conn, talk)
    token = uuid4()
    await drafts.approve_draft(conn, talk, draft.id, ANSWER, distance=0, idempotency=token, who=ANA, hold=HOLD)
    assert await handover.take_back(conn, reference, token, ANA) == "accepted"
    assert [one.id for one in await drafts.list_pending(conn, talk)] == [draft.id]
    assert len(await list_waiting(conn)) == 1


async def test_the_agent_reads_of_files_what_their_marks_say(pool: Pool, conn: Connection) -> None:
    _, talk = await escalate(pool, conn, "Look:\n[image]\n[plan.pdf, application/pdf, 12 kB]\nPro is nine dollars.")
    model = ScriptedModel([reply_with(ANSWER)])
    await ask_and_write(pool, conn, talk, model)
    brief = model.requests[0].brief
    assert brief.unread == ("image",)
    assert brief.own_words.split() == ["Look:", "Pro", "is", "nine", "dollars."]


async def test_a_draft_that_is_refused_is_gone_and_nobody_takes_over(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Hello there")
    await make_runner(pool, ScriptedModel([reply_with(ANSWER)])).run(await claim_one(pool))
    talk = await conn.fetchval("select conversation_id from tickets where reference = $1", reference)
    await ask_and_write(pool, conn, talk, ScriptedModel([reply_with(CASUAL)]))
    [draft] = await drafts.list_pending(conn, talk)
    assert await drafts.reject_draft(conn, talk, draft.id, ANA) == "accepted"
    assert await conn.fetchval("select handler from conversations") == "agent"
    assert CASUAL not in "".join(await list_replies(conn, reference))
    assert await ask(conn, talk) == "accepted"


async def test_nothing_is_drafted_before_anything_was_read(pool: Pool, conn: Connection) -> None:
    await submit(conn, "Hello there")
    talk = await conn.fetchval("select id from conversations")
    assert await ask(conn, talk) == "unread"
    assert await ask(conn, uuid4()) == "missing"


async def test_nothing_is_drafted_for_whom_nothing_may_be_sent(pool: Pool, conn: Connection) -> None:
    await write_on_a_channel_without_tickets(conn, "Hello there")
    await make_runner(pool, ScriptedModel([reply_with(ANSWER)])).run(await claim_one(pool))
    await conn.execute("update customer_identifiers set suppressed_at = now(), suppressed_why = 'they wrote STOP'")
    assert await ask(conn, await conn.fetchval("select id from conversations")) == "suppressed"


async def test_what_is_over_is_not_answered_again(pool: Pool, conn: Connection) -> None:
    reference, talk = await escalate(pool, conn)
    await handover.settle_elsewhere(conn, reference, ANA)
    await ask_and_write(pool, conn, talk, ScriptedModel([reply_with(ANSWER)]))
    assert await find_state(conn, talk) == "nothing"


async def test_without_a_key_it_quotes_the_article_even_where_it_had_handed_the_customer_over(
    pool: Pool, conn: Connection
) -> None:
    await import_files(pool, [SAMPLE_COMPANY])
    reference = await submit(conn, "How do I reset my password? And I want to talk to a person.")
    await make_runner(pool, OfflineModel()).run(await claim_one(pool))
    talk = await conn.fetchval("select conversation_id from tickets where reference = $1", reference)
    assert await conn.fetchval("select handler from conversations") == "human"
    await ask_and_write(pool, conn, talk, OfflineModel())
    [draft] = await drafts.list_pending(conn, talk)
    assert [cited["slug"] for cited in draft.citations] == ["reset-password"]
    assert draft.note == "Alone it would have handed this over (human wanted)."
