"""A small server that speaks Google's wire: tokens, certificates, and whatever of Gmail a test lays out."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from channels.google_oauth import GmailAccount

GMAIL = "/gmail/v1/users/me"
HANG_UP = b""
"""The request is read and the connection ends without an answer."""
SILENCE = None
"""The request is read and nothing follows."""

Reply = bytes | None


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    what: str
    """Method and path, without /gmail/v1/users/me."""
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    def read_json(self) -> Any:
        return json.loads(self.body)

    def read_form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass
class Google:
    """Gives the replies it was told to, in order; the last one again and again."""

    port: int = 0
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    talks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def account(self) -> GmailAccount:
        return GmailAccount("help@tidefern.example", "client", "hidden", "refresh", f"{self.url}/token", self.url)

    def on(self, what: str, *replies: Reply) -> None:
        self.replies[what] = list(replies)

    def count(self, what: str) -> int:
        return sum(asked.what == what for asked in self.asked)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.serve(reader, writer))
        self.talks.append(task)
        await asyncio.wait([task])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await read_request(reader)
        self.asked.append(asked)
        waiting = self.replies.get(asked.what, [say(501)])
        reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if reply is SILENCE:
            await reader.read()  # until the other side gives up
        else:
            writer.write(reply)
        writer.close()
        await asyncio.wait([asyncio.create_task(writer.wait_closed())])


async def read_request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Asked(f"{method} {parts.path.removeprefix(GMAIL)}", parse_qs(parts.query), headers, body)


def say(status: int, content: Any = None, *headers: str) -> bytes:
    """An answer of Google's; content that is not bytes goes out as JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content or {}).encode()
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "Connection: close", *headers, "", ""]).encode() + body


def fail(status: int, reason: str, message: str = "somebody@private.example", *headers: str) -> bytes:
    """An error as Gmail writes it."""
    error = {"code": status, "message": message, "errors": [{"domain": "global", "reason": reason}]}
    return say(status, {"error": error}, *headers)


@asynccontextmanager
async def open_google() -> AsyncIterator[Google]:
    """The server, with tokens to be had."""
    google = Google()
    google.on("POST /token", say(200, {"access_token": "access", "expires_in": 3599}))
    server = await asyncio.start_server(google.talk, "127.0.0.1", 0)
    google.port = server.sockets[0].getsockname()[1]
    try:
        yield google
    finally:
        server.close()
        for talk in google.talks:
            talk.cancel()
        if google.talks:
            await asyncio.wait(google.talks)
        await server.wait_closed()
