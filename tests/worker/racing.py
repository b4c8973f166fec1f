"""A desk at which two things can be made to happen at the same moment."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

from agent.models.base import Item, ModelReply, ModelRequest
from agent.models.scripted import ScriptedModel
from channels.base import KeepDraft, OutgoingMessage
from db import handover, queue
from db.errors import RetryLater
from db.pool import Connection, Pool, acquire
from db.queue import ClaimedLane
from tests.fakes import (
    call,
    claim_one,
    make_runner,
    reply_with,
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
            assert await handover.take_over(conn, await self.reference()) == "accepted"

    async def say(self) -> None:
        async with acquire(self.pool) as conn:
            assert await handover.add_person_message(conn, await self.reference(), "Jane here.", idempotency=uuid4())

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


async def on_its_own(
    desk: Desk, function: Callable[..., Awaitable[object]], *values: object, **named: object
) -> object:
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
