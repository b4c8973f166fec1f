"""What every bench stands on: a fresh, migrated database on an embedded server of its own, and real processes."""

import asyncio
import json
import os
import socket
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from app.embedded import open_embedded
from db.migrate import migrate
from db.pool import Connection, Pool, open_connection, open_pool
from tests.shipped import install_fit

FOLDER = Path(tempfile.gettempdir()) / f"deskhand-bench-{os.getuid()}"
SECRET = "only-for-the-bench"  # noqa: S105 (opens nothing but this run)


@asynccontextmanager
async def fresh_database() -> AsyncIterator[str]:
    """The address of a migrated database that is dropped at the end. Durable as in production: fsync is on."""
    FOLDER.mkdir(exist_ok=True)
    async with open_embedded(FOLDER) as server:
        name = f"bench_{uuid4().hex[:12]}"
        admin = await open_connection(server.dsn)
        await admin.execute(f"create database {name}")
        url = server.dsn.rsplit("/", 1)[0] + "/" + name
        conn = await open_connection(url)
        await migrate(conn)
        await install_fit(conn)
        await conn.close()
        try:
            yield url
        finally:
            await admin.execute(f"drop database {name} with (force)")
            await admin.close()


@asynccontextmanager
async def fresh_pool(size: int) -> AsyncIterator[Pool]:
    """A pool on such a database."""
    async with fresh_database() as url, open_pool(url, size=size) as pool:
        yield pool


async def submit_forms(conn: Connection, count: int, message: str = "How do I export a board?") -> None:
    """So many web forms of different people, through the function the web process calls."""
    for number in range(count):
        form = {
            "submission_key": uuid4().hex,
            "submission_hash": "00",
            "prefix": "TF",
            "plan": "pro",
            "ip_key": uuid4().hex,
            "address_key": uuid4().hex,
            "subject": "Export",
            "category": None,
            "message": message,
            "external_id": uuid4().hex,
            "email": f"customer{number}@example.com",
            "name": "Ana Lima",
        }
        await conn.fetchval("select submit_form($1)", form)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def running(command: str, database_url: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m app COMMAND` as a process of its own on this database, ended by SIGTERM."""
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "APP_SECRET": SECRET,
        "ADMIN_TOKEN": SECRET,
        "LOG_LEVEL": "ERROR",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        **settings,
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "app", command, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


def post_form(port: int, message: str) -> None:
    """One form over HTTP; raises for anything but 202."""
    body = {"name": "Ana Lima", "email": f"{uuid4().hex[:12]}@example.com", "subject": "Question", "message": message}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/support/submit", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        if response.status != 202:
            raise RuntimeError(f"the form was answered with {response.status}")


async def wait_for_health(port: int, seconds: float = 15) -> None:
    """Until the web process serves."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/health", timeout=2)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return
