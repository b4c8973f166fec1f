"""The real server: live updates of a ticket page, and how the process stops."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from app.database import Database
from app.main import create_app, serve
from app.settings import SettingsError
from db.pool import Connection
from db.queue import REPLY_CHANNEL, notify
from tests.app.desk import ADMIN_TOKEN, APP_SECRET, FORM, answer_waiting, make_settings

ROOT = Path(__file__).parent.parent.parent


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until_up(client: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await client.get("/health")
            except httpx2.TransportError:
                await asyncio.sleep(0.02)
            else:
                return


@asynccontextmanager
async def open_server(database_url: str) -> AsyncIterator[tuple[httpx2.AsyncClient, asyncio.Event]]:
    """A client of the server, and the event that stops it."""
    settings, stopping = make_settings(PORT=str(find_port())), asyncio.Event()
    app = create_app(settings, Database(database_url, database_url))
    serving = asyncio.create_task(serve(app, settings, stopping))
    async with httpx2.AsyncClient(base_url=settings.public_base_url.replace("localhost", "127.0.0.1")) as client:
        await until_up(client)
        yield client, stopping
    stopping.set()
    async with asyncio.timeout(10):
        await serving


async def submit(client: httpx2.AsyncClient) -> tuple[str, str]:
    """Reference and path of the events of a new ticket."""
    body = (await client.post("/support/submit", json=FORM)).json()
    token = body["status_url"].split("token=")[1]
    return body["ticket"], f"/support/ticket/{body['ticket']}/events?token={token}"


async def next_change(lines: AsyncIterator[str]) -> str:
    async with asyncio.timeout(10):
        async for line in lines:
            if line.startswith("data: "):
                return line.removeprefix("data: ")
    raise AssertionError("the stream has ended")


async def test_open_page_is_told_of_each_change_with_and_without_a_hint(database_url: str, conn: Connection) -> None:
    async with open_server(database_url) as (client, _):
        reference, path = await submit(client)
        async with client.stream("GET", path) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.aiter_lines()
            first = await next_change(lines)
            await answer_waiting(conn)
            await notify(conn, REPLY_CHANNEL, reference)
            second = await next_change(lines)
            await conn.execute("update tickets set status = 'resolved'")
            third = await next_change(lines)  # nobody gave a hint: found by the clock
    assert len({first, second, third}) == 3


async def test_stop_ends_open_pages_at_once(database_url: str) -> None:
    async with open_server(database_url) as (client, stopping):
        _, path = await submit(client)
        async with client.stream("GET", path) as stream:
            lines = stream.aiter_lines()
            await next_change(lines)
            stopping.set()
            async with asyncio.timeout(4):
                assert [line async for line in lines if line.startswith("data")] == []


async def test_hundreds_of_open_pages_leave_room_for_others(database_url: str) -> None:
    async with open_server(database_url) as (client, _):
        _, path = await submit(client)
        limits = httpx2.Limits(max_connections=200)
        async with httpx2.AsyncClient(base_url=client.base_url, limits=limits) as crowd:
            streams = [crowd.stream("GET", path) for _ in range(150)]
            await asyncio.gather(*(stream.__aenter__() for stream in streams))
            assert (await client.post("/support/submit", json=FORM)).status_code == 202
            for stream in streams:
                await stream.__aexit__(None, None, None)


async def test_taken_port_is_one_line_that_names_the_setting(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = make_settings(PORT=str(taken.getsockname()[1]))
        with pytest.raises(SettingsError, match="PORT"):
            await serve(create_app(settings, Database(database_url, database_url)), settings, asyncio.Event())


async def test_web_command_stops_cleanly_on_sigterm(database_url: str) -> None:
    port = find_port()
    given = {"DATABASE_URL": database_url, "PORT": str(port), "ADMIN_TOKEN": ADMIN_TOKEN, "APP_SECRET": APP_SECRET}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "web", cwd=ROOT, env={"PATH": os.environ["PATH"], **given},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        await until_up(client)
        _, path = await submit(client)
        async with client.stream("GET", path) as stream:
            lines = stream.aiter_lines()
            await next_change(lines)
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                _, errors = await process.communicate()
    assert process.returncode == 0
    assert b"Traceback" not in errors
    assert path.split("token=")[1].encode() not in errors
    assert all(line.startswith(b"{") for line in errors.splitlines())
