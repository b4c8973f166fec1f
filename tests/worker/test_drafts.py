"""Promises about approval: what the agent may not say alone is said by nobody until somebody of the team decides."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from agent.models.scripted import ScriptedModel
from db import drafts, handover
from db.people import Actor
from db.pool import Connection, Pool, acquire
from tests.fakes import claim_now, claim_one, hand_over, list_replies, make_runner, reply_with, submit, write_again
from worker.deliver import Deliver

ANA = Actor("person", UUID(int=1), "ana@team.example", "manager")
BEN = Actor("person", UUID(int=2), "ben@team.example", "agent")
THANKS = "Thank you for writing."
HOLD = timedelta(seconds=10)


async def let_draft(conn: Connection, mode: str = "draft") -> None:
    await conn.execute("update channel_configs set mode = $1 where channel = 'web'", mode)


async def write_draft(pool: Pool, conn: Connection, *, email: str = "ana@example.com") -> tuple[str, drafts.Draft]:
    """A customer asks and the agent writes a draft: the reference and the draft."""
    reference = await submit(conn, "Hello there", email=email)
    await make_runner(pool, ScriptedModel([reply_with(THANKS)])).run(await claim_one(pool))
    talk = await conn.fetchval("select conversation_id from tickets where reference = $1", reference)
    [draft] = await drafts.list_pending(conn, talk)
    return reference, draft


async def find_talk(conn: Connection, draft: drafts.Draft) -> UUID:
    talk: UUID = await conn.fetchval("select conversation_id from drafts where id = $1", draft.id)
    return talk


async def approve(
    conn: Connection, draft: drafts.Draft, *, text: str = THANKS, hold: timedelta = timedelta(0), who: Actor = ANA
) -> UUID:
    token, talk = uuid4(), await find_talk(conn, draft)
    outcome = await drafts.approve_draft(
        conn, talk, draft.id, text, distance=0.0, idempotency=token, who=who, hold=hold
    )
    assert outcome == "accepted"
    return token


async def list_waiting(conn: Connection) -> list[str]:
    """What those who wait are waiting for."""
    return [row["waits_for"] for row in await conn.fetch("select waits_for from waiting_customers")]


async def test_what_waits_for_approval_is_not_sent_and_the_customer_waits_for_a_person(
    pool: Pool, conn: Connection
) -> None:
    await let_draft(conn)
    reference, draft = await write_draft(pool, conn)
    assert (draft.body, draft.source, await list_replies(conn, reference)) == (THANKS, "agent", [])
    row = await conn.fetchrow("select waits_for, owner, due_at is not null as has_time, is_unseen from inbox")
    assert row
    assert tuple(row) == ("person", "support", True, False)
    assert await conn.fetchval("select outcome from turns") == "drafted"
    assert await conn.fetchval("select first_response_met_at from tickets") is None


async def test_an_approved_draft_is_sent_as_the_agents_answer_and_the_agent_goes_on(
    pool: Pool, conn: Connection
) -> None:
    await let_draft(conn)
    reference, draft = await write_draft(pool, conn)
    await approve(conn, draft)
    await Deliver(pool, {}, "TF").run(await claim_now(conn, "out:"))
    assert await list_replies(conn, reference) == [THANKS]
    said = await conn.fetchrow("select author, sent_by from messages where direction = 'outbound'")
    assert said
    assert tuple(said) == ("agent", ANA.name)
    assert await conn.fetchval("select count(*) from waiting_customers") == 0
    assert await conn.fetchval("select handler from conversations") == "agent"
    assert await conn.fetchval("select first_response_met_at is not null from tickets")


async def test_a_draft_is_decided_once_by_whoever_is_first(pool: Pool, conn: Connection) -> None:
    await let_draft(conn)
    reference, draft = await write_draft(pool, conn)
    await approve(conn, draft)
    talk = await find_talk(conn, draft)
    late = await drafts.approve_draft(conn, talk, draft.id, "Other words", distance=1, idempotency=uuid4(), who=ANA)
    assert (late, await drafts.reject_draft(conn, talk, draft.id, ANA)) == ("decided", "decided")
    assert await list_replies(conn, reference) == [THANKS]


async def test_whoever_rejects_a_draft_has_the_conversation(pool: Pool, conn: Connection) -> None:
    await let_draft(conn)
    reference, draft = await write_draft(pool, conn)
    assert await drafts.reject_draft(conn, await find_talk(conn, draft), draft.id, ANA) == "accepted"
    row = await conn.fetchrow(
        "select handler, assignee, waits_for from inbox join conversations c on c.id = conversation_id"
    )
    assert row
    assert tuple(row) == ("human", ANA.name, "person")
    assert await list_replies(conn, reference) == []


async def test_when_the_customer_writes_again_the_old_draft_is_gone_and_a_new_one_answers_both(
    pool: Pool, conn: Connection
) -> None:
    await let_draft(conn)
    reference, first = await write_draft(pool, conn)
    await write_again(conn, reference, "And thank you")
    await make_runner(pool, ScriptedModel([reply_with("You are welcome.")])).run(await claim_one(pool))
    talk = await conn.fetchval("select id from conversations")
    assert [one.body for one in await drafts.list_pending(conn, talk)] == ["You are welcome."]
    assert await conn.fetchval("select state from drafts where id = $1", first.id) == "superseded"


async def test_when_somebody_answers_in_their_own_words_the_draft_is_gone(pool: Pool, conn: Connection) -> None:
    await let_draft(conn)
    reference, draft = await write_draft(pool, conn)
    await handover.add_person_message(conn, reference, "My own words.", idempotency=uuid4(), who=ANA)
    assert await drafts.list_pending(conn, await find_talk(conn, draft)) == []


async def test_an_approved_draft_that_is_taken_back_waits_again(pool: Pool, conn: Connection) -> None:
    await let_draft(conn)
    reference, draft = await write_draft(pool, conn)
    token = await approve(conn, draft, hold=HOLD)
    assert await handover.take_back(conn, reference, token, ANA) == "accepted"
    assert [one.id for one in await drafts.list_pending(conn, await find_talk(conn, draft))] == [draft.id]
    assert await handover.load_taken_back(conn, await find_talk(conn, draft), token) == THANKS
    await Deliver(pool, {}, "TF").run(await claim_now(conn, "out:"))
    assert await conn.fetchval("select count(*) from messages where delivery = 'sent'") == 0


async def test_a_turn_that_began_before_an_approval_is_begun_anew_with_it(pool: Pool, conn: Connection) -> None:
    await let_draft(conn)
    reference, draft = await write_draft(pool, conn)
    await write_again(conn, reference, "Are you there?")

    async def approve_meanwhile() -> None:
        async with acquire(pool) as own:
            await approve(own, draft)

    class Slow(ScriptedModel):
        async def reply(self, request):  # type: ignore[no-untyped-def]
            await approve_meanwhile()
            return await super().reply(request)

    await make_runner(pool, Slow([reply_with("Old news.")])).run(await claim_one(pool))
    assert await conn.fetchval("select count(*) from drafts where body = 'Old news.'") == 0
    assert await conn.fetchval("select pending from lanes where lane like 'web:%'") == 1


async def test_a_hand_over_needs_no_approval(pool: Pool, conn: Connection) -> None:
    await let_draft(conn)
    reference = await submit(conn, "I want to talk to a person")
    await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_one(pool))
    assert len(await list_replies(conn, reference)) == 1


async def test_a_category_may_be_freer_than_its_channel(pool: Pool, conn: Connection) -> None:
    await let_draft(conn)
    await drafts.decide_autonomy(conn, "web", "general", "auto", why="tried", who=ANA)
    reference = await submit(conn, "Hello there")
    await make_runner(pool, ScriptedModel([reply_with(THANKS)])).run(await claim_one(pool))
    assert await list_replies(conn, reference) == [THANKS]


@pytest.mark.parametrize(("approved", "edited", "proposal"), [(30, 0, "auto"), (25, 5, None), (10, 0, None)])
async def test_a_category_is_proposed_for_auto_only_when_it_is_sure_that_hardly_any_draft_needs_a_hand(
    conn: Connection, approved: int, edited: int, proposal: str | None
) -> None:
    await let_draft(conn)
    await decide_many(conn, approved=approved, edited=edited)
    [row] = await drafts.list_evidence(conn)
    assert (row.decided, row.unedited, row.proposal) == (approved + edited, approved, proposal)
    await drafts.decide_autonomy(conn, "web", "general", "draft", why="not yet", who=ANA)
    assert await drafts.list_evidence(conn) == []


async def decide_many(conn: Connection, *, approved: int, edited: int) -> None:
    """Drafts that were decided about a second ago."""
    await conn.execute(
        """
        insert into drafts (conversation_id, channel, category, source, body, state, decided_by, decided_at, distance)
        select new_id(), 'web', 'general', 'agent', 'text', case when n <= $1::int then 'approved' else 'edited' end,
               'ana@team.example', clock_timestamp() - interval '1 second', case when n <= $1::int then 0 else 0.3 end
          from generate_series(1, $1::int + $2::int) n
        """,
        approved,
        edited,
    )


async def test_a_category_falls_back_to_drafts_when_its_answers_lead_to_people(pool: Pool, conn: Connection) -> None:
    for number in range(12):
        reference = await submit(conn, "Hello there", email=f"ana{number}@example.com")
        await make_runner(pool, ScriptedModel([reply_with(THANKS, kind="acknowledgement")])).run(await claim_one(pool))
        await conn.execute("update agent_metrics set outcome = 'answered' where outcome = 'acknowledged'")
        if number % 2:
            await write_again(conn, reference, "That is wrong, I want a person")
            await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_one(pool))
    await conn.execute("update tickets set category = 'general'")
    assert await drafts.fall_back(conn) == 1
    assert await conn.fetchval("select mode_of('web', 'general')") == "draft"
    row = await conn.fetchrow("select actor_name, action from audit")
    assert row
    assert tuple(row) == ("Deskhand", "let the agent draft")
    assert await drafts.fall_back(conn) == 0


@pytest.mark.parametrize("act", ["settle", "addendum", "take over"])
async def test_what_somebody_approved_is_sent_whatever_is_clicked_next(pool: Pool, conn: Connection, act: str) -> None:
    await let_draft(conn)
    reference, draft = await write_draft(pool, conn)
    await approve(conn, draft, hold=HOLD)
    if act == "settle":
        await handover.settle_elsewhere(conn, reference, ANA)
    elif act == "addendum":
        await handover.add_person_message(conn, reference, "And this.", idempotency=uuid4(), who=ANA)
    else:
        await handover.take_over(conn, reference, BEN)
    await Deliver(pool, {}, "TF").run(await claim_now(conn, "out:"))
    said = await conn.fetch("select body from messages where delivery = 'sent' and author = 'agent'")
    assert [row["body"] for row in said] == [THANKS]
    assert await list_waiting(conn) == []


async def test_a_draft_that_is_approved_after_somebody_took_over_answers_the_customer(
    pool: Pool, conn: Connection
) -> None:
    await let_draft(conn)
    reference, draft = await write_draft(pool, conn)
    await handover.take_over(conn, reference, ANA)
    await approve(conn, draft)
    await Deliver(pool, {}, "TF").run(await claim_now(conn, "out:"))
    assert await list_waiting(conn) == []
    assert await handover.hand_back(conn, reference, ANA) == "accepted"


@pytest.mark.parametrize("becomes", ["pending", "rejected", "off"])
async def test_thanks_for_one_answer_do_not_drop_the_question_that_waits_for_a_person(
    pool: Pool, conn: Connection, becomes: str
) -> None:
    reference = await submit(conn, "Hello there")
    await make_runner(pool, ScriptedModel([reply_with(THANKS)])).run(await claim_one(pool))
    await let_draft(conn, "off" if becomes == "off" else "draft")
    await write_again(conn, reference, "And how do I export a board?")
    await make_runner(pool, ScriptedModel([reply_with("Like this.")])).run(await claim_one(pool))
    talk = await conn.fetchval("select id from conversations")
    if becomes == "rejected":
        [draft] = await drafts.list_pending(conn, talk)
        await drafts.reject_draft(conn, talk, draft.id, ANA)
    await write_again(conn, reference, "Thanks!")
    await make_runner(pool, ScriptedModel([])).run(await claim_one(pool))
    assert await list_waiting(conn) == ["person"]
    assert len(await drafts.list_pending(conn, talk)) == (becomes == "pending")


async def test_a_draft_belongs_to_its_conversation(pool: Pool, conn: Connection) -> None:
    await let_draft(conn)
    _, mine = await write_draft(pool, conn)
    _, other = await write_draft(pool, conn, email="ben@example.com")
    talk = await find_talk(conn, mine)
    sent = await drafts.approve_draft(conn, talk, other.id, "x", distance=1, idempotency=uuid4(), who=ANA)
    assert (sent, await drafts.reject_draft(conn, talk, other.id, ANA)) == ("missing", "missing")
    assert await drafts.find_draft(conn, talk, other.id) is None


async def test_an_approval_sent_twice_is_one_message_and_no_complaint(pool: Pool, conn: Connection) -> None:
    await let_draft(conn)
    _, draft = await write_draft(pool, conn)
    token, talk = uuid4(), await find_talk(conn, draft)
    for outcome in ("accepted", "repeated"):
        assert outcome == await drafts.approve_draft(
            conn, talk, draft.id, THANKS, distance=0, idempotency=token, who=ANA
        )


async def test_a_correction_neither_drops_an_open_draft_nor_ends_a_wait(pool: Pool, conn: Connection) -> None:
    await let_draft(conn)
    _, draft = await write_draft(pool, conn)
    talk = await find_talk(conn, draft)
    correction = await conn.fetchval(
        "insert into drafts (conversation_id, channel, category, source, body) "
        "values ($1, 'web', 'general', 'correction', 'It is 30 days, not 14.') returning id",
        talk,
    )
    token = uuid4()
    assert (
        await drafts.approve_draft(
            conn, talk, correction, "It is 30 days, not 14.", distance=0, idempotency=token, who=ANA
        )
        == "accepted"
    )
    await Deliver(pool, {}, "TF").run(await claim_now(conn, "out:"))
    assert [one.id for one in await drafts.list_pending(conn, talk)] == [draft.id]
    assert await list_waiting(conn) == ["person"]


async def test_people_are_told_that_a_draft_waits(pool: Pool, conn: Connection) -> None:
    await let_draft(conn)
    await write_draft(pool, conn)
    assert await conn.fetchval("select reason from notices") == "draft"
