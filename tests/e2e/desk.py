"""Real processes of the product, driven from outside."""

import asyncio
import json
import os
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

ADMIN_TOKEN = "staff-token-of-this-test"


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def process(command: str, database_url: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m app COMMAND` on this database; whatever is left of it is killed at the end."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    environment = kept | {
        "DATABASE_URL": database_url,
        "APP_SECRET": "secret-of-this-test",
        "ADMIN_TOKEN": ADMIN_TOKEN,
        "EMBEDDINGS": "off",
        "LOG_LEVEL": "WARNING",
        "OMP_NUM_THREADS": "1",
        **settings,
    }
    started = await asyncio.create_subprocess_exec(sys.executable, "-m", "app", command, env=environment)
    try:
        yield started
    finally:
        if started.returncode is None:
            started.send_signal(signal.SIGKILL)
        await started.wait()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


def request(port: int, method: str, path: str, body: Any = None, *, staff: bool = False) -> Answer:
    """One request, JSON both ways."""
    headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if body is not None else {})
    if staff:
        headers["Authorization"] = f"Bearer {ADMIN_TOKEN}"
    raw = json.dumps(body).encode() if body is not None else None
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", raw, headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=15) as response:
            return Answer(response.status, json.loads(response.read() or "null"), dict(response.headers))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, json.loads(error.read() or "null"), dict(error.headers))


async def ask(port: int, method: str, path: str, body: Any = None, *, staff: bool = False) -> Answer:
    """The same without stopping the event loop."""
    return await asyncio.to_thread(request, port, method, path, body, staff=staff)


async def until(is_so: Callable[[], Any], *, seconds: float = 30) -> Any:
    """Wait until an awaitable check gives something true, and return that."""
    async with asyncio.timeout(seconds):
        while True:
            if found := await is_so():
                return found
            await asyncio.sleep(0.05)


async def wait_for_health(port: int) -> None:
    async def is_up() -> bool:
        try:
            return (await ask(port, "GET", "/health")).status == 200
        except OSError:
            return False

    await until(is_up)


class ModelServer:
    """An OpenAI-compatible server on a socket of its own: plays a script, counts, and can hold an answer back."""

    def __init__(self, script: list[dict[str, Any]]) -> None:
        self.script = script
        """One chat message per step, chosen by how many tool results the request already holds."""
        self.asked: list[int] = []
        """The step of every request that came in."""
        self.hold_step: int | None = None
        self.holding = asyncio.Event()
        self.release = asyncio.Event()
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["ModelServer"]:
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with server:
            yield self

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = next(
                    int(line.split(":")[1]) for line in head.splitlines() if line.startswith("content-length")
                )
                asked = json.loads(await reader.readexactly(length))
                step = sum(message.get("tool_call_id", "early1") != "early1" for message in asked["messages"])
                self.asked.append(step)
                if step == self.hold_step:
                    self.holding.set()
                    await self.release.wait()
                message = {"role": "assistant", "content": None, **self.script[step]}
                choice = {"index": 0, "finish_reason": "tool_calls", "message": message}
                body = json.dumps({"id": "r", "object": "chat.completion", "choices": [choice]}).encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


def tool_call(step: int, name: str, **arguments: Any) -> dict[str, Any]:
    """A chat message that calls one tool."""
    call = {"id": f"call{step}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    return {"tool_calls": [call]}
