"""The blows: which process is killed, stopped or replaced, and when. Drawn from the seed, one after the other."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from bench.chaos.fleet import Fleet, Member
from bench.chaos.plan import Plan
from bench.chaos.producer import Producer
from bench.chaos.server import OwnPostgres
from db.pool import UNAVAILABLE, open_connection

KILL_WEB, KILL_WORKER, KILL_POSTGRES = "web killed", "worker killed", "Postgres killed"
STOP_WORKER, DEPLOY = "worker stopped beyond its lease", "deployed"
WEIGHTS = {KILL_WEB: 3, KILL_WORKER: 4, KILL_POSTGRES: 1, STOP_WORKER: 2, DEPLOY: 1}
LONGEST_WAIT = 60.0  # seconds after which a recovery is given up


@dataclass(slots=True)
class Havoc:
    """Strikes until cancelled."""

    plan: Plan
    fleet: Fleet
    postgres: OwnPostgres
    producer: Producer
    blows: Counter[str] = field(default_factory=Counter)
    lanes_back: list[float] = field(default_factory=list)
    """Seconds from a worker's death until every lane it held was claimed by another or free."""
    commits_back: list[float] = field(default_factory=list)
    """Seconds from Postgres taking connections again to the first acknowledged message."""
    rng: random.Random = field(default_factory=random.Random)
    is_postgres_down: bool = False
    under_way: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.plan.seed + 2)

    async def run(self) -> None:
        """Never returns. Each kind of blow comes once first; the next does not wait until the one before is over."""
        first = self.rng.sample(list(WEIGHTS), len(WEIGHTS))
        while True:
            await asyncio.sleep(self.rng.expovariate(1 / self.plan.calm))
            [later] = self.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))
            self.begin(first.pop() if first else later)

    def begin(self, blow: str) -> None:
        """Strike, unless the only possible victims are being dealt with already."""
        kind = {KILL_WEB: "web", DEPLOY: self.rng.choice(("web", "worker"))}.get(blow, "worker")
        member = self.rng.choice(self.fleet.list_kind(kind))
        if blow == KILL_POSTGRES and not self.is_postgres_down:
            self.is_postgres_down = True
            self.start(blow, self.kill_postgres())
        elif blow != KILL_POSTGRES and not member.is_busy:
            member.is_busy = True
            acts: dict[str, Callable[[Member], Coroutine[Any, Any, None]]] = {
                KILL_WEB: self.kill, KILL_WORKER: self.kill_worker, STOP_WORKER: self.stop_worker, DEPLOY: self.deploy,
            }  # fmt: skip
            self.start(blow, self.deal_with(member, acts[blow]))

    def start(self, blow: str, act: Coroutine[Any, Any, None]) -> None:
        self.blows[blow] += 1
        task = asyncio.create_task(act)
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def settle(self) -> None:
        """Wait until everything that was struck runs again."""
        while self.under_way:
            await asyncio.gather(*self.under_way)

    async def deal_with(self, member: Member, act: Callable[[Member], Coroutine[Any, Any, None]]) -> None:
        try:
            await act(member)
        finally:
            member.is_busy = False

    async def kill(self, member: Member) -> None:
        await member.kill()
        await asyncio.sleep(self.rng.random() * 2)
        await member.start()

    async def kill_worker(self, member: Member) -> None:
        pid, killed_at = member.pid, time.monotonic()
        measuring = asyncio.create_task(self.measure_lanes(pid, killed_at))
        await self.kill(member)
        await measuring

    async def measure_lanes(self, pid: int, killed_at: float) -> None:
        """How long until others have all lanes of this process; nothing when it held none."""
        await asyncio.sleep(0.1)
        held = await self.list_lanes(pid)
        had_some = bool(held)
        while held and time.monotonic() - killed_at < LONGEST_WAIT:
            await asyncio.sleep(0.2)
            held = await self.list_lanes(pid)
        if had_some and held == []:
            self.lanes_back.append(time.monotonic() - killed_at)

    async def list_lanes(self, pid: int) -> list[str] | None:
        """The lanes in the hands of one process; None while the database cannot be asked."""
        with suppress(*UNAVAILABLE):
            conn = await open_connection(self.postgres.url)
            try:
                rows = await conn.fetch(
                    "select lane from lanes where lease_until is not null and worker like $1", f"%-{pid}-%"
                )
            finally:
                await conn.close()
            return [row["lane"] for row in rows]
        return None

    async def stop_worker(self, member: Member) -> None:
        """It sleeps over its lease and then goes on as if nothing had happened."""
        member.signal(signal.SIGSTOP)
        await asyncio.sleep(self.plan.lease * (1.2 + self.rng.random()))
        member.signal(signal.SIGCONT)

    async def deploy(self, member: Member) -> None:
        await member.stop()
        await member.start()

    async def kill_postgres(self) -> None:
        self.postgres.kill(with_backends=self.rng.random() < 0.5)
        await asyncio.sleep(self.rng.random() * 2)
        await self.postgres.start()
        self.is_postgres_down = False
        await self.measure_commit(time.time())

    async def measure_commit(self, ready_at: float) -> None:
        """How long until a message that was posted after the start is acknowledged; nothing when none was posted."""
        while time.time() - ready_at < LONGEST_WAIT and self.producer.acked < self.plan.messages:
            began, acked_at = self.producer.last_ack
            if began >= ready_at:
                self.commits_back.append(acked_at - ready_at)
                return
            await asyncio.sleep(0.01)
