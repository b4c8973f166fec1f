"""WhatsApp through Twilio: text messages, handed over once."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

import httpx2

from channels.base import KeepDraft, NotSent, OutgoingMessage, Refused
from channels.splitting import split_for
from channels.whatsapp_webhooks import PREFIX, WhatsAppAccount
from db.errors import DeskError, RetryLater

INDEX_LAG = timedelta(seconds=60)
CLOCK_SKEW = timedelta(seconds=5)  # between the database's clock and Twilio's, which counts in whole seconds
TIMEOUT = httpx2.Timeout(15, connect=5, pool=5)  # seconds
PAUSE = timedelta(seconds=10)  # where Twilio names none
LONG_PAUSE = timedelta(minutes=1)  # until somebody mends the credentials
LONGEST_PAUSE = timedelta(hours=1)
PAGE = 1000  # the most Twilio lists at once, and far more than one customer is sent within a try

NEVER_CONNECTED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)

StatusUrl = Callable[[UUID], str]
"""A message's token into the address at which Twilio tells its fate."""


class UnclearAnswer(DeskError):
    """Twilio answered neither yes nor no: the message may be on its way."""


class WhatsApp:
    """Twilio's Messages resource under one account and one number."""

    name = "whatsapp"
    absence_is_proof = False

    def __init__(
        self, client: httpx2.AsyncClient, account: WhatsAppAccount, status_url: StatusUrl, index_lag: timedelta
    ) -> None:
        self.client = client
        self.account = account
        self.status_url = status_url
        self.index_lag: timedelta | None = index_lag
        self.path = f"/2010-04-01/Accounts/{account.sid}/Messages.json"

    def split(self, body: str) -> list[str]:
        """At most 1,600 UTF-16 code units each."""
        return split_for(self.name, body)

    async def send(self, message: OutgoingMessage, keep_draft: KeepDraft) -> str:  # noqa: ARG002 (Twilio has no drafts)
        """One create, never repeated here; returns the message's SID.

        NotSent: no connection, or Twilio asked us to wait. Refused: Twilio's own no, with its code. Whatever else is
        raised (a timeout, a broken connection, a 5xx) leaves open whether the message went.
        """
        form = {
            "To": PREFIX + message.to,
            "From": PREFIX + self.account.number,
            "Body": message.body,
            "StatusCallback": self.status_url(message.token),
        }
        try:
            answer = await self.client.post(self.path, data=form)
        except NEVER_CONNECTED as error:
            raise NotSent(type(error).__name__, delay=PAUSE) from error
        if answer.is_success and (sid := read_object(answer).get("sid")):
            return str(sid)
        raise explain(answer)

    async def look_up(self, message: OutgoingMessage) -> str | None:
        """The SID of the oldest message with this text that Twilio took for this number since the first try, and that
        is not known to be another one.

        Listed without DateSent, which a message that still waits at Twilio does not have. RetryLater when Twilio
        cannot be asked.
        """
        query: dict[str, str | int] = {
            "To": PREFIX + message.to, "From": PREFIX + self.account.number, "PageSize": PAGE,
        }  # fmt: skip
        try:
            answer = await self.client.get(self.path, params=query)
        except httpx2.TransportError as error:
            raise RetryLater(type(error).__name__, delay=PAUSE) from error
        listed = read_object(answer).get("messages")
        if not answer.is_success or not isinstance(listed, list):
            raise RetryLater(f"Twilio cannot be asked: status {answer.status_code}", delay=read_pause(answer))
        same = [entry for entry in listed if is_same_message(entry, message, self.account.number)]
        return str(min(same, key=read_time)["sid"]) if same else None


@asynccontextmanager
async def open_whatsapp(
    account: WhatsAppAccount,
    status_url: StatusUrl,
    *,
    api_base: str = "https://api.twilio.com",
    index_lag: timedelta = INDEX_LAG,
) -> AsyncIterator[WhatsApp]:
    """The channel with its connections, for the length of a worker.

    index_lag: how long Twilio's list may not show yet what Twilio took.
    """
    auth = (account.sid, account.auth_token)
    async with httpx2.AsyncClient(base_url=api_base, auth=auth, timeout=TIMEOUT, follow_redirects=False) as client:
        yield WhatsApp(client, account, status_url, index_lag)


def explain(answer: httpx2.Response) -> Exception:
    """What an answer without a message means."""
    status, code = answer.status_code, read_object(answer).get("code")
    if status == 429 or (status == 503 and "Retry-After" in answer.headers):
        return NotSent(f"Twilio {code or status}", delay=read_pause(answer))
    if status == 401:
        return NotSent("Twilio does not know these credentials: check TWILIO_AUTH_TOKEN", delay=LONG_PAUSE)
    if 400 <= status < 500 and isinstance(code, int):
        return Refused(f"Twilio {code}")
    return UnclearAnswer(f"Twilio answered with status {status}")


def read_object(answer: httpx2.Response) -> dict[str, Any]:
    """The JSON object of an answer; an empty one for anything else, such as a proxy's page."""
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def read_pause(answer: httpx2.Response) -> timedelta:
    """How long Twilio asks us to wait, from a second to an hour."""
    seconds = answer.headers.get("Retry-After", "")
    if not seconds.isascii() or not seconds.isdigit() or len(seconds) > 6:
        return PAUSE
    return min(max(timedelta(seconds=int(seconds)), timedelta(seconds=1)), LONGEST_PAUSE)


def read_time(entry: dict[str, Any]) -> datetime:
    """When Twilio took a message; long ago where it does not say."""
    try:
        created = parsedate_to_datetime(str(entry.get("date_created")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return created if created.tzinfo else created.replace(tzinfo=UTC)


def is_same_message(entry: Any, message: OutgoingMessage, number: str) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("sid"), str)
        and entry["sid"] not in message.known_ids
        and entry.get("to") == PREFIX + message.to
        and entry.get("from") == PREFIX + number
        and str(entry.get("body")).split() == message.body.split()
        and read_time(entry) >= message.first_try_at - CLOCK_SKEW
    )
