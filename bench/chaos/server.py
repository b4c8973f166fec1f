"""A Postgres of the run's own, a direct child, so that it can be killed and started again on the same data."""

import asyncio
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from app.cluster import complete_cluster, open_cluster
from app.embedded import SETTINGS, is_served
from app.postmaster import find_postmaster, forget_postmaster, start_child, stop_process
from bench.ground import find_free_port

MAX_CONNECTIONS = 100
START_TRIES = 60  # half a second apart


class OwnPostgres:
    """Durable as in production: fsync stays on."""

    def __init__(self, folder: Path) -> None:
        self.cluster = open_cluster(folder)
        self.port = find_free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://deskhand:{self.cluster.password}@127.0.0.1:{self.port}/postgres"

    async def start(self) -> None:
        """Start it, after a kill too; returns once it takes connections. RuntimeError when it does not come up."""
        binaries = await asyncio.to_thread(complete_cluster, self.cluster)
        settings = SETTINGS | {"port": str(self.port), "max_connections": str(MAX_CONNECTIONS)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        command: list[str | Path] = [binaries / "postgres", "-D", self.cluster.data, *options]
        for _ in range(START_TRIES):
            forget_postmaster(self.cluster.data)
            with (self.cluster.folder / "postgres.log").open("ab") as log:
                self.process = start_child(
                    command, account=self.cluster.account, folder=self.cluster.home, output=log.fileno()
                )
            if await is_served(self.process, self.cluster.data):
                return
            await asyncio.sleep(0.5)  # the last backends of a killed server still hold its memory
        raise RuntimeError(f"Postgres does not start: see {self.cluster.folder}/postgres.log")

    def kill(self, *, with_backends: bool) -> None:
        """SIGKILL: to the postmaster alone, or to it and every process of it at once."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            (os.killpg if with_backends else os.kill)(self.process.pid, signal.SIGKILL)
        self.process.wait()

    async def stop(self) -> None:
        process = self.process
        if process is not None:
            await stop_process(process.pid, lambda: process.poll() is None)
        if orphan := find_postmaster(self.cluster.data):
            await stop_process(orphan.pid, lambda: find_postmaster(self.cluster.data) is not None)
