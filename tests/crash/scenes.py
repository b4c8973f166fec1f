"""What a crash alone does not show: several at once at the same message. Each returns what is wrong, or None."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

from agent.models.base import ModelReply, ModelRequest
from agent.models.scripted import ScriptedModel
from channels.base import OutgoingMessage
from db import deliveries, handover, queue
from db.errors import LeaseLost, RetryLater
from db.pool import Pool
from db.queue import ClaimedLane
from tests.crash.fleet import fleet_in_process
from tests.crash.lives import open_twilio
from tests.crash.matrix import Desk
from tests.crash.model import ANSWER
from tests.crash.points import Case, at, make_case
from tests.crash.senders import find_port, send_until_taken
from tests.fakes import make_runner, reply_with, search_for, write_again
from tests.stand_ins.channels import DraftsChannel
from worker.deliver import Deliver

Scene = Callable[[Desk, Pool], Awaitable[str | None]]


def make_message(channel: str, to: str, body: str) -> OutgoingMessage:
    """As a channel is given it."""
    return OutgoingMessage(
        id=uuid4(), token=uuid4(), channel=channel, thread_key=to, to=to, subject="", body=body, part=1, parts=1,
        tries=1, draft_id=None, first_try_at=datetime.now(UTC), in_reply_to=None,
    )  # fmt: skip


async def claim(pool: Pool, worker: str, lease: timedelta = timedelta(minutes=1)) -> ClaimedLane:
    async with pool.acquire() as conn:
        [lane] = await queue.claim_lanes(conn, worker=worker, lanes=1, messages=20, lease=lease)
    return lane


async def commit_after_losing_the_lease(desk: Desk, pool: Pool) -> str | None:
    """Two have worked on it; who lost the lease comes to the commit first, and must not be heard."""
    case = make_case("case1", "web")
    await desk.write([case])
    late = await claim(pool, "late", timedelta(0))
    thinking = asyncio.Event()

    class Slow(ScriptedModel):
        async def reply(self, request: ModelRequest) -> ModelReply:
            thinking.set()
            await asyncio.sleep(0.3)
            return await super().reply(request)

    working = asyncio.create_task(make_runner(pool, Slow([reply_with("Good.")])).run(late))
    await thinking.wait()
    held = await claim(pool, "holder")
    holder = asyncio.create_task(make_runner(pool, Slow([reply_with("in time")] * 2)).run(held))
    await asyncio.gather(working, holder, return_exceptions=True)
    told = await desk.list_answers(case)
    return None if told == ["in time"] else f"told {told}"


async def think_on_after_losing_the_lease(desk: Desk, pool: Pool) -> str | None:
    """Who lost the lease learns it from the journal, and asks the model no more: somebody else is paying for that."""
    case = make_case("case1", "web")
    await desk.write([case])
    late = await claim(pool, "late", timedelta(0))
    model = ScriptedModel([search_for("boards"), search_for("lists"), reply_with("Good.")])
    held: list[ClaimedLane] = []

    class Overtaken(ScriptedModel):
        async def reply(self, request: ModelRequest) -> ModelReply:
            if not held:
                held.append(await claim(pool, "holder"))
            return await model.reply(request)

    with suppress(LeaseLost):
        await make_runner(pool, Overtaken([])).run(late)
    await make_runner(pool, ScriptedModel([reply_with(ANSWER)])).run(held[0])
    if await desk.list_answers(case) != [ANSWER]:
        return f"told {await desk.list_answers(case)}"
    return None if len(model.requests) == 1 else f"asked {len(model.requests)} times"


async def begin_after_losing_the_lease(desk: Desk, pool: Pool) -> str | None:
    """Who lost the lease before the send does not send."""
    case = make_case("case1", "whatsapp")
    await desk.write([case])
    async with open_twilio(desk.world) as whatsapp:
        await make_runner(pool, ScriptedModel([reply_with(ANSWER)]), channels=[whatsapp]).run(await claim(pool, "w"))
        late = await claim(pool, "late", timedelta(0))
        held = await claim(pool, "holder")
        deliver = Deliver(pool, {"whatsapp": whatsapp}, "TF")
        with suppress(LeaseLost):
            await deliver.run(late)
        early = await desk.list_answers(case)
        await deliver.run(held)
    if early:
        return "sent by a worker whose lease was over"
    return None if await desk.list_answers(case) == [ANSWER] else "not sent by the one that had it"


async def end_after_losing_the_lease(desk: Desk, pool: Pool) -> str | None:
    """Who lost the lease knows that its own try never went out, and nothing about the try of whoever came after it."""
    case = make_case("case1", "whatsapp")
    await desk.write([case])
    async with open_twilio(desk.world) as whatsapp:
        await make_runner(pool, ScriptedModel([reply_with(ANSWER)]), channels=[whatsapp]).run(await claim(pool, "w"))
        late = await claim(pool, "late", timedelta(0))
        message_id = UUID(late.jobs[0].payload["message_id"])
        await deliveries.begin_delivery(desk.conn, late, message_id, lease=timedelta(0))
        next_one = await claim(pool, "next", timedelta(0))
        second = await deliveries.begin_delivery(desk.conn, next_one, message_id, lease=timedelta(0), absence="certain")
        assert second is not None
        await whatsapp.send(OutgoingMessage(**second.message), keep_nothing)
        await deliveries.end_delivery(desk.conn, late, late.jobs[0], message_id, "not_sent")
        with suppress(RetryLater):
            await Deliver(pool, {"whatsapp": whatsapp}, "TF").run(await claim(pool, "last"))
    told = await desk.list_answers(case)
    return None if told == [ANSWER] else f"told {len(told)} times"


async def draft_after_losing_the_lease(desk: Desk, pool: Pool) -> str | None:
    """Who lost the lease before its draft was kept does not send it: whoever came after has a draft of its own."""
    case = make_case("case1", "drafts")
    await desk.write([case])
    drafts = DraftsChannel(desk.world.vendor_url)
    await make_runner(pool, ScriptedModel([reply_with(ANSWER)]), channels=[drafts]).run(await claim(pool, "w"))
    late = await claim(pool, "late", timedelta(0))
    message_id = UUID(late.jobs[0].payload["message_id"])
    first = await deliveries.begin_delivery(desk.conn, late, message_id, lease=timedelta(0))
    held = await claim(pool, "holder", timedelta(0))
    second = await deliveries.begin_delivery(desk.conn, held, message_id, lease=timedelta(0), absence="certain")
    assert first is not None
    assert second is not None
    for lane, delivery in [(held, second), (late, first)]:
        with suppress(LeaseLost):
            await drafts.send(OutgoingMessage(**delivery.message), partial(keep_draft, pool, lane, message_id))
    with suppress(RetryLater):
        await Deliver(pool, {"drafts": drafts}, "TF").run(await claim(pool, "last"))
    told = await desk.list_answers(case)
    return None if told == [ANSWER] else f"told {len(told)} times"


async def keep_draft(pool: Pool, lane: ClaimedLane, message_id: UUID, draft_id: str) -> None:
    async with pool.acquire() as conn:
        if not await deliveries.keep_draft(conn, lane, message_id, draft_id):
            raise LeaseLost(lane.lane)


async def keep_nothing(_: str) -> None:
    return None


async def hand_in_at_once(desk: Desk, pool: Pool) -> str | None:
    """The vendor posts one message five times at once: it is one."""
    arrived = asyncio.Event()

    async def hand_in() -> int | None:
        async with pool.acquire() as conn:
            arrived.set()
            return await queue.add_work(conn, "web:one", "inbound", {"version": 1}, dedupe_key="web:one")

    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("insert into lanes (lane) values ('web:one')")  # all of them wait for this to end
        tries = [asyncio.create_task(hand_in()) for _ in range(5)]
        await arrived.wait()
        await asyncio.sleep(0.3)
    taken = [new for new in await asyncio.gather(*tries) if new is not None]
    return None if len(taken) == 1 else f"taken in {len(taken)} times"


async def two_tries_and_an_index_that_never_catches_up(desk: Desk, pool: Pool) -> str | None:
    """Two tries at most, the second flagged, then a person: whatever the vendor shows."""
    desk.vendor.knobs.index_lag_seconds = 3600
    hit = at("after the vendor took it")
    case = make_case("case1", "whatsapp", hit, hit)
    await desk.write([case])
    async with fleet_in_process(desk.world, lives=1):
        await desk.settle()
    told, flagged = await desk.list_answers(case), await desk.is_flagged(case)
    return None if (told, flagged) == ([ANSWER] * 2, True) else f"told {len(told)} times, flagged {flagged}"


async def answer_with_others_around(desk: Desk, pool: Pool) -> str | None:
    """A model that takes its time, and three idle workers: one of them has it, the others keep off."""
    case = make_case("case1", "web")
    desk.world = replace(desk.world, thinks=0.3)
    await desk.write([case])
    async with fleet_in_process(desk.world, lives=4):
        await desk.settle()
    claims = desk.world.count(case, "claimed")
    return await desk.judge(case) or (None if claims == 1 else f"claimed {claims} times")


async def begin_turn(desk: Desk, case: Case) -> None:
    """Until the model is asked."""
    while not desk.world.count(case, "asked"):
        await asyncio.sleep(0.02)


async def write_again_meanwhile(desk: Desk, pool: Pool) -> str | None:
    """The customer adds something while the agent thinks: one answer, to both."""
    case = make_case("case1", "web")
    desk.world = replace(desk.world, thinks=0.3)
    await desk.write([case])
    async with fleet_in_process(desk.world, lives=1):
        await begin_turn(desk, case)
        await write_again(desk.conn, desk.references[case.key], "And one more thing (case1)")
        await desk.settle()
    told = await desk.list_answers(case)
    return None if told == [ANSWER] else f"told {len(told)} times"


async def take_over_meanwhile(desk: Desk, pool: Pool) -> str | None:
    """A person answers while the agent thinks: the agent is silent."""
    case = make_case("case1", "web")
    desk.world = replace(desk.world, thinks=0.3)
    await desk.write([case])
    async with fleet_in_process(desk.world, lives=1):
        await begin_turn(desk, case)
        await handover.add_person_message(desk.conn, desk.references[case.key], "It is me.", idempotency=uuid4())
        await desk.settle()
    told = await desk.list_answers(case)
    return None if told == ["It is me."] else f"told {told}"


async def write_again_while_the_worker_sleeps(desk: Desk, pool: Pool) -> str | None:
    """It wakes with an answer to the first message when both are answered: that answer is nobody's any more."""
    case = make_case("case1", "web", at("before committing the turn", "sleep"))
    await desk.write([case])
    async with fleet_in_process(desk.world, lives=2):
        while desk.world.find_next(case):
            await asyncio.sleep(0.02)
        await write_again(desk.conn, desk.references[case.key], "And one more thing (case1)")
        await desk.settle()
    told = await desk.list_answers(case)
    return None if told == [ANSWER] else f"told {len(told)} times"


async def take_in_and_die(desk: Desk, pool: Pool) -> str | None:
    """The web process dies before the message is stored; the vendor was told nothing, and posts it again."""
    case = make_case("case1", "whatsapp", at("before storing the message"))
    world = replace(desk.world, cases=(case,), port=find_port())
    async with fleet_in_process(world, "web", lives=1):
        lane = await send_until_taken(desk, case, world)
        await asyncio.sleep(0.3)
    desk.world = replace(desk.world, cases=(case,), lanes={lane: case.key})
    async with fleet_in_process(desk.world, lives=1):
        await desk.settle()
    return None if await desk.list_answers(case) == [ANSWER] else "acknowledged and lost"


async def hear_from_the_vendor(desk: Desk, pool: Pool) -> str | None:
    """A report carries our token: it proves what the vendor's lists do not show in time."""
    desk.vendor.knobs.index_lag_seconds = 3600
    desk.vendor.knobs.callbacks = ["sent"]
    case = make_case("case1", "whatsapp", at("after the vendor took it"))
    await desk.write([case])
    desk.world = replace(desk.world, port=find_port())
    async with fleet_in_process(desk.world, "web", lives=1), fleet_in_process(desk.world, lives=1):
        await desk.settle()
    return await desk.judge(case)


async def speak_while_it_is_in_doubt(desk: Desk, pool: Pool) -> str | None:
    """A person takes the case when the agent's reply may or may not be out: it is not sent a second time."""
    case = make_case("case1", "whatsapp", at("after marking it as being sent"))
    await desk.write([case])
    async with fleet_in_process(desk.world, lives=1):
        while desk.world.find_next(case):
            await asyncio.sleep(0.02)
        reference = await desk.conn.fetchval("select call_person(id, 'asked', '', 'TF') from conversations")
        await handover.take_over(desk.conn, reference)
        await desk.settle()
    return None if await desk.list_answers(case) == [] else "the agent spoke after a person"
