"""The ways to a model over HTTP that are compared: ours, one pool for all, the aiohttp transport, and a bare socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import cast
from urllib.parse import urlsplit

import httpx2
import openai

from agent.models.base import ModelRequest, Text
from agent.models.connections import CONNECT_SECONDS, allow, open_http_client
from agent.models.openai import ModelEndpoint, open_openai_model
from agent.prompt import build_instructions, lay_out_turn
from bench.model_server import find_length
from tests.agent.samples import BRIEF, ask

Call = Callable[[], Awaitable[None]]
"""One call, answered when it returns."""

TIMEOUT = httpx2.Timeout(None, connect=CONNECT_SECONDS)
CALL_SECONDS = 60
END_OF_HEAD = b"\r\n\r\n"


def open_plain(connections: int) -> httpx2.AsyncClient:
    """As httpx2 comes, with room for all."""
    return httpx2.AsyncClient(limits=allow(connections), timeout=TIMEOUT)


def open_aiohttp(connections: int) -> httpx2.AsyncClient:
    """As the SDK documents it for many calls at once."""
    return openai.DefaultAioHttpClient(limits=allow(connections), timeout=TIMEOUT)


RAW, OURS, PLAIN, AIOHTTP = "a bare socket", "ours", "httpx2, one pool", "aiohttp"
CLIENTS: dict[str, Callable[[int], httpx2.AsyncClient]] = {
    OURS: open_http_client,
    PLAIN: open_plain,
    AIOHTTP: open_aiohttp,
}


def make_request() -> ModelRequest:
    """The first request of a turn, with our policy and all tools."""
    request = ask(Text("user", lay_out_turn(BRIEF, "bench000")), seconds=CALL_SECONDS, must_call_tool=True)
    return replace(request, instructions=build_instructions(BRIEF.company))


@asynccontextmanager
async def open_calls(name: str, address: str, connections: int) -> AsyncIterator[list[Call]]:
    """So many callers at this address, which share a client; on bare sockets each has one of its own."""
    if name == RAW:
        async with open_sockets(address, connections) as calls:
            yield calls
        return
    model = open_openai_model(ModelEndpoint(address, "none", "script", "chat"), http_client=CLIENTS[name](connections))
    request = make_request()

    async def call() -> None:
        await model.reply(request)

    try:
        yield [call] * connections
    finally:
        await model.aclose()


@asynccontextmanager
async def open_sockets(address: str, connections: int) -> AsyncIterator[list[Call]]:
    """Callers that write the bytes which the SDK writes for that request, and read the reply to its end."""
    sent = await record_request(address)
    where = urlsplit(address)
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        calls: list[Call] = []
        for _ in range(connections):
            transport, line = await loop.create_connection(lambda: Line(sent), where.hostname or "", where.port or 80)
            stack.callback(transport.close)
            calls.append(line.call)
        yield calls


class Line(asyncio.Protocol):
    """One connection that asks the same again and again."""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.received = b""
        self.answered = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    async def call(self) -> None:
        self.received, self.answered = b"", asyncio.get_running_loop().create_future()
        self.transport.write(self.request)
        await self.answered

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(END_OF_HEAD)
        if end and len(body) >= find_length(head):
            self.answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answered.done():
            self.answered.set_exception(exc or ConnectionResetError("the server hung up"))


async def record_request(address: str) -> bytes:
    """The request as the SDK sends it."""
    sent: list[bytes] = []

    def keep(request: httpx2.Request) -> httpx2.Response:
        head = b"".join(b"%b: %b\r\n" % pair for pair in request.headers.raw)
        sent.append(b"POST %b HTTP/1.1\r\n%b\r\n%b" % (request.url.raw_path, head, request.content))
        return httpx2.Response(200, json={"choices": [{"message": {"content": "Kept."}}]})

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(keep))
    model = open_openai_model(ModelEndpoint(address, "none", "script", "chat"), http_client=client)
    await model.reply(make_request())
    await model.aclose()
    return sent[0]
