"""One HTTP request on a connection of its own: says whether the connection was made, and never retries."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit


class NoConnection(ConnectionError):
    """Nothing listens there, so the other side has surely not seen the request."""


class NoAnswer(ConnectionError):
    """The request went out and the connection ended without an answer: nobody knows what became of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said. Header names are in lower case."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def read_json(self) -> Any:
        """The body; None where there is none."""
        return json.loads(self.body) if self.body else None


async def call(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    json_body: Any = None,
    seconds: float = 15,
) -> Answer:
    """Send one request and read its answer. Raises NoConnection, NoAnswer (also after `seconds`)."""
    parts = urlsplit(url)
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    except OSError as error:
        raise NoConnection(str(error)) from error
    try:
        async with asyncio.timeout(seconds):
            writer.write(lay_out(method, url, headers or {}, form, json_body))
            return await read_answer(reader)
    except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
        raise NoAnswer(f"{method} {parts.path}: {type(error).__name__}") from error
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def lay_out(method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None, json_body: Any) -> bytes:
    parts = urlsplit(url)
    body = b""
    lines = {"Host": parts.netloc, "Connection": "close"} | dict(headers)
    if form is not None:
        body = urlencode(form).encode()
        lines["Content-Type"] = "application/x-www-form-urlencoded"
    elif json_body is not None:
        body = json.dumps(json_body).encode()
        lines["Content-Type"] = "application/json"
    lines["Content-Length"] = str(len(body))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.split(":", 1) for line in head[1:] if ":" in line)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    length = headers.get("content-length")
    body = await reader.readexactly(int(length)) if length else await read_rest(reader, headers)
    return Answer(int(head[0].split(" ")[1]), headers, body)


async def read_rest(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    """A body without a length: in chunks, or until the connection ends."""
    if headers.get("transfer-encoding") != "chunked":
        return await reader.read()
    chunks = []
    while size := int(await reader.readline(), 16):
        chunks.append((await reader.readexactly(size + 2))[:-2])
    return b"".join(chunks)
