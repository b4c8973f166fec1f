"""Two things at the same moment: a person's click or the customer's next word against the reply in the making, at every
place where they can meet. The race is forced: whoever has to wait is seen waiting before the other goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from channels.base import NotSent
from db import handover, queue, tickets
from db.pool import Connection, Pool
from db.tickets import NewWebMessage
from tests.fakes import claim_one, list_replies, submit
from tests.worker.racing import (
    LEASE,
    Desk,
    begin_chat,
    claim_idle,
    hold_commit,
    holding_conversation,
    on_its_own,
    pending_agrees,
    put_off,
    queue_up,
    see_waiting,
)
from worker.deliver import Deliver


@pytest.fixture
def desk(pool: Pool, conn: Connection) -> Desk:
    return Desk(pool, conn)


# While the model thinks


@pytest.mark.parametrize("act", [Desk.click, Desk.say])
async def test_whoever_of_the_team_steps_in_while_the_model_thinks_is_not_talked_over(
    desk: Desk, act: Callable[[Desk], Awaitable[None]]
) -> None:
    reference = await submit(desk.conn, "Hello there")
    await desk.answer("Good for you.", happens=lambda: act(desk))
    await desk.answer()
    assert await desk.list_states() == ["silenced", "done"]
    assert "Good for you." not in await list_replies(desk.conn, reference)
    assert await desk.list_waiting() == ([] if act is Desk.say else ["person"])


async def test_a_word_that_comes_while_the_model_thinks_is_answered_with_the_one_before(desk: Desk) -> None:
    reference = await submit(desk.conn, "Hello there")
    await desk.answer("for the first", happens=desk.write)
    await desk.answer("for both")
    assert await desk.list_states() == ["superseded", "done"]
    assert await list_replies(desk.conn, reference) == ["for both"]
    assert await desk.list_waiting() == []


async def test_after_two_dropped_replies_the_third_is_kept_and_the_newest_word_gets_its_own(desk: Desk) -> None:
    reference = await submit(desk.conn, "Hello there")
    for reply in ("first", "second", "third"):
        await desk.answer(reply, happens=desk.write)
    assert await desk.list_states() == ["superseded", "superseded", "done"]
    assert await list_replies(desk.conn, reference) == ["third"]
    assert await desk.list_waiting() == ["queue"]
    await desk.answer("Here is how.")
    assert await list_replies(desk.conn, reference) == ["third", "Here is how."]
    assert await desk.list_waiting() == []
    await desk.write()
    await desk.answer("Good day.", happens=desk.write)
    assert (await desk.list_states())[-1] == "superseded", "patience is counted anew after an answer"


# While the commit waits for the conversation


@pytest.mark.parametrize("act", [Desk.click, Desk.say])
async def test_a_click_before_the_commit_voids_the_reply(desk: Desk, act: Callable[[Desk], Awaitable[None]]) -> None:
    reference = await submit(desk.conn, "Hello there")
    await queue_up(desk, lambda: act(desk), await hold_commit(desk, "Good for you."))
    assert await desk.list_states() == ["silenced"]
    assert "Good for you." not in await list_replies(desk.conn, reference)


@pytest.mark.parametrize("act", [Desk.click, Desk.say])
async def test_a_click_right_after_the_commit_keeps_the_reply_from_the_vendor(
    desk: Desk, act: Callable[[Desk], Awaitable[None]]
) -> None:
    await begin_chat(desk)
    await queue_up(desk, await hold_commit(desk, "Glad to hear it."), lambda: act(desk))
    assert (await desk.list_states())[-1] == "done"
    await desk.deliver()
    assert desk.vendor.taken == ([] if act is Desk.click else ["Jane here."])
    assert await desk.list_waiting() == (["person"] if act is Desk.click else [])


async def test_a_word_before_the_commit_supersedes_it(desk: Desk) -> None:
    reference = await submit(desk.conn, "Hello there")
    await queue_up(desk, desk.write, await hold_commit(desk, "for the first"))
    assert await desk.list_states() == ["superseded"]
    await desk.answer("for both")
    assert await list_replies(desk.conn, reference) == ["for both"]


async def test_a_word_right_after_the_commit_waits_for_a_turn_of_its_own(desk: Desk) -> None:
    reference = await submit(desk.conn, "Hello there")
    await queue_up(desk, await hold_commit(desk, "for the first"), desk.write)
    assert await desk.list_states() == ["done"]
    assert await desk.list_waiting() == ["queue"]
    await desk.answer("for the second")
    assert await list_replies(desk.conn, reference) == ["for the first", "for the second"]
    assert await desk.list_waiting() == []


# Between the commit and the vendor


@pytest.mark.parametrize("act", [Desk.click, Desk.say])
async def test_a_reply_that_waits_to_be_sent_is_not_sent_after_a_person_stepped_in(
    desk: Desk, act: Callable[[Desk], Awaitable[None]]
) -> None:
    await begin_chat(desk)
    await desk.answer("Here is how.\nHere it is.")
    await act(desk)
    await desk.deliver()
    assert desk.vendor.taken == ([] if act is Desk.click else ["Jane here."])
    assert await desk.list_waiting() == (["person"] if act is Desk.click else [])


async def test_a_word_that_comes_before_the_reply_is_sent_is_answered_after_it(desk: Desk) -> None:
    await begin_chat(desk)
    await desk.answer("for the first")
    await desk.chat()
    await desk.deliver()
    assert await desk.list_waiting() == ["queue"]
    await desk.answer("for the second")
    await desk.deliver()
    assert desk.vendor.taken == ["for the first", "for the second"]
    assert await desk.list_waiting() == []


# While the vendor is taking it


@pytest.mark.parametrize("act", [Desk.click, Desk.say])
async def test_what_the_vendor_is_taking_when_a_person_steps_in_is_kept_as_sent_and_nothing_follows_it(
    desk: Desk, act: Callable[[Desk], Awaitable[None]]
) -> None:
    await begin_chat(desk)
    await desk.answer("Here is how.\nHere it is.")
    desk.vendor.happens = lambda: act(desk)
    await desk.deliver()
    if act is Desk.say:
        await desk.deliver()
    assert desk.vendor.taken == (["Here is how."] if act is Desk.click else ["Here is how.", "Jane here."])
    assert await desk.list_waiting() == (["person"] if act is Desk.click else [])


async def test_a_word_that_comes_while_the_vendor_takes_the_reply_still_waits_afterwards(desk: Desk) -> None:
    await begin_chat(desk)
    await desk.answer("for the first")
    desk.vendor.happens = desk.chat
    await desk.deliver()
    assert desk.vendor.taken == ["for the first"]
    assert await desk.list_waiting() == ["queue"]


@pytest.mark.parametrize("failure", [NotSent("busy", delay=timedelta(0)), ConnectionResetError()])
@pytest.mark.parametrize("act", [Desk.click, Desk.say])
async def test_a_try_that_failed_is_not_repeated_after_a_person_stepped_in(
    desk: Desk, act: Callable[[Desk], Awaitable[None]], failure: Exception
) -> None:
    await begin_chat(desk)
    await desk.answer("Thanks for that.")
    desk.vendor.happens, desk.vendor.failure = lambda: act(desk), failure
    await desk.deliver()
    await desk.deliver()
    assert desk.vendor.taken == ([] if act is Desk.click else ["Jane here."])
    assert await desk.conn.fetchval("select delivery from messages where body = 'Thanks for that.'") == "cancelled"
    assert await desk.list_waiting() == (["person"] if act is Desk.click else [])


# A person's answer among what is already under way


async def test_a_persons_answer_that_leaves_before_the_word_is_taken_up_ends_the_wait(desk: Desk) -> None:
    await begin_chat(desk)
    await desk.say()
    assert len(await desk.list_waiting()) == 1, "until it has left"
    await desk.deliver()
    await desk.answer()
    assert desk.vendor.taken == ["Jane here."]
    assert await desk.list_waiting() == []


async def test_a_persons_answer_ends_the_wait_also_after_a_reply_that_is_in_doubt_for_good(desk: Desk) -> None:
    await begin_chat(desk)
    await desk.answer("Very good.")
    desk.vendor.failure, desk.vendor.index_lag = ConnectionResetError(), None
    await desk.deliver()
    assert await desk.list_waiting() == ["person"]
    await desk.say()
    await desk.deliver()
    assert desk.vendor.taken == ["Jane here."]
    assert await desk.list_waiting() == []


# Everybody at once


async def test_clicks_words_and_commits_at_one_moment_never_deadlock(desk: Desk) -> None:
    for _ in range(100):
        reference = await submit(desk.conn, "Hello there")
        commit = await hold_commit(desk, "Thanks for that.")
        word = NewWebMessage(reference, "One more thing", uuid4().hex, f"{uuid4().hex}-00", uuid4().hex, 0)
        await asyncio.gather(
            commit(),
            on_its_own(desk, handover.add_person_message, reference, "Jane here.", idempotency=uuid4()),
            on_its_own(desk, tickets.add_web_message, word),
            on_its_own(desk, handover.take_over, reference),
            on_its_own(desk, handover.hand_back, reference),
        )
        await put_off(desk)
    assert set(await desk.list_states()) <= {"done", "silenced", "superseded"}
    assert await pending_agrees(desk.conn)


async def test_commits_deliveries_clicks_and_heartbeats_at_one_moment_never_deadlock(desk: Desk) -> None:
    for number in range(30):
        chat = f"+49151{number:08}"
        await desk.chat("Hello there", number=chat)
        await desk.answer_with_ticket("Hello.")
        out = await claim_one(desk.pool)
        await desk.chat("How does it work?", number=chat)
        commit = await hold_commit(desk, "Thanks for that.")
        reference = await desk.reference()
        idle = await claim_idle(desk, number)
        _, _, _, kept, *_ = await asyncio.gather(
            commit(),
            Deliver(desk.pool, {"whatsapp": desk.vendor}, "TF").run(out),
            on_its_own(desk, handover.add_person_message, reference, "Jane here.", idempotency=uuid4()),
            on_its_own(desk, queue.extend_leases, worker="w", held=[out, *idle], lease=LEASE),
            desk.chat("And another thing", number=chat),
        )
        assert {(lane.lane, lane.token) for lane in idle} <= kept  # type: ignore[operator]
        await put_off(desk)
    kept = "select count(*) from messages where body = 'Thanks for that.' and delivery <> 'cancelled'"
    assert await desk.conn.fetchval(kept) == 0, "committed before the person's word or after, it is not sent"
    assert await pending_agrees(desk.conn)


async def test_a_heartbeat_neither_waits_for_a_commit_nor_calls_its_lane_lost(desk: Desk) -> None:
    await desk.chat("Hello there")
    await desk.answer("Hello.")
    out = await claim_one(desk.pool)
    await desk.chat("How does it work?")
    inbound = await claim_one(desk.pool)
    ready, go = asyncio.Event(), asyncio.Event()

    async def think() -> None:
        ready.set()
        await go.wait()

    turn = asyncio.create_task(desk.run_turn(inbound, "It works like this.", happens=think))
    await ready.wait()
    async with holding_conversation(desk.pool):
        go.set()
        await see_waiting(desk.pool, 1)  # the commit has its lane, and will want that of the replies
        beat = asyncio.create_task(on_its_own(desk, queue.extend_leases, worker="w", held=[out, inbound], lease=LEASE))
        await asyncio.wait([beat], timeout=5)
    await turn
    assert await beat == {(lane.lane, lane.token) for lane in (out, inbound)}
    assert await desk.list_states() == ["done", "done"]


async def test_a_lane_that_was_lost_and_claimed_again_by_the_same_worker_is_lost_to_its_old_task(desk: Desk) -> None:
    await desk.chat("Hello there")
    late = await claim_one(desk.pool)
    await desk.conn.execute("update lanes set lease_until = now() - interval '1 s'")
    again = await claim_one(desk.pool)
    kept = await on_its_own(desk, queue.extend_leases, worker="w", held=[late, again], lease=LEASE)
    assert kept == {(again.lane, again.token)}
