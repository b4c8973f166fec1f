"""A browser as far as the server sees it: one connection that is kept, a cookie, and streams of events."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

from bench.model_server import find_length

HTML, JSON = "text/html", "application/json"
END_OF_HEAD = b"\r\n\r\n"


@dataclass(slots=True)
class Browser:
    """One connection to the web process, in which one request follows the other."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    cookie: str = ""

    async def get(self, path: str, accept: str = HTML) -> tuple[float, bytes]:
        """Milliseconds until the last byte, and the body. Raises RuntimeError for anything but 200."""
        began = time.perf_counter()
        self.ask(path, accept)
        head = await self.reader.readuntil(END_OF_HEAD)
        body = await self.reader.readexactly(find_length(head))
        took = (time.perf_counter() - began) * 1000
        check(head, path)
        return took, body

    def ask(self, path: str, accept: str) -> None:
        self.writer.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nCookie: {self.cookie}\r\n\r\n".encode()
        )

    async def listen(self, path: str) -> AsyncIterator[str]:
        """The stamp of each change. Ends when the server does."""
        self.ask(path, "text/event-stream")
        check(await self.reader.readuntil(END_OF_HEAD), path)
        while line := await self.reader.readline():
            if line.startswith(b"data: "):
                yield line[6:].strip().decode()


def check(head: bytes, path: str) -> None:
    status = head.split(maxsplit=2)[1].decode()
    if status != "200":
        raise RuntimeError(f"{path} was answered with {status}")


@asynccontextmanager
async def open_browser(port: int, cookie: str = "") -> AsyncIterator[Browser]:
    """A connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    try:
        yield Browser(reader, writer, cookie)
    finally:
        writer.close()


async def log_in(port: int, email: str, password: str) -> str:
    """The cookie of a new session, from the form that people fill in. Raises RuntimeError where there is none."""
    body = urlencode({"email": email, "password": password}).encode()
    async with open_browser(port) as browser:
        browser.writer.write(
            b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        head = (await browser.reader.readuntil(END_OF_HEAD)).decode()
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "set-cookie":
            return value.strip().partition(";")[0]
    raise RuntimeError(f"nobody was logged in: {head.split(maxsplit=2)[1]}")
