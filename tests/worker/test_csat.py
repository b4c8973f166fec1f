"""How content customers were: who is asked, when, how often, and what a question never does."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from agent.models.scripted import ScriptedModel
from channels.base import KeepDraft, OutgoingMessage, Refused
from db import csat, handover, queue, turns
from db.drafts import list_evidence
from db.pool import Connection, Pool
from tests.fakes import claim_one, hand_over, make_runner, reply_with, submit
from tests.fakes import write_on_a_channel_without_tickets as write
from worker.completer import Completer
from worker.deliver import Deliver
from worker.jobs.feedback import AskFeedback

NUMBER = "+4915112345678"


class Vendor:
    name = "whatsapp"
    index_lag = timedelta(minutes=1)
    absence_is_proof = True

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.refuses = False

    def split(self, body: str) -> list[str]:
        return [body]

    async def send(self, message: OutgoingMessage, keep_draft: KeepDraft) -> str:
        if self.refuses:
            raise Refused("63016")
        self.sent.append(message.body)
        return f"SM{message.token}"

    async def look_up(self, message: OutgoingMessage) -> str | None:
        return None


async def deliver(pool: Pool, vendor: Vendor) -> None:
    await Deliver(pool, {"whatsapp": vendor}, "TF").run(await claim_one(pool))


async def solve_chat(pool: Pool, conn: Connection, vendor: Vendor) -> None:
    """A chat that the agent answered, and that was then resolved a while ago."""
    await conn.execute(
        """
        insert into channel_configs (channel, max_chars, preferred_chars, reply_window)
        values ('whatsapp', 1600, 300, '24 hours') on conflict (channel) do update set reply_window = '24 hours'
        """
    )
    await write(conn, "Hello", number=NUMBER)
    model = ScriptedModel([reply_with("Here you are.")])
    await make_runner(pool, model, channels=[vendor]).run(await claim_one(pool))
    await deliver(pool, vendor)
    await resolve(conn)


async def resolve(conn: Connection) -> None:
    await conn.execute("update channel_configs set asks_csat = true")
    await conn.execute("select ticket_of(id, 'TF') from conversations")
    await conn.execute("select settle_elsewhere(reference) from tickets")
    await conn.execute(
        "update tickets set created_at = now() - interval '2 hours', resolved_at = now() - interval '10 minutes'"
    )


async def ask(pool: Pool, conn: Connection) -> None:
    await conn.execute(
        "update schedules set next_run_at = case name when 'csat' then now() else now() + interval '1 h' end"
    )
    await queue.add_scheduled(conn)
    lanes = await queue.claim_lanes(conn, worker="w", lanes=9, messages=20, lease=timedelta(minutes=1))
    for lane in lanes:
        if [job.kind for job in lane.jobs] == ["csat"]:
            await AskFeedback(pool, Completer(pool), lambda one: f"https://desk.example/feedback/{one}").run(lane)
        else:
            await queue.release_lane(conn, lane)


async def count(conn: Connection) -> int:
    found: int = await conn.fetchval("select count(*) from csat")
    return found


async def test_after_an_answer_the_customer_is_asked_once_with_a_link_on_their_channel(
    pool: Pool, conn: Connection
) -> None:
    vendor = Vendor()
    await solve_chat(pool, conn, vendor)
    await ask(pool, conn)
    await ask(pool, conn)
    await deliver(pool, vendor)
    question = await conn.fetchval("select id from csat")
    assert vendor.sent[1:] == [f"Did we help you? One click tells us: https://desk.example/feedback/{question}"]
    assert await conn.fetchval("select about from csat") == "agent"


async def test_the_question_is_in_the_customers_language(pool: Pool, conn: Connection) -> None:
    await solve_chat(pool, conn, Vendor())
    await conn.execute("update conversations set language = 'de'")
    await ask(pool, conn)
    assert "Ein Klick" in await conn.fetchval("select body from messages where kind = 'csat'")


async def test_the_question_answers_nothing_and_no_model_reads_it(pool: Pool, conn: Connection) -> None:
    vendor = Vendor()
    await solve_chat(pool, conn, vendor)
    await ask(pool, conn)
    await deliver(pool, vendor)
    row = await conn.fetchrow("select status, handler, waiting_since from conversations")
    assert tuple(row or ()) == ("resolved", "agent", None)
    assert await conn.fetchval("select first_response_met_at from tickets") is None
    await write(conn, "And the import?", number=NUMBER)
    lane = await claim_one(pool)
    first = lane.jobs[0].payload
    turn = await turns.open_turn(
        conn,
        turns.TurnStart(
            lane=lane.lane, token=lane.token, newest=lane.jobs[-1].id, channel="whatsapp", thread_key=NUMBER,
            subject="", trust=3, customer=first["customer"], covers_external=[first["external_id"]],
        ),
    )  # fmt: skip
    assert turn is not None
    assert [said.kind for said in turn.history] == ["acknowledgement"]


async def test_a_question_that_is_refused_calls_nobody(pool: Pool, conn: Connection) -> None:
    vendor = Vendor()
    await solve_chat(pool, conn, vendor)
    await ask(pool, conn)
    vendor.refuses = True
    await deliver(pool, vendor)
    assert await conn.fetchval("select delivery from messages where kind = 'csat'") == "failed"
    assert await conn.fetchval("select handler from conversations") == "agent"
    assert await conn.fetchval("select count(*) from waiting_customers") == 0


async def test_who_writes_before_it_is_sent_gets_no_question(pool: Pool, conn: Connection) -> None:
    vendor = Vendor()
    await solve_chat(pool, conn, vendor)
    await ask(pool, conn)
    await conn.execute("update conversations set waiting_since = now(), status = 'open'")
    await deliver(pool, vendor)
    assert vendor.sent == ["Here you are."]
    assert await conn.fetchval("select delivery from messages where kind = 'csat'") == "cancelled"


@pytest.mark.parametrize(
    "change",
    [
        "update channel_configs set asks_csat = false",
        "update conversations set is_test = true",
        "update conversations set status = 'waiting'",
        "update conversations set waiting_since = now()",
        "update tickets set status = 'answered'",
        "update tickets set resolved_at = now() - interval '2 days'",
        "update tickets set resolved_at = now()",
        "update customer_identifiers set suppressed_at = now(), suppressed_why = 'STOP'",
        "update messages set sent_at = sent_at - interval '24 hours' where direction = 'inbound'",
        "update messages set kind = 'handoff' where direction = 'outbound'",
        "insert into csat (conversation_id, customer_id, channel, about, asked_at) "
        "select gen_random_uuid(), customer_id, 'web', 'agent', now() - interval '6 days' from conversations",
    ],
)
async def test_nobody_is_asked_who_is_not_to_be(pool: Pool, conn: Connection, change: str) -> None:
    await solve_chat(pool, conn, Vendor())
    await conn.execute(change)
    before = await count(conn)
    await ask(pool, conn)
    assert await count(conn) == before


async def test_the_same_matter_is_asked_about_once_and_a_new_one_again_after_a_week(
    pool: Pool, conn: Connection
) -> None:
    await solve_chat(pool, conn, Vendor())
    await ask(pool, conn)
    await conn.execute("update csat set asked_at = asked_at - interval '8 days'")
    await ask(pool, conn)
    assert await count(conn) == 1
    await conn.execute("update csat set ticket_id = gen_random_uuid()")
    await ask(pool, conn)
    assert await count(conn) == 2


async def test_on_the_web_the_page_asks_and_no_message_is_written(pool: Pool, conn: Connection) -> None:
    reference = await submit(conn, "Let me talk to a person")
    await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_one(pool))
    await handover.add_person_message(conn, reference, "Here you are.", idempotency=uuid4())
    await resolve(conn)
    await ask(pool, conn)
    assert await conn.fetchval("select about from csat") == "person"
    assert await conn.fetchval("select count(*) from messages where kind = 'csat'") == 0
    assert await csat.find_ticket_question(conn, reference) is not None


async def add_mark(conn: Connection, score: int) -> UUID:
    question: UUID = await conn.fetchval("select id from csat")
    assert await csat.keep_score(conn, question, score, "") == "accepted"
    return question


@pytest.mark.parametrize(("score", "troubled"), [(1, 1), (2, 1), (3, 0)])
async def test_a_bad_mark_for_the_agent_counts_as_trouble(
    pool: Pool, conn: Connection, score: int, troubled: int
) -> None:
    await solve_chat(pool, conn, Vendor())
    await conn.execute("update agent_metrics set outcome = 'answered'")
    await ask(pool, conn)
    await add_mark(conn, score)
    [evidence] = await list_evidence(conn)
    assert (evidence.answers, evidence.troubled) == (1, troubled)


async def test_a_mark_may_be_changed_for_a_week(pool: Pool, conn: Connection) -> None:
    await solve_chat(pool, conn, Vendor())
    await ask(pool, conn)
    question = await add_mark(conn, 2)
    assert await csat.keep_score(conn, question, 5, "I was wrong") == "accepted"
    await conn.execute("update csat set answered_at = answered_at - interval '8 days'")
    assert await csat.keep_score(conn, question, 1, "") == "closed"
    row = await conn.fetchrow("select score, comment from csat")
    assert tuple(row or ()) == (5, "I was wrong")
    assert await csat.keep_score(conn, uuid4(), 1, "") == "missing"
