"""The server all competitors share, messages to put on their queues, and what a run cost in time and processor."""

import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from app import embedded
from app.postmaster import find_postmaster
from db.migrate import migrate
from db.pool import open_connection
from db.queue import NewWork

FOLDER = Path(tempfile.gettempdir()) / f"deskhand-bench-queue-{os.getuid()}"
TUNING = {"shared_buffers": "1GB", "max_wal_size": "4GB", "checkpoint_timeout": "15min", "autovacuum_naptime": "5s"}
"""The same for all; durability stays as it is: fsync and synchronous_commit are on."""
BODY = "How do I export a board to a spreadsheet? " * 19  # about 800 bytes, a payload of about 1 kB


@dataclass(frozen=True, slots=True)
class Server:
    """The embedded server of this run."""

    dsn: str
    postmaster: int
    """Process id."""

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """The address of an empty database, dropped at the end."""
        name = f"bench_{uuid4().hex[:12]}"
        admin = await open_connection(self.dsn)
        await admin.execute(f"create database {name}")
        try:
            yield self.dsn.rsplit("/", 1)[0] + "/" + name
        finally:
            await admin.execute(f"drop database {name} with (force)")
            await admin.close()

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[str]:
        """The address of a database with our schema and the bench's own functions."""
        async with self.database() as url:
            conn = await open_connection(url)
            await migrate(conn)
            for script in ("bench.sql", "plain.sql"):
                await conn.execute((Path(__file__).parent / script).read_text())
            await conn.close()
            yield url


@asynccontextmanager
async def open_server() -> AsyncIterator[Server]:
    """A server of the bench's own, with more memory than the desk's, since a million messages are to fit."""
    embedded.SETTINGS.update(TUNING)
    FOLDER.mkdir(exist_ok=True)
    async with embedded.open_embedded(FOLDER) as server:
        postmaster = find_postmaster(server.cluster.data)
        if postmaster is None:
            raise RuntimeError("the embedded server left no pid file")
        yield Server(server.dsn, postmaster.pid)


@dataclass(slots=True)
class Meter:
    """Seconds on the clock, and of processor time in this process and the server's, since it was made."""

    server: Server
    began: float = 0
    spent: float = 0

    def __post_init__(self) -> None:
        self.began, self.spent = time.perf_counter(), self.processor()

    def processor(self) -> float:
        return time.process_time() + server_seconds(self.server.postmaster)

    def rate(self, count: int) -> tuple[float, float]:
        """Per second, and microseconds of processor for each."""
        seconds, spent = time.perf_counter() - self.began, self.processor() - self.spent
        return count / seconds, spent / count * 1e6


def server_seconds(postmaster: int) -> float:
    """Processor seconds of a server: of its living processes and of those that ended. Linux only, else 0."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(stat.parent.name) == postmaster:
            ticks += sum(int(field) for field in fields[11:15])
        elif int(fields[1]) == postmaster:
            ticks += sum(int(field) for field in fields[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")


def make_payload(external_id: str) -> dict[str, Any]:
    """A customer's message as intake writes it, about 1 kB."""
    return {
        "version": 1,
        "channel": "whatsapp",
        "thread_key": external_id,
        "external_id": external_id,
        "body": BODY,
        "sent_at": "2026-11-20T12:00:00+00:00",
        "customer": {"kind": "phone", "value": "+4915112345678", "proof": "provider", "name": "Ana Lima"},
    }


def make_work(lane: str, number: int) -> NewWork:
    """One message of a lane."""
    key = f"{lane}/{number}"
    return NewWork(f"whatsapp:{lane}", "inbound", make_payload(key), f"whatsapp:{key}")
