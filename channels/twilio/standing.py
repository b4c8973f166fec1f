"""What Twilio says of our side: the account, the sender with our number, the template."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from channels.phone_numbers import unify_number
from channels.twilio.account import PREFIX, WhatsAppAccount
from channels.twilio.api import ask, read_pages
from channels.twilio.messages import VENDOR_ID
from db.errors import NotFound

API_BASE = "https://api.twilio.com"
TIMEOUT = httpx2.Timeout(10, connect=5)  # seconds
PAGE = 50


@dataclass(frozen=True, slots=True)
class Hosts:
    """Where each of Twilio's interfaces is."""

    api: str = API_BASE
    messaging: str = "https://messaging.twilio.com"
    content: str = "https://content.twilio.com"


@dataclass(frozen=True, slots=True)
class Sender:
    """A number that Twilio sends WhatsApp messages from."""

    number: str
    """As Twilio has it, without whatsapp: before it."""
    status: str
    """ONLINE, or another word of Twilio's."""
    reasons: tuple[str, ...]
    """Why it is offline."""
    callback_url: str | None
    callback_method: str | None
    fallback_url: str | None


@dataclass(frozen=True, slots=True)
class Approval:
    """What WhatsApp says of a template."""

    status: str
    """approved, pending, rejected, or another word of Twilio's."""
    reason: str


class TwilioAccount:
    """Everything raises AccessRefused or RetryLater as channels.twilio.api.ask does."""

    def __init__(self, client: httpx2.AsyncClient, account: WhatsAppAccount, hosts: Hosts) -> None:
        self.client = client
        self.account = account
        self.hosts = hosts

    async def load_status(self) -> str:
        """active, suspended or closed. NotFound where there is no such account."""
        content = await ask(self.client, f"{self.hosts.api}/2010-04-01/Accounts/{self.account.sid}.json")
        return str(content.get("status"))

    async def find_sender(self) -> Sender | None:
        """The sender with our number in any of its spellings; None where the account has none."""
        url = f"{self.hosts.messaging}/v2/Channels/Senders"
        query: dict[str, str | int] = {"Channel": "whatsapp", "PageSize": PAGE}
        async with aclosing(read_pages(self.client, url, query, "senders")) as pages:
            async for page in pages:
                for entry in page:
                    if self.is_ours(entry):
                        # the list may leave out the webhook
                        return read_sender(entry | await ask(self.client, f"{url}/{entry['sid']}"))
        return None

    def is_ours(self, entry: Mapping[str, Any]) -> bool:
        is_named = isinstance(entry.get("sid"), str) and VENDOR_ID.fullmatch(entry["sid"]) is not None
        return is_named and unify_number(read_number(entry)) == unify_number(self.account.number)

    async def find_approval(self, template_sid: str) -> Approval | None:
        """What WhatsApp says of a template; None where the account has no such template."""
        try:
            content = await ask(self.client, f"{self.hosts.content}/v1/Content/{template_sid}/ApprovalRequests")
        except NotFound:
            return None
        whatsapp = content.get("whatsapp")
        said = whatsapp if isinstance(whatsapp, dict) else {}
        return Approval(str(said.get("status") or "unsubmitted"), str(said.get("rejection_reason") or ""))


@asynccontextmanager
async def open_twilio_account(account: WhatsAppAccount, api_base: str = API_BASE) -> AsyncIterator[TwilioAccount]:
    """The account, for the length of the block. Where api_base is not Twilio's own, everything is asked there."""
    hosts = Hosts() if api_base == API_BASE else Hosts(api_base, api_base, api_base)
    auth = (account.sid, account.auth_token)
    async with httpx2.AsyncClient(auth=auth, timeout=TIMEOUT, follow_redirects=False) as client:
        yield TwilioAccount(client, account, hosts)


def read_number(entry: Mapping[str, Any]) -> str:
    return str(entry.get("sender_id")).removeprefix(PREFIX)


def read_sender(entry: Mapping[str, Any]) -> Sender:
    webhook = entry.get("webhook")
    urls = webhook if isinstance(webhook, dict) else {}
    reasons = entry.get("offline_reasons")
    return Sender(
        number=read_number(entry),
        status=str(entry.get("status")),
        reasons=tuple(read_reason(reason) for reason in reasons) if isinstance(reasons, list) else (),
        callback_url=urls.get("callback_url") or None,
        callback_method=urls.get("callback_method") or None,
        fallback_url=urls.get("fallback_url") or None,
    )


def read_reason(reason: Any) -> str:
    """Twilio gives them as texts or as {code, message}."""
    if isinstance(reason, dict):
        return " ".join(str(reason[key]) for key in ("code", "message") if reason.get(key))
    return str(reason)
