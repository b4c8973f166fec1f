"""Processes that are kept alive: whenever one ends, the next begins, until the fleet is told to stop.

In this process (`fleet_in_process`), or as real ones (`ForkServer`), forked from a process that has imported everything
and opened nothing.
"""

import asyncio
import gc
import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from agent.grounding import Evidence, ReplyDraft, check_reply
from app.rendering import load_templates
from tests.crash.life import watched_steps
from tests.crash.lives import live_as_web, live_as_worker
from tests.crash.model import ANSWER
from tests.crash.world import World
from tests.fakes import ASSESSOR

Living = Callable[[World, asyncio.Event], Coroutine[Any, Any, None]]
LIVES: dict[str, Living] = {"worker": live_as_worker, "web": live_as_web}
WAKE_AFTER_LEASES = 1.4


@asynccontextmanager
async def fleet_in_process(world: World, role: str = "worker", *, lives: int = 4) -> AsyncIterator[None]:
    """So many lives side by side in this loop, as long as the block lasts."""
    stopping = asyncio.Event()

    async def keep_alive() -> None:
        while not stopping.is_set():
            await LIVES[role](world, stopping)

    with watched_steps():
        async with asyncio.TaskGroup() as fleet:
            for _ in range(lives):
                fleet.create_task(keep_alive())
            try:
                yield
            finally:
                stopping.set()


class ForkServer:
    """Real processes, begun within milliseconds."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.crash.fleet"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.fleets = 0

    @asynccontextmanager
    async def fleet(self, world: World, role: str = "worker", *, lives: int = 4) -> AsyncIterator[None]:
        """So many processes as long as the block lasts; those that are left at its end are killed."""
        self.fleets += 1
        number = self.fleets
        self.tell({"fleet": number, "role": role, "lives": lives, "world": world.dump()})
        try:
            yield
        finally:
            self.tell({"fleet": number, "lives": 0})
            assert self.process.stdout is not None
            await asyncio.to_thread(self.process.stdout.readline)

    def tell(self, order: dict[str, object]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def close(self) -> None:
        self.process.communicate()


@dataclass(slots=True)
class Children:
    """The processes of one fleet, as their parent sees them."""

    role: str
    lives: int
    world: World
    alive: set[int] = field(default_factory=set)
    stopped: dict[int, float] = field(default_factory=dict)
    """When each of those that stand still was seen to stop."""

    def replenish(self) -> None:
        """Fork until there are enough."""
        while len(self.alive) < self.lives:
            pid = os.fork()
            if pid == 0:
                be_a_child(self.role, self.world)
            self.alive.add(pid)

    def look_after(self) -> None:
        """Bury the dead, and wake those whose lease must be over."""
        for pid in list(self.alive):
            found, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
            if found and os.WIFSTOPPED(status):
                self.stopped[pid] = time.monotonic()
            elif found:
                self.alive.discard(pid)
                self.stopped.pop(pid, None)
        for pid, since in list(self.stopped.items()):
            if time.monotonic() - since > self.world.lease * WAKE_AFTER_LEASES:
                del self.stopped[pid]
                os.kill(pid, signal.SIGCONT)

    def end(self) -> None:
        for pid in self.alive:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def be_a_child(role: str, world: World) -> None:
    """Live once; never returns."""
    os.close(0)
    try:
        with watched_steps():
            asyncio.run(LIVES[role](world, asyncio.Event()))
    except BaseException:  # noqa: BLE001 (whatever it was, there is nobody above who could be told)
        traceback.print_exc()
    os._exit(1)


def read_orders(unread: bytearray) -> list[dict[str, Any]] | None:
    """What was said within a few milliseconds; None once nobody is there any more."""
    if not select.select([0], [], [], 0.02)[0]:
        return []
    said = os.read(0, 1 << 20)
    unread += said
    *lines, rest = bytes(unread).split(b"\n")
    unread[:] = rest
    return [json.loads(line) for line in lines] if said else None


def warm_up() -> None:
    """What a process does once, done before there are any: expressions are compiled, word lists are read."""
    question = "Something about my boards (case1)"
    ASSESSOR.assess([question], previous=[], language=None, category_hint=None)
    evidence = Evidence({}, (question,), frozenset(), "Tidefern", ("localhost",), 1600, "en")
    check_reply(ReplyDraft(ANSWER, (), "acknowledgement", "en"), evidence)
    load_templates()
    gc.collect()
    gc.freeze()


def main() -> None:
    """Keep fleets as told on standard input, until that ends."""
    logging.disable(logging.CRITICAL)
    warm_up()
    fleets: dict[int, Children] = {}
    unread = bytearray()
    while (orders := read_orders(unread)) is not None:
        for order in orders:
            if order["lives"]:
                fleets[order["fleet"]] = Children(order["role"], order["lives"], World.load(order["world"]))
            else:
                fleets.pop(order["fleet"]).end()
                print(order["fleet"], flush=True)  # noqa: T201 (to whoever told us)
        for children in fleets.values():
            children.look_after()
            children.replenish()
    for children in fleets.values():
        children.end()


if __name__ == "__main__":
    main()
