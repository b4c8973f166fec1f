"""A way to Postgres that can be cut and mended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Proxy:
    """Forwards a port of its own to Postgres for as long as it is up."""

    def __init__(self, url: str) -> None:
        self.parts = urlsplit(url)
        self.port = 0
        self.server: asyncio.Server | None = None
        self.pipes: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return self.parts._replace(netloc=f"{self.parts.username}:{self.parts.password}@127.0.0.1:{self.port}").geturl()

    async def mend(self) -> None:
        self.server = await asyncio.start_server(self.connect, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self.server:
            self.server.close()
        for pipe in list(self.pipes):
            pipe.transport.abort()
        await asyncio.sleep(0)

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(self.parts.hostname, self.parts.port)
        self.pipes |= {writer, there[1]}
        with suppress(OSError):
            await asyncio.gather(self.pump(reader, there[1]), self.pump(there[0], writer))
        self.pipes -= {writer, there[1]}

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def open_proxy(url: str) -> AsyncIterator[Proxy]:
    proxy = Proxy(url)
    await proxy.mend()
    try:
        yield proxy
    finally:
        await proxy.cut()
