"""The product's own processes: several of each kind, started, killed, stopped, continued, deployed."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from app.postmaster import stop_with_parent

KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
STOP_SECONDS = 30.0  # a worker may take 20 s to finish what it has in hand


@dataclass(slots=True)
class Member:
    """One process, and whatever takes its place after it was killed."""

    kind: str
    """web or worker, or the module of another program."""
    number: int
    settings: Mapping[str, str]
    log: Path
    arguments: tuple[str, ...] = ()
    process: asyncio.subprocess.Process | None = None
    is_busy: bool = False
    """Somebody is doing something to it; two blows at once would wait for each other."""

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    async def start(self) -> None:
        """Start it; its output goes to its log, also that of its successors."""
        kept = {name: value for name, value in os.environ.items() if name in KEPT}
        with self.log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self.arguments,
                env=kept | dict(self.settings),
                stdout=output,
                stderr=output,
                preexec_fn=stop_with_parent(os.getpid()) if sys.platform == "linux" else None,
            )

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        await self.wait()

    async def stop(self) -> None:
        """SIGTERM, as in a deploy; SIGKILL when that is not heard."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.wait(), STOP_SECONDS)
        except TimeoutError:
            await self.kill()

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)

    async def wait(self) -> None:
        if self.process is not None:
            await self.process.wait()

    async def keep_alive(self) -> None:
        """Start it again whenever it ended by itself, as a host does. Never returns."""
        while True:
            await asyncio.sleep(0.5)
            if not self.is_busy and self.process is not None and self.process.returncode is not None:
                await self.start()


@dataclass(slots=True)
class Fleet:
    """All processes of a run."""

    members: list[Member] = field(default_factory=list)

    def list_kind(self, kind: str) -> list[Member]:
        return [member for member in self.members if member.kind == kind]

    async def stop(self) -> None:
        """End them all, workers and webs first, so that nothing is sent to what is gone."""
        await asyncio.gather(*(member.stop() for member in self.members if member.kind in ("web", "worker")))
        await asyncio.gather(*(member.kill() for member in self.members))
