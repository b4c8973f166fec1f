"""Where a vendor keeps its files: a real HTTP server that gives out what a test lays there, and notes who asks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]
"""What is done with a connection once the request was read."""


def say(status: int, content: bytes = b"", *headers: str, length: int | None = None) -> Act:
    """An answer. length: what it says its length is, when that is a lie."""

    async def act(writer: asyncio.StreamWriter) -> None:
        size = len(content) if length is None else length
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {size}", "Connection: close", *headers, "", ""]
        writer.write("\r\n".join(lines).encode() + content)

    return act


def redirect(location: str) -> Act:
    return say(307, b"", f"Location: {location}")


def stream(piece: bytes, count: int, pause: float = 0.0) -> Act:
    """A body of unknown length in so many pieces, with as many seconds between them."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        for _ in range(count):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(pause)
        writer.write(b"0\r\n\r\n")

    return act


async def hang_up(_: asyncio.StreamWriter) -> None:
    """Not a word."""


@dataclass
class MediaServer:
    """What lies at which path, one act after the other; the last one stays."""

    url: str = ""
    acts: dict[str, list[Act]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path and headers of each request."""
    talks: set[asyncio.Task[None]] = field(default_factory=set)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Closed, it holds every answer back."""
    busy: int = 0
    most_busy: int = 0
    """How many were asked for at the same time."""

    def lay(self, path: str, *acts: Act) -> str:
        """Gives the address of what is now there."""
        self.acts[path] = list(acts)
        return self.url + path

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self.serve(reader, writer))
        self.talks.add(task)
        await asyncio.wait([task])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.answer(reader, writer)
        finally:
            writer.transport.abort()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            path = head[0].split(" ")[1]
            self.asked.append((path, read_headers(head[1:])))
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
            await self.gate.wait()
            self.busy -= 1
            acts = self.acts.get(path, [say(404)])
            await (acts.pop(0) if len(acts) > 1 else acts[0])(writer)
            writer.close()
            await writer.wait_closed()


def read_headers(lines: list[str]) -> dict[str, str]:
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}


@asynccontextmanager
async def serving_media() -> AsyncIterator[MediaServer]:
    """A server on a free port of this machine, for the length of the block."""
    media = MediaServer()
    media.gate.set()
    server = await asyncio.start_server(media.talk, "127.0.0.1", 0)
    media.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield media
    finally:
        server.close()
        media.gate.set()
        for task in media.talks:
            task.cancel()
        await asyncio.gather(*media.talks, return_exceptions=True)
        await asyncio.sleep(0)  # for the connections to be gone
