"""Webhooks as Twilio posts them: customers' messages and status callbacks, signed over the public address."""

import asyncio
import random
import uuid
from collections.abc import Mapping
from itertools import count
from urllib.parse import urlsplit

from twilio.request_validator import RequestValidator

from tests.stand_ins.http import Answer, NoAnswer, NoConnection, call
from tests.stand_ins.journal import Accepted, Journal, Knobs

ACCOUNT = "AC00000000000000000000000000000001"
TOKEN = "auth-token-of-the-stand-in"
NUMBER = "+15550001111"
INBOUND_PATH = "/webhooks/whatsapp"
FAILED = ("failed", "undelivered")


def draw_sid(prefix: str, rng: random.Random) -> str:
    """An id of the vendor's shape: two letters and 32 hexadecimal digits."""
    return prefix + uuid.UUID(int=rng.getrandbits(128)).hex


def make_inbound(
    *, sender: str, body: str, sid: str, name: str = "Ana Lima", account: str = ACCOUNT, **changed: str
) -> dict[str, str]:
    """A customer's message (`sender` in E.164) as the form of its webhook; fields given by name replace or join it."""
    return {
        "SmsMessageSid": sid,
        "NumMedia": "0",
        "ProfileName": name,
        "MessageType": "text",
        "SmsSid": sid,
        "WaId": sender.removeprefix("+"),
        "SmsStatus": "received",
        "Body": body,
        "To": f"whatsapp:{NUMBER}",
        "NumSegments": "1",
        "ReferralNumMedia": "0",
        "MessageSid": sid,
        "AccountSid": account,
        "From": f"whatsapp:{sender}",
        "ApiVersion": "2010-04-01",
    } | changed


def make_status(taken: Accepted, status: str, account: str = ACCOUNT) -> dict[str, str]:
    """The form of a status callback, without the code of a failure."""
    return {
        "ApiVersion": "2010-04-01",
        "MessageStatus": status,
        "SmsSid": taken.id,
        "SmsStatus": status,
        "ChannelInstallSid": "XE00000000000000000000000000000001",
        "To": taken.send.to,
        "From": taken.send.sender,
        "MessageSid": taken.id,
        "AccountSid": account,
        "ChannelPrefix": "whatsapp",
    }


def sign(url: str, form: Mapping[str, str], token: str = TOKEN) -> dict[str, str]:
    """The header that proves a form sent to this public address."""
    signature = RequestValidator(token).compute_signature(url, dict(form))
    return {"X-Twilio-Signature": str(signature), "User-Agent": "TwilioProxy/1.1"}


async def post_webhook(
    url: str, form: Mapping[str, str], *, token: str = TOKEN, target: str | None = None, seconds: float = 15
) -> Answer:
    """One try. `target` is the origin it really goes to. Raises NoConnection, NoAnswer."""
    return await call("POST", redirect(url, target), headers=sign(url, form, token), form=form, seconds=seconds)


def redirect(url: str, target: str | None) -> str:
    """The same path and query at another origin."""
    parts, origin = urlsplit(url), urlsplit(target or url)
    return parts._replace(scheme=origin.scheme, netloc=origin.netloc).geturl()


class StatusReports:
    """Reports on messages that were taken, from tasks of their own."""

    def __init__(self, knobs: Knobs, journal: Journal, rng: random.Random, token: str = TOKEN) -> None:
        self.knobs, self.journal, self.rng, self.token = knobs, journal, rng, token
        self.running: set[asyncio.Task[None]] = set()
        self.turns = count()

    def begin(self, taken: Accepted) -> None:
        """Report on this message as the knobs say, beside everything else."""
        if taken.send.status_callback is None or self.rng.random() < self.knobs.callback_never_share:
            return
        task = asyncio.create_task(self.report(taken, taken.send.status_callback))
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def report(self, taken: Accepted, url: str) -> None:
        if self.rng.random() < self.knobs.callback_late_share:
            await asyncio.sleep(self.knobs.callback_late_seconds)
        for status in list(self.knobs.callbacks) if taken.failure is None else ["sent", "undelivered"]:
            await asyncio.sleep(self.knobs.callback_delay_seconds * self.rng.random())
            twice = self.rng.random() < self.knobs.callback_duplicate_share
            code = {"ErrorCode": str(taken.failure or self.knobs.callback_error_code)} if status in FAILED else {}
            for _ in range(1 + twice):
                await self.post(url, make_status(taken, status) | code)

    async def post(self, url: str, form: Mapping[str, str]) -> None:
        """Post until it is answered with 2xx, as often as the knobs allow."""
        for number in range(max(1, self.knobs.callback_tries)):
            await asyncio.sleep(0.2 * number)
            outcome = await self.try_once(url, form)
            self.journal.callbacks[outcome] += 1
            if outcome.startswith("2"):
                return

    async def try_once(self, url: str, form: Mapping[str, str]) -> str:
        targets = self.knobs.webhook_targets
        target = targets[next(self.turns) % len(targets)] if targets else None
        try:
            return str((await post_webhook(url, form, token=self.token, target=target)).status)
        except (NoConnection, NoAnswer):
            return "lost"

    async def stop(self) -> None:
        """Drop what is still to be reported."""
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)
