"""A program that is told things by webhook: a real HTTP server that notes what it hears and answers as a test wants."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.stand_ins.media import Act, read_headers, say


@dataclass(frozen=True, slots=True)
class Heard:
    """One request."""

    line: str
    headers: dict[str, str]
    body: bytes

    def read(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Answers one act after the other; the last one stays."""

    url: str = ""
    acts: list[Act] = field(default_factory=lambda: [say(204)])
    heard: list[Heard] = field(default_factory=list)
    talks: set[asyncio.Task[None]] = field(default_factory=set)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self.serve(reader, writer))
        self.talks.add(task)
        await asyncio.wait([task])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = read_headers(lines)
                self.heard.append(Heard(line, headers, await reader.readexactly(int(headers["content-length"]))))
                await (self.acts.pop(0) if len(self.acts) > 1 else self.acts[0])(writer)
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()


async def hang(_: asyncio.StreamWriter) -> None:
    """No answer, as long as anybody waits for one."""
    await asyncio.Event().wait()


async def go_on(writer: asyncio.StreamWriter) -> None:
    """Yes, and then words without an end."""
    writer.write(b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\n")
    while True:
        writer.write(b"x" * 10_000)
        await writer.drain()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free port of this machine, for the length of the block."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.talk, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield receiver
    finally:
        server.close()
        for task in receiver.talks:
            task.cancel()
        await asyncio.gather(*receiver.talks, return_exceptions=True)
        await asyncio.sleep(0)  # for the connections to be gone
