"""One life of a process, and how it ends: everything the product calls runs for real, up to the point."""

import asyncio
import functools
import os
import random
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any

from starlette.responses import Response

from agent.toolbox import Toolbox
from app.gathering import Gatherer
from app.routes import support, webhooks
from app.wakeup import Announcer
from channels.whatsapp import WhatsApp
from db import deliveries, queue, turns
from db.pool import Connection, Pool, open_pool
from db.queue import ClaimedLane
from tests.crash.model import CaseModel
from tests.crash.points import Case, Hit
from tests.crash.world import World
from tests.stand_ins.channels import DraftsChannel, MuteChannel
from tests.stand_ins.http import call

AMID_SECONDS = 0.004
"""A statement is somewhere between here and done within this time."""
TAKEN_SECONDS = 5.0


class Life:
    """From the start of a process to its end. In this process, several are lived side by side."""

    def __init__(self, world: World, case: Case | None = None) -> None:
        self.world = world
        self.case = case
        """Whom it works for just now."""
        self.pool: Pool | None = None
        self.ended = asyncio.Event()
        self.is_asleep = False

    def is_next(self, step: str, moment: str) -> bool:
        """Whether something is to happen here."""
        hit = self.world.find_next(self.case) if self.case is not None else None
        return hit is not None and hit.place == (step, moment)

    async def reach(self, step: str, moment: str) -> None:
        """Pass a point, or end there."""
        if self.case is not None and self.is_next(step, moment):
            hit = self.world.claim_next(self.case)
            if hit is not None:
                await self.suffer(self.case, hit)

    async def suffer(self, case: Case, hit: Hit) -> None:
        if hit.way == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif hit.way == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif hit.way == "sleep":
            await self.sleep(case)
        else:
            await self.crash()

    async def crash(self) -> None:
        """Cut the connections, and do nothing any more: not even what a failure would make the product do."""
        assert self.pool is not None
        self.pool.terminate()
        self.ended.set()
        await asyncio.Event().wait()

    async def sleep(self, case: Case) -> None:
        """Longer than the lease; where more is to happen to the case, until it has. The heart stands still."""
        self.is_asleep = True
        made = self.world.count_hits(case)
        if made == len(case.hits):
            await asyncio.sleep(self.world.lease * 2)
        else:
            while made == self.world.count_hits(case):
                await asyncio.sleep(0.02)

    async def beat(self) -> None:
        """The heart of a worker that sleeps stands still; it beats again when the lane in hand is done with."""
        while self.is_asleep:
            await asyncio.sleep(0.02)

    async def find_due(self, conn: Connection) -> Case | None:
        """A case that something is to happen to before its lane is claimed, once that is due, or in a moment."""
        if any(self.is_armed(case) for case in self.world.cases):
            rows = await conn.fetch(
                """
                select lane from lanes where pending > 0 and run_at < now() + interval '0.5 seconds'
                   and coalesce(lease_until, now()) < now() + interval '0.5 seconds'
                """
            )
            due = (self.world.find_case(row["lane"]) for row in rows)
            return next((case for case in due if case is not None and self.is_armed(case)), None)
        return None

    def is_armed(self, case: Case) -> bool:
        hit = self.world.find_next(case)
        return hit is not None and hit.place in (("claim", "before"), ("claim", "amid"))

    async def find_owner(self, conn: Connection, lanes: list[ClaimedLane]) -> Case | None:
        """Whose lane was claimed. There is at most one: these workers have one lane in hand at a time."""
        for lane in lanes:
            name = lane.lane
            if name.startswith("out:"):
                name = await conn.fetchval(
                    "select channel || ':' || thread_key from conversations where 'out:' || id = $1", name
                )
            return self.world.find_case(name)
        return None


LIFE: ContextVar[Life | None] = ContextVar("life", default=None)
Watched = Callable[..., Coroutine[Any, Any, Any]]


def watch_step(original: Watched, step: str) -> Watched:
    """The same function, with a point before, amid and after it."""

    @functools.wraps(original)
    async def passing(*args: Any, **kwargs: Any) -> Any:
        life = LIFE.get()
        if life is None:
            return await original(*args, **kwargs)
        await life.reach(step, "before")
        if life.is_next(step, "amid"):
            begun = asyncio.create_task(original(*args, **kwargs))
            await (see_it_taken(life.world, begun, args[1].token) if step == "send" else see_it_begun(begun))
            await life.reach(step, "amid")
            return await begun
        result = await original(*args, **kwargs)
        await life.reach(step, "after")
        return result

    return passing


def watch_claim(original: Watched) -> Watched:
    """Claims tell a life whom it works for."""
    watched = watch_step(original, "claim")

    @functools.wraps(original)
    async def claiming(conn: Connection, **kwargs: Any) -> list[ClaimedLane]:
        life = LIFE.get()
        if life is None:
            lanes: list[ClaimedLane] = await original(conn, **kwargs)
            return lanes
        while due := await life.find_due(conn):  # again, when another life was quicker to end there
            life.case = due
            await life.reach("claim", "before")
            if life.is_next("claim", "amid"):
                return list(await watched(conn, **kwargs))
        lanes = await original(conn, **kwargs)
        life.case = await life.find_owner(conn, lanes)
        if life.case is not None and lanes[0].jobs[0].kind == "inbound":
            life.world.note(life.case, "claimed")
        await life.reach("claim", "after")
        return lanes

    return claiming


def watch_heart(original: Watched) -> Watched:
    @functools.wraps(original)
    async def beating(*args: Any, **kwargs: Any) -> Any:
        life = LIFE.get()
        if life is not None:
            await life.beat()
        return await original(*args, **kwargs)

    return beating


def watch_answer(original: Watched) -> Watched:
    """Answers to what was posted: the others are nobody's acknowledgement."""
    watched = watch_step(original, "answer")

    @functools.wraps(original)
    async def answering(self: Response, scope: Any, receive: Any, send: Any) -> None:
        await (watched if scope["method"] == "POST" else original)(self, scope, receive, send)

    return answering


def watch(step: str) -> Callable[[Watched], Watched]:
    return functools.partial(watch_step, step=step)


WATCHED: list[tuple[Any, str, Callable[[Watched], Watched]]] = [
    (queue, "claim_lanes", watch_claim),
    (queue, "extend_leases", watch_heart),
    (queue, "release_lane", watch("release")),
    (turns, "open_turn", watch("open_turn")),
    (CaseModel, "reply", watch("model")),
    (Toolbox, "call", watch("tool")),
    (turns, "record_step", watch("journal")),
    (turns, "commit_turn", watch("commit")),
    (Announcer, "announce", watch("announce")),
    (deliveries, "begin_delivery", watch("begin")),
    (deliveries, "keep_draft", watch("draft")),
    (deliveries, "end_delivery", watch("end")),
    *((channel, "send", watch("send")) for channel in (DraftsChannel, MuteChannel, WhatsApp)),
    *((channel, "look_up", watch("look_up")) for channel in (DraftsChannel, MuteChannel, WhatsApp)),
    (Gatherer.__init__.__kwdefaults__, "store", watch("enqueue")),
    (support, "submit_form", watch("enqueue")),
    (webhooks, "record_status", watch("report")),
    (Response, "__call__", watch_answer),
]
"""What the product calls on the way of a message, by the name it calls it with."""


@contextmanager
def watched_steps() -> Iterator[None]:
    """Every step can be the last one for those who live a Life, inside of the block."""
    originals = [(owner, name, read_name(owner, name)) for owner, name, _ in WATCHED]
    for (owner, name, original), (_, _, wrap) in zip(originals, WATCHED, strict=True):
        if not hasattr(original, "__wrapped__"):  # else somebody around us watches already
            write_name(owner, name, wrap(original))
    try:
        yield
    finally:
        for owner, name, original in originals:
            write_name(owner, name, original)


def read_name(owner: Any, name: str) -> Any:
    """What a module, a class or the defaults of a function have under a name."""
    return owner[name] if isinstance(owner, dict) else getattr(owner, name)


def write_name(owner: Any, name: str, value: Any) -> None:
    if isinstance(owner, dict):
        owner[name] = value
    else:
        setattr(owner, name, value)


async def see_it_begun(begun: asyncio.Task[Any]) -> None:
    """Until a statement is under way: nobody knows how far."""
    await asyncio.wait([begun], timeout=random.random() * AMID_SECONDS)


async def see_it_taken(world: World, begun: asyncio.Task[Any], token: object) -> None:
    """Until the vendor has this message."""
    async with asyncio.timeout(TAKEN_SECONDS):
        while not begun.done():
            rows = (await call("GET", f"{world.vendor_url}/journal")).read_json()["accepted"]
            if any(row["token"] == str(token) for row in rows):
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def begin_life(world: World, case: Case | None = None) -> AsyncIterator[tuple[Life, AsyncExitStack]]:
    """A life with its connections to the database. What is opened on the stack is closed at its end."""
    life = Life(world, case)
    LIFE.set(life)
    async with AsyncExitStack() as stack:
        life.pool = await stack.enter_async_context(open_pool(world.database_url, size=4))
        yield life, stack
