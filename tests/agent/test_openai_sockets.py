"""What only a real connection shows: trickling, breaking, and being given up."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from agent.models.base import ModelFailure
from agent.models.connections import open_http_client
from agent.models.openai import ModelEndpoint, OpenAIModel, Wire, open_openai_model
from tests.agent.samples import WIRES, ask, said

Behaviour = Callable[["Peer", asyncio.StreamWriter], Awaitable[None]]
SECONDS_OF_TRICKLE = 120
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"

both = pytest.mark.parametrize("wire", WIRES)


@dataclass
class Peer:
    """A server that reads each request to its end and then behaves as told; `asked` is set by the first one."""

    wire: Wire
    behave: Behaviour
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    requests: int = 0
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lengths = [line for line in head.lower().splitlines() if line.startswith(b"content-length:")]
                await reader.readexactly(int(lengths[0].partition(b":")[2]))
                self.requests += 1
                self.asked.set()
                await self.behave(self, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.hung_up.set()
        finally:
            writer.close()


async def answer(peer: Peer, writer: asyncio.StreamWriter) -> None:
    content = said(peer.wire).content
    writer.write(HEAD % len(content) + content)
    await writer.drain()


async def trickle(peer: Peer, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD % 1_000_000)
    until = time.monotonic() + SECONDS_OF_TRICKLE
    while time.monotonic() < until:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def reset(peer: Peer, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD % 1_000_000 + b'{"choices": [')
    await writer.drain()
    writer.transport.abort()


async def stay_silent_once(peer: Peer, writer: asyncio.StreamWriter) -> None:
    if peer.requests > 1:
        await answer(peer, writer)


async def reset_or_stay_silent(peer: Peer, writer: asyncio.StreamWriter) -> None:
    if peer.requests == 1:
        await reset(peer, writer)
    elif peer.requests > 2:
        await answer(peer, writer)


@asynccontextmanager
async def connect(wire: Wire, behave: Behaviour, *, connections: int = 8) -> AsyncIterator[tuple[OpenAIModel, Peer]]:
    peer = Peer(wire, behave)
    server = await asyncio.start_server(peer.serve, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    endpoint = ModelEndpoint(f"http://127.0.0.1:{port}/v1", "k", "m", wire)
    model = open_openai_model(endpoint, http_client=open_http_client(connections))
    try:
        yield model, peer
    finally:
        await model.aclose()
        server.close()
        await server.wait_closed()


@both
async def test_one_connection_serves_one_call_after_the_other(wire: Wire) -> None:
    async with connect(wire, answer) as (model, peer):
        replies = [await model.reply(ask()) for _ in range(3)]
    assert (len(replies), peer.requests, peer.connections) == (3, 3, 1)


@both
async def test_calls_at_once_each_have_a_connection_which_later_calls_use_again(wire: Wire) -> None:
    async with connect(wire, answer) as (model, peer):
        for _ in range(3):
            await asyncio.gather(*(model.reply(ask()) for _ in range(5)))
    assert (peer.requests, peer.connections) == (15, 5)


@both
async def test_calls_beyond_the_connections_wait_for_each_other(wire: Wire) -> None:
    async with connect(wire, answer, connections=2) as (model, peer):
        replies = await asyncio.gather(*(model.reply(ask()) for _ in range(7)))
    assert (len(replies), peer.requests, peer.connections) == (7, 7, 2)


@both
async def test_failed_and_cancelled_calls_give_their_connection_back(wire: Wire) -> None:
    async with connect(wire, reset_or_stay_silent, connections=1) as (model, peer):
        with pytest.raises(ModelFailure):
            await model.reply(ask())
        with pytest.raises(ModelFailure):
            await model.reply(ask(seconds=0.2))
        assert (await model.reply(ask())).items
    assert peer.requests == 3


async def test_behind_a_proxy_calls_go_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with connect("chat", answer) as (model, peer):
        monkeypatch.setenv("http_proxy", str(model.client.base_url.copy_with(path="/")))
        away = open_openai_model(ModelEndpoint("http://model.invalid/v1", "k", "m"))
        assert (await away.reply(ask())).items
        await away.aclose()
    assert peer.requests == 1


@both
async def test_trickling_reply_ends_at_the_deadline_not_at_its_last_byte(wire: Wire) -> None:
    async with connect(wire, trickle) as (model, _), asyncio.timeout(10):
        with pytest.raises(ModelFailure) as caught:
            await model.reply(ask(seconds=0.3))
    assert caught.value.code == "timeout"


@both
async def test_connection_reset_in_the_middle_of_a_reply_is_unavailable_and_not_tried_again(wire: Wire) -> None:
    async with connect(wire, reset) as (model, peer):
        with pytest.raises(ModelFailure) as caught:
            await model.reply(ask())
    assert (caught.value.code, peer.requests) == ("unavailable", 1)


@both
async def test_cancelled_call_hangs_up_and_leaves_the_model_usable(wire: Wire) -> None:
    async with connect(wire, stay_silent_once) as (model, peer):
        call = asyncio.create_task(model.reply(ask()))
        async with asyncio.timeout(5):
            await peer.asked.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await peer.hung_up.wait()
        assert (await model.reply(ask())).items


async def test_nobody_listening_is_unavailable() -> None:
    async with connect("chat", answer) as (gone, _):
        address = str(gone.client.base_url)
    model = open_openai_model(ModelEndpoint(address, "k", "m"))
    with pytest.raises(ModelFailure) as caught:
        await model.reply(ask())
    assert caught.value.code == "unavailable"
    await model.aclose()
