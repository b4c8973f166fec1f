"""Servers in Twilio's place: one that gives one answer to everything, and others that break off."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from channels.base import OutgoingMessage
from channels.whatsapp import WhatsApp, open_whatsapp
from tests.channels.twilio import ACCOUNT, CUSTOMER

FIRST_TRY = datetime(2026, 11, 21, 12, 0, 0, 400_000, UTC)
MESSAGE = OutgoingMessage(
    id=uuid4(), token=uuid4(), channel="whatsapp", thread_key=CUSTOMER, to=CUSTOMER, subject="",
    body="Hello & goodbye 😀", part=1, parts=1, tries=1, draft_id=None, first_try_at=FIRST_TRY, in_reply_to="SM1",
)  # fmt: skip


@dataclass
class Twilio:
    """A server that gives one answer to whatever it is asked; None: it hangs up after the request."""

    answer: bytes | None
    requests: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    """Request line, headers, body."""
    talks: list[asyncio.Task[None]] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.serve(reader, writer))
        self.talks.append(task)
        await task

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append((head[0], headers, body.decode()))
        if self.answer is not None:
            writer.write(self.answer)
            await writer.drain()
        writer.close()
        await asyncio.wait([asyncio.create_task(writer.wait_closed())])


def say(status: int, content: Any = None, *headers: str) -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def make_status_url(token: UUID) -> str:
    return f"https://desk.example.com/webhooks/whatsapp/status?o={token}&s=00"


@asynccontextmanager
async def answering(answer: bytes | None, template_sid: str | None = None) -> AsyncIterator[tuple[Twilio, WhatsApp]]:
    twilio = Twilio(answer)
    server = await asyncio.start_server(twilio.talk, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, open_whatsapp(ACCOUNT, make_status_url, api_base=base, template_sid=template_sid) as channel:
        yield twilio, channel
        await asyncio.gather(*twilio.talks)


async def keep_no_draft(draft_id: str) -> None:
    raise AssertionError("Twilio has no drafts")


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


@asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[int]:
    """A server that does as told with whoever connects; the port."""
    talks: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(task := asyncio.create_task(talk(reader, writer)))
        await task

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*talks)


async def reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of a goodbye."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def reset_at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reset(writer)


async def reset_after_the_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"Hello")
    await reset(writer)


async def reset_amid_the_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"Hello")
    writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{")
    await writer.drain()
    await reset(writer)


async def speak_no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()
