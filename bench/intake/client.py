"""Twilio's side: signed messages of different customers over kept connections, as fast as answered or at a rate.

python -m bench.intake.client PORT COUNT CONNECTIONS RATE FIRST; RATE 0 is as fast as answered. Prints one JSON object.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

import uvloop
from twilio.request_validator import RequestValidator

from channels.twilio.fields import Fields

ACCOUNT_SID = "AC00000000000000000000000000000001"
AUTH_TOKEN = "only-for-the-bench"  # noqa: S105 (opens nothing but this run)
NUMBER = "+14155238886"
PUBLIC = "https://desk.example.com"
PATH = "/webhooks/whatsapp"
TEXT = "Hello, I cannot find the invoice of last month. Could you tell me where it is? Thank you!"
ENVIRON = {
    "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
    "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    "TWILIO_WHATSAPP_FROM": NUMBER,
    "PUBLIC_BASE_URL": PUBLIC,
}


@dataclass(slots=True)
class Load:
    """Requests that are yet to be sent, and what became of those that were."""

    requests: list[bytes]
    rate: float
    """Per second; 0: the next as soon as one is answered."""
    began: float = 0.0
    sent: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    async def take(self) -> tuple[bytes, float] | None:
        """The next request and the moment its time counts from; None when all are taken."""
        if self.sent >= len(self.requests):
            return None
        number, self.sent = self.sent, self.sent + 1
        if not self.rate:
            return self.requests[number], time.perf_counter()
        due = self.began + number / self.rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        return self.requests[number], due


def make_request(number: int) -> bytes:
    """One message as Twilio posts it, signed; each with its own id, every eighth customer writes twice in a row."""
    sid, customer = f"SM{number:032x}", f"+1555{number * 7 // 8 % 10_000_000:07}"
    pairs = [
        ("SmsMessageSid", sid), ("NumMedia", "0"), ("ProfileName", "Ana Lima"), ("MessageType", "text"),
        ("SmsSid", sid), ("WaId", customer[1:]), ("SmsStatus", "received"), ("Body", TEXT),
        ("To", f"whatsapp:{NUMBER}"), ("NumSegments", "1"), ("ReferralNumMedia", "0"), ("MessageSid", sid),
        ("AccountSid", ACCOUNT_SID), ("From", f"whatsapp:{customer}"), ("ApiVersion", "2010-04-01"),
    ]  # fmt: skip
    signature = RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC + PATH, Fields(pairs))
    body = urlencode(pairs).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: desk.example.com\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"User-Agent: TwilioProxy/1.1\r\nAccept: */*\r\nX-Twilio-Signature: {signature}\r\n"
        f"I-Twilio-Idempotency-Token: {sid}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def work(port: int, load: Load) -> None:
    """One kept connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while taken := await load.take():
        request, since = taken
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        if status != 204:
            await skip_body(reader, head)
        load.seconds.append(time.perf_counter() - since)
        load.statuses[status] = load.statuses.get(status, 0) + 1
    writer.close()


async def skip_body(reader: asyncio.StreamReader, head: bytes) -> None:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line[15:]))


async def run(port: int, count: int, connections: int, rate: float, first: int) -> None:
    load = Load([make_request(first + number) for number in range(count)], rate)
    load.began = time.perf_counter()
    await asyncio.gather(*(work(port, load) for _ in range(connections)))
    elapsed = time.perf_counter() - load.began
    print(json.dumps({"elapsed": elapsed, "statuses": load.statuses, "seconds": load.seconds}))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        port, count, connections, rate, first = sys.argv[1:]
        runner.run(run(int(port), int(count), int(connections), float(rate), int(first)))
