"""Two things at the same moment: a person's click or the customer's next word against the reply in the making, at every
place where they can meet. The race is forced: whoever has to wait is seen waiting before the other goes on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

import pytest

from agent.models.base import Item, ModelReply, ModelRequest
from agent.models.scripted import ScriptedModel
from channels.base import KeepDraft, NotSent, OutgoingMessage
from db import queue, tickets
from db.errors import RetryLater
from db.pool import Connection, Pool, acquire
from db.queue import ClaimedLane
from db.tickets import NewWebMessage
from tests.fakes import (
    call,
    claim_one,
    list_replies,
    make_runner,
    reply_with,
    submit,
    write_again,
    write_on_a_channel_without_tickets,
)
from worker.deliver import Deliver

Happening = Callable[[], Awaitable[object]]
LEASE = timedelta(minutes=1)


@dataclass
class Interrupted:
    """A model during whose first call something happens."""

    reply_items: list[Item]
    happens: Happening
    name: str = "interrupted"
    requests: list[ModelRequest] = field(default_factory=list)

    async def reply(self, request: ModelRequest) -> ModelReply:
        self.requests.append(request)
        if len(self.requests) == 1:
            await self.happens()
        return await ScriptedModel([self.reply_items]).reply(request)


@dataclass
class Vendor:
    """Takes messages; during the first one something happens, and then it may turn out not to be taken."""

    happens: Happening | None = None
    failure: Exception | None = None
    absence_is_proof: bool = True
    taken: list[str] = field(default_factory=list)
    asked: int = 0
    name: str = "whatsapp"
    index_lag: timedelta | None = timedelta(0)

    def split(self, body: str) -> list[str]:
        return body.split("\n")

    async def send(self, message: OutgoingMessage, keep_draft: KeepDraft) -> str:
        self.asked += 1
        if self.asked == 1 and self.happens is not None:
            await self.happens()
        if self.asked == 1 and self.failure is not None:
            raise self.failure
        self.taken.append(message.body)
        return f"sent-{message.token}"

    async def look_up(self, message: OutgoingMessage) -> str | None:
        return None


@dataclass
class Desk:
    """One customer, one agent, one team."""

    pool: Pool
    conn: Connection
    vendor: Vendor = field(default_factory=Vendor)

    async def answer(self, *replies: str, happens: Happening | None = None) -> None:
        """A worker takes the turn that waits; something may happen while the model thinks."""
        await self.run_turn(await claim_one(self.pool), *replies, happens=happens)

    async def run_turn(self, lane: ClaimedLane, *replies: str, happens: Happening | None = None) -> None:
        items = [reply_with(reply) for reply in replies]
        model = ScriptedModel(items) if happens is None else Interrupted(items[0], happens)
        await make_runner(self.pool, model, channels=[self.vendor]).run(lane)

    async def deliver(self) -> None:
        """A worker sends what waits to be sent, however long it was put off, as the loop would."""
        await self.conn.execute("update lanes set run_at = now() where lane like 'out:%'")
        lane = await claim_one(self.pool)
        assert lane.lane.startswith("out:")
        try:
            await Deliver(self.pool, {"whatsapp": self.vendor}, "TF").run(lane)
        except RetryLater as error:
            await queue.release_lane(self.conn, lane, pause=error.delay, failure=str(error), is_try=False)

    async def reference(self) -> str:
        async with acquire(self.pool) as conn:
            return str(await conn.fetchval("select reference from tickets order by id desc limit 1"))

    async def click(self) -> None:
        async with acquire(self.pool) as conn:
            assert await tickets.take_over(conn, await self.reference()) == "accepted"

    async def say(self) -> None:
        async with acquire(self.pool) as conn:
            assert await tickets.add_person_message(conn, await self.reference(), "Jane here.", idempotency=uuid4())

    async def write(self, text: str = "One more thing") -> None:
        """The customer's next word on the ticket page."""
        async with acquire(self.pool) as conn:
            await write_again(conn, await self.reference(), text)

    async def chat(self, text: str = "One more thing", number: str = "+4915112345678") -> None:
        """The customer's next word in the chat."""
        async with acquire(self.pool) as conn:
            await write_on_a_channel_without_tickets(conn, text, number=number)

    async def answer_with_ticket(self, reply: str) -> None:
        ticket = call("create_ticket", subject="A question", category="general", priority="normal", summary="Asks.")
        model = ScriptedModel([ticket, reply_with(reply)])
        await make_runner(self.pool, model, channels=[self.vendor]).run(await claim_one(self.pool))

    async def list_states(self) -> list[str]:
        """How the turns ended, in their order."""
        return [row["state"] for row in await self.conn.fetch("select state from turns order by started_at")]

    async def list_waiting(self) -> list[str]:
        return [row["waits_for"] for row in await self.conn.fetch("select waits_for from waiting_customers")]


@pytest.fixture
def desk(pool: Pool, conn: Connection) -> Desk:
    return Desk(pool, conn)


@asynccontextmanager
async def holding_conversation(pool: Pool) -> AsyncIterator[None]:
    """Somebody else has the conversation's row; whoever wants it waits in line."""
    async with acquire(pool) as other, other.transaction():
        await other.execute("select from conversations for update")
        yield


async def see_waiting(pool: Pool, count: int) -> None:
    """Return once so many sessions wait for a lock."""
    async with asyncio.timeout(10), acquire(pool) as conn:
        while await conn.fetchval("select count(distinct pid) from pg_locks where not granted") < count:
            await asyncio.sleep(0.005)


async def queue_up(desk: Desk, *happenings: Happening) -> list[object]:
    """All of them at once, in this order before the conversation's lock."""
    tasks: list[asyncio.Future[object]] = []
    async with holding_conversation(desk.pool):
        for happening in happenings:
            tasks.append(asyncio.ensure_future(happening()))
            await see_waiting(desk.pool, len(tasks))
    return await asyncio.gather(*tasks)


async def hold_commit(desk: Desk, reply: str) -> Happening:
    """A turn that has thought; called, it commits."""
    lane = await claim_one(desk.pool)
    ready, go = asyncio.Event(), asyncio.Event()

    async def think() -> None:
        ready.set()
        await go.wait()

    turn = asyncio.create_task(desk.run_turn(lane, reply, happens=think))
    await ready.wait()

    async def commit() -> None:
        go.set()
        await turn

    return commit


async def begin_chat(desk: Desk) -> None:
    """A chat with a ticket: one word of the customer has its reply, which was sent, and the next one waits."""
    await desk.chat("Hello there")
    await desk.answer_with_ticket("Hello.")
    await desk.deliver()
    assert desk.vendor.taken == ["Hello."]
    desk.vendor.taken.clear()
    desk.vendor.asked = 0
    await desk.chat("How does it work?")


# While the model thinks


@pytest.mark.parametrize("act", [Desk.click, Desk.say])
async def test_whoever_of_the_team_steps_in_while_the_model_thinks_is_not_talked_over(
    desk: Desk, act: Callable[[Desk], Awaitable[None]]
) -> None:
    reference = await submit(desk.conn, "Hello there")
    await desk.answer("too late", happens=lambda: act(desk))
    await desk.answer()
    assert await desk.list_states() == ["silenced", "done"]
    assert "too late" not in await list_replies(desk.conn, reference)
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
    await desk.answer("for the newest")
    assert await list_replies(desk.conn, reference) == ["third", "for the newest"]
    assert await desk.list_waiting() == []
    await desk.write()
    await desk.answer("dropped", happens=desk.write)
    assert (await desk.list_states())[-1] == "superseded", "patience is counted anew after an answer"


# While the commit waits for the conversation


@pytest.mark.parametrize("act", [Desk.click, Desk.say])
async def test_a_click_before_the_commit_voids_the_reply(desk: Desk, act: Callable[[Desk], Awaitable[None]]) -> None:
    reference = await submit(desk.conn, "Hello there")
    await queue_up(desk, lambda: act(desk), await hold_commit(desk, "too late"))
    assert await desk.list_states() == ["silenced"]
    assert "too late" not in await list_replies(desk.conn, reference)


@pytest.mark.parametrize("act", [Desk.click, Desk.say])
async def test_a_click_right_after_the_commit_keeps_the_reply_from_the_vendor(
    desk: Desk, act: Callable[[Desk], Awaitable[None]]
) -> None:
    await begin_chat(desk)
    await queue_up(desk, await hold_commit(desk, "committed first"), lambda: act(desk))
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
    await desk.answer("first part\nsecond part")
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
    await desk.answer("first part\nsecond part")
    desk.vendor.happens = lambda: act(desk)
    await desk.deliver()
    if act is Desk.say:
        await desk.deliver()
    assert desk.vendor.taken == (["first part"] if act is Desk.click else ["first part", "Jane here."])
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
    await desk.answer("the agent's word")
    desk.vendor.happens, desk.vendor.failure = lambda: act(desk), failure
    await desk.deliver()
    await desk.deliver()
    assert desk.vendor.taken == ([] if act is Desk.click else ["Jane here."])
    assert await desk.conn.fetchval("select delivery from messages where body = 'the agent''s word'") == "cancelled"
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
    await desk.answer("in doubt")
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
        commit = await hold_commit(desk, "the agent's word")
        word = NewWebMessage(reference, "One more thing", uuid4().hex, f"{uuid4().hex}-00", uuid4().hex, 0)
        await asyncio.gather(
            commit(),
            act(desk, tickets.add_person_message, reference, "Jane here.", idempotency=uuid4()),
            act(desk, tickets.add_web_message, word),
            act(desk, tickets.take_over, reference),
            act(desk, tickets.hand_back, reference),
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
        commit = await hold_commit(desk, "the agent's word")
        reference = await desk.reference()
        idle = await claim_idle(desk, number)
        _, _, _, kept, *_ = await asyncio.gather(
            commit(),
            Deliver(desk.pool, {"whatsapp": desk.vendor}, "TF").run(out),
            act(desk, tickets.add_person_message, reference, "Jane here.", idempotency=uuid4()),
            act(desk, queue.extend_leases, worker="w", held=[out, *idle], lease=LEASE),
            desk.chat("And another thing", number=chat),
        )
        assert {lane.lane for lane in idle} <= kept  # type: ignore[operator]
        await put_off(desk)
    kept = "select count(*) from messages where body = 'the agent''s word' and delivery <> 'cancelled'"
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
        beat = asyncio.create_task(act(desk, queue.extend_leases, worker="w", held=[out, inbound], lease=LEASE))
        await asyncio.wait([beat], timeout=5)
    await turn
    assert await beat == {out.lane, inbound.lane}
    assert await desk.list_states() == ["done", "done"]


async def act(desk: Desk, function: Callable[..., Awaitable[object]], *values: object, **named: object) -> object:
    """On a connection of its own."""
    async with acquire(desk.pool) as conn:
        return await function(conn, *values, **named)


async def claim_idle(desk: Desk, number: int) -> list[ClaimedLane]:
    """Many lanes that nobody works on, with names around those of the chat."""
    for name in ("a", "out:", "z"):
        for place in range(5):
            await queue.add_work(
                desk.conn, f"{name}{number}-{place}", "sweep", {}, dedupe_key=f"{name}{number}-{place}"
            )
    return await queue.claim_lanes(desk.conn, worker="w", lanes=50, messages=1, lease=LEASE)


async def put_off(desk: Desk) -> None:
    """What is left is for no later round."""
    await desk.conn.execute("update lanes set run_at = now() + interval '1 day', lease_until = null, token = null")


async def pending_agrees(conn: Connection) -> bool:
    agrees: bool = await conn.fetchval(
        "select bool_and(pending = (select count(*) from message_queue q where q.lane = l.lane)) from lanes l"
    )
    return agrees
