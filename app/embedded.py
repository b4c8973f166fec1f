"""The embedded Postgres, for when DATABASE_URL is unset: the wheel's binaries, run as our own child.

The process that holds the lock of the cluster owns the server. Others share it; when the owner leaves, one of them
takes its place and starts the server again on the same port, so that their connections only have to reconnect.
"""

import asyncio
import fcntl
import hashlib
import logging
import os
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.cluster import Cluster, EmbeddedFailure, complete_cluster, open_cluster
from app.postmaster import find_postmaster, forget_postmaster, start_child, stop_process

log = logging.getLogger(__name__)

START_TIMEOUT = 60.0  # seconds; the first start creates the data, and a start after a crash replays the log
START_TRIES = 5
WATCH_INTERVAL = 0.25  # seconds
MAX_LOG_BYTES = 10_000_000
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "jit": "off",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
"""Small, for one machine and one desk. Nothing here trades durability away: fsync stays on."""


@dataclass
class EmbeddedPostgres:
    """A server in use by this process. Made by `open_embedded`, which also stops it."""

    cluster: Cluster
    lock: int
    port: int = 0
    owned: bool = False
    """Whether this process started the server and will stop it."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        """The address to connect to, with the password. It stays the same until `open_embedded` is left."""
        return f"postgresql://deskhand:{self.cluster.password}@127.0.0.1:{self.port}/postgres"

    async def join(self) -> None:
        """Own the server and start it, or share the one that another process runs."""
        while not self.take_lock():
            postmaster = find_postmaster(self.cluster.data)
            if postmaster and postmaster.is_ready:
                self.port = postmaster.port
                return
            await asyncio.sleep(0.02)
        self.port = choose_port(self.cluster.home)
        await self.start()

    def take_lock(self) -> bool:
        """Become the owner if there is none. The kernel frees the lock of a process that was killed."""
        with suppress(BlockingIOError):
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.owned = True
        return self.owned

    async def start(self) -> None:
        """Start the server, after whatever an earlier owner left behind. Only for the owner."""
        binaries = await asyncio.to_thread(complete_cluster, self.cluster)
        data = self.cluster.data
        if orphan := find_postmaster(data):
            await stop_process(orphan.pid, lambda: find_postmaster(data) is not None)
        for _ in range(START_TRIES):
            forget_postmaster(data)
            self.process = launch(self.cluster, binaries, self.port)
            if await is_served(self.process, data):
                return
            await asyncio.sleep(0.5)  # the last backends of a killed server may still hold its memory
        raise EmbeddedFailure(f"the embedded Postgres does not start: {read_last_line(self.cluster)}")

    async def stop(self) -> None:
        """Stop the server if it is ours, and let another process own it."""
        try:
            if process := self.process:
                await stop_process(process.pid, lambda: process.poll() is None)
        finally:
            os.close(self.lock)

    async def watch(self) -> None:
        """Start the server again when it was killed, or when its owner left while we need it. Never returns."""
        while True:
            await asyncio.sleep(WATCH_INTERVAL)
            if not self.take_lock() or (self.process and self.process.poll() is None):
                continue
            log.warning("the embedded Postgres is gone, starting it again")
            try:
                await self.start()
            except (EmbeddedFailure, OSError) as error:
                log.error("%s", error)


@asynccontextmanager
async def open_embedded(folder: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A running server on the data in `folder`: our own child, stopped at the end, or one that another process runs.

    Enter it on a thread that outlives the server. Raises EmbeddedFailure, one line that says what to do.
    """
    cluster = open_cluster(folder)
    server = EmbeddedPostgres(cluster, os.open(cluster.home / "owner.lock", os.O_RDWR | os.O_CREAT, 0o600))
    try:
        try:
            await asyncio.wait_for(server.join(), START_TIMEOUT)
        except TimeoutError as error:
            raise EmbeddedFailure(f"the embedded Postgres is not ready: see {cluster.folder}/postgres.log") from error
        watch = asyncio.create_task(server.watch())
        try:
            yield server
        finally:
            watch.cancel()
            await asyncio.wait([watch])
    finally:
        await server.stop()


@asynccontextmanager
async def embedded_postgres(folder: Path) -> AsyncIterator[str]:
    """The same, for callers that only need the address to connect to."""
    async with open_embedded(folder) as server:
        yield server.dsn


def launch(cluster: Cluster, binaries: Path, port: int) -> subprocess.Popen[bytes]:
    """Start the server without waiting for it; it writes its own log to `postgres.log`."""
    options = [f"--{name}={value}" for name, value in (SETTINGS | {"port": str(port)}).items()]
    command: list[str | Path] = [binaries / "postgres", "-D", cluster.data, *options]
    path = cluster.folder / "postgres.log"
    is_too_long = path.exists() and path.stat().st_size > MAX_LOG_BYTES
    with path.open("wb" if is_too_long else "ab") as file:
        return start_child(command, account=cluster.account, folder=cluster.home, output=file.fileno())


async def is_served(process: subprocess.Popen[bytes], data: Path) -> bool:
    """Wait until `process` serves `data`. False when it ended instead."""
    while process.poll() is None:
        postmaster = find_postmaster(data)
        if postmaster and postmaster.pid == process.pid and postmaster.is_ready:
            return True
        await asyncio.sleep(0.02)
    return False


def choose_port(home: Path) -> int:
    """The same port for the same folder at every start where it is free, else any free one."""
    usual = 15_432 + int(hashlib.sha256(str(home).encode()).hexdigest(), 16) % 10_000
    for port in (usual, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise EmbeddedFailure("127.0.0.1 has no free port for the embedded Postgres: set DATABASE_URL")


def read_last_line(cluster: Cluster) -> str:
    lines = (cluster.folder / "postgres.log").read_text(errors="replace").splitlines()
    reasons = [line for line in lines[-20:] if "FATAL" in line]
    return (reasons or lines or ["its log is empty"])[-1]
