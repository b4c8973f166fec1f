"""python -m bench.model_server PORT SECONDS: a chat completions server that thinks for so long, lean enough to be no
part of what is measured."""

import asyncio
import re
import sys
from typing import cast

import uvloop

from bench.turn_models import SCRIPT, write_completion

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: bench\r\ncontent-length: %d\r\n\r\n"
ANSWERS = [HEAD % len(body) + body for body in map(write_completion, range(len(SCRIPT)))]
LENGTH = b"content-length:"
OWN_RESULT = re.compile(rb'"tool_call_id": ?"c\d"')  # not that of a search which ran before the first call


class Exchange(asyncio.Protocol):
    """One connection: a whole request, a pause, the answer, and the next."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end or len(body) < find_length(head):
            return
        self.received = b""
        step = len(OWN_RESULT.findall(body))
        asyncio.get_running_loop().call_later(self.seconds, self.answer, ANSWERS[step])

    def answer(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)


def find_length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next(int(line.removeprefix(LENGTH)) for line in lines if line.startswith(LENGTH))


async def serve(port: int, seconds: float) -> None:
    """Until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Exchange(seconds), "127.0.0.1", port, backlog=1000)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), float(sys.argv[2])))
