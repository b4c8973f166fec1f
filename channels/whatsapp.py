"""WhatsApp through Twilio: text messages, handed over once, and after the customer's 24 hours by a template."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2

from channels.answers import read_object
from channels.base import Blocked, ChannelOff, KeepDraft, NotSent, OutgoingMessage, Refused
from channels.phone_numbers import list_spellings
from channels.splitting import measure, split_for
from channels.twilio.account import PREFIX, WhatsAppAccount
from channels.twilio.api import PAGE, read_pause, read_time
from channels.twilio.codes import CODES, PAUSE, Follows, explain_code, pause_after, what_follows
from db.errors import DeskError, RetryLater

INDEX_LAG = timedelta(seconds=60)
CLOCK_SKEW = timedelta(seconds=5)  # between the database's clock and Twilio's, which counts in whole seconds
TIMEOUT = httpx2.Timeout(15, connect=5, pool=5)  # seconds
LONG_PAUSE = timedelta(minutes=1)  # until somebody mends what is set up wrongly
TEMPLATE_TEXT = 900  # UTF-16 code units: WhatsApp takes 1,024 with the template's own words

NEVER_CONNECTED = (
    httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError, httpx2.UnsupportedProtocol,
)  # fmt: skip
NO_TEMPLATE = (
    "more than 24 hours after their last message WhatsApp takes only an approved template, "
    "and TWILIO_TEMPLATE_SID is not set"
)
NO_FIT = "more than 24 hours after their last message: it does not fit into the template"

StatusUrl = Callable[[UUID], str]
"""A message's token into the address at which Twilio tells its fate."""


class UnclearAnswer(DeskError):
    """Twilio answered neither yes nor no: the message may be on its way."""


class WhatsApp:
    """Twilio's Messages resource under one account and one number."""

    name = "whatsapp"
    absence_is_proof = False

    def __init__(
        self,
        client: httpx2.AsyncClient,
        account: WhatsAppAccount,
        status_url: StatusUrl,
        index_lag: timedelta,
        template_sid: str | None = None,
    ) -> None:
        self.client = client
        self.account = account
        self.status_url = status_url
        self.template_sid = template_sid
        self.index_lag: timedelta | None = index_lag
        self.path = f"/2010-04-01/Accounts/{account.sid}/Messages.json"

    def split(self, body: str) -> list[str]:
        """At most 1,600 UTF-16 code units each."""
        return split_for(self.name, body)

    async def send(self, message: OutgoingMessage, keep_draft: KeepDraft) -> str:  # noqa: ARG002 (Twilio has no drafts)
        """One create, never repeated here; returns the message's SID.

        NotSent: no connection, or Twilio asked us to wait. ChannelOff: our set-up is wrong. Refused: Twilio's own no,
        with its code in words, or ours, where only a template may go and this cannot. Blocked: the customer has opted
        out. Whatever else is raised (a timeout, a broken connection, a 5xx) leaves open whether the message went.
        """
        form = {
            "To": PREFIX + message.to,
            "From": PREFIX + self.account.number,
            "StatusCallback": self.status_url(message.token),
        }
        try:
            answer = await self.client.post(self.path, data=form | self.write_content(message))
        except NEVER_CONNECTED as error:
            raise NotSent(type(error).__name__, delay=PAUSE) from error
        if answer.is_success and (sid := read_object(answer).get("sid")):
            return str(sid)
        raise explain(answer)

    def write_content(self, message: OutgoingMessage) -> dict[str, str]:
        """The fields with the text: as it is, or as the one variable of the template. Refused where neither may go."""
        if not message.is_late:
            return {"Body": message.body}
        if self.template_sid is None:
            raise Refused(NO_TEMPLATE)
        text = write_on_one_line(message.body)
        if message.parts > 1 or measure(text) > TEMPLATE_TEXT:
            raise Refused(NO_FIT)
        return {"ContentSid": self.template_sid, "ContentVariables": json.dumps({"1": text})}

    async def look_up(self, message: OutgoingMessage) -> str | None:
        """The SID of the oldest message with this text that Twilio took for this number since the first try, and that
        is not known to be another one.

        The number is asked for in every spelling: the customer may have written from another one since. Listed without
        DateSent, which a message that still waits at Twilio does not have. RetryLater when Twilio cannot be asked.
        """
        listed = [entry for number in list_spellings(message.to) for entry in await self.list_messages(number)]
        same = [entry for entry in listed if is_same_message(entry, message, self.account.number)]
        return str(min(same, key=read_time)["sid"]) if same else None

    async def list_messages(self, number: str) -> list[Any]:
        """What Twilio shows of our messages to a number. RetryLater when it cannot be asked."""
        query: dict[str, str | int] = {
            "To": PREFIX + number, "From": PREFIX + self.account.number, "PageSize": PAGE,
        }  # fmt: skip
        try:
            answer = await self.client.get(self.path, params=query)
        except httpx2.TransportError as error:
            raise RetryLater(type(error).__name__, delay=PAUSE) from error
        listed = read_object(answer).get("messages")
        if not answer.is_success or not isinstance(listed, list):
            raise RetryLater(f"Twilio cannot be asked: status {answer.status_code}", delay=read_pause(answer))
        return listed


@asynccontextmanager
async def open_whatsapp(
    account: WhatsAppAccount,
    status_url: StatusUrl,
    *,
    api_base: str = "https://api.twilio.com",
    index_lag: timedelta = INDEX_LAG,
    template_sid: str | None = None,
) -> AsyncIterator[WhatsApp]:
    """The channel with its connections, for the length of a worker.

    index_lag: how long Twilio's list may not show yet what Twilio took. template_sid: an approved template with one
    variable, {{1}}, for what is sent more than 24 hours after the customer's last word; None: that goes to a person.
    """
    auth = (account.sid, account.auth_token)
    async with httpx2.AsyncClient(base_url=api_base, auth=auth, timeout=TIMEOUT, follow_redirects=False) as client:
        yield WhatsApp(client, account, status_url, index_lag, template_sid)


def explain(answer: httpx2.Response) -> Exception:
    """What an answer without a message means."""
    status, code = answer.status_code, read_code(answer)
    reason = f"Twilio answered with status {status}" if code is None else explain_code(code)
    match read_consequence(answer):
        case "wait":
            return NotSent(reason, delay=read_pause(answer, pause_after(code)))
        case "off":
            return ChannelOff(reason, delay=LONG_PAUSE)
        case "blocked":
            return Blocked(reason)
        case "refused":
            return Refused(reason)
        case None:
            return UnclearAnswer(reason)


def read_consequence(answer: httpx2.Response) -> Follows | None:
    """What follows from an answer without a message; None where it says neither yes nor no."""
    status, code = answer.status_code, read_code(answer)
    if status == 429 or (status == 503 and "Retry-After" in answer.headers):
        return "wait"
    if status in (401, 403) and code not in CODES:
        return "off"
    return what_follows(code) if 400 <= status < 500 and code is not None else None


def read_code(answer: httpx2.Response) -> int | None:
    code = read_object(answer).get("code")
    return code if isinstance(code, int) else None


def is_same_message(entry: Any, message: OutgoingMessage, number: str) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("sid"), str)
        and entry["sid"] not in message.known_ids
        and str(entry.get("to")).removeprefix(PREFIX) in list_spellings(message.to)
        and entry.get("from") == PREFIX + number
        and has_same_text(str(entry.get("body")), message)
        and read_time(entry) >= message.first_try_at - CLOCK_SKEW
    )


def has_same_text(listed: str, message: OutgoingMessage) -> bool:
    """Twilio lists a template as the customer reads it: our text with the template's own words around it."""
    shown, meant = write_on_one_line(listed), write_on_one_line(message.body)
    return meant in shown if message.is_late else meant == shown


def write_on_one_line(text: str) -> str:
    """A template's variable may hold no line break, no tab and no run of blanks."""
    return " ".join(text.split())
