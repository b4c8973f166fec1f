"""Twilio's own list of messages: what customers wrote to us, and what became of what we wrote."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx2

from channels.twilio.account import PREFIX, WhatsAppAccount
from channels.twilio.api import PAGE, ask, read_pages, read_time
from channels.twilio.fields import Fields
from channels.twilio.messages import MAX_MEDIA, VENDOR_ID
from channels.twilio.statuses import StatusUpdate, read_status
from db.errors import NotFound


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """A message as Twilio lists it."""

    sid: str
    sender: str
    """Without whatsapp: before it."""
    body: str
    num_media: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file of a message, by Twilio's id and in its words."""

    sid: str
    type: str


class MessageList:
    """The Messages resource of one account, for one number."""

    def __init__(self, client: httpx2.AsyncClient, account: WhatsAppAccount) -> None:
        self.client = client
        self.account = account
        self.base = str(client.base_url).rstrip("/")
        self.path = f"/2010-04-01/Accounts/{account.sid}/Messages"

    async def read_inbound(self, since: datetime) -> AsyncGenerator[list[ListedMessage]]:
        """Pages of what was written to us since then, newest first. Raises as channels.twilio.api.ask does."""
        async with aclosing(self.read_since("To", since)) as pages:
            async for page in pages:
                yield [read_listed(entry) for entry in page if entry.get("direction") == "inbound"]

    async def read_outbound(self, since: datetime) -> AsyncGenerator[list[StatusUpdate]]:
        """Pages of what became of what we sent since then, newest first. Raises as channels.twilio.api.ask does."""
        async with aclosing(self.read_since("From", since)) as pages:
            async for page in pages:
                yield [read_fate(entry) for entry in page]

    async def read_since(self, side: str, since: datetime) -> AsyncGenerator[list[dict[str, Any]]]:
        """Twilio filters by whole days and lists the newest first: what is older ends the reading."""
        day = since.date().isoformat()
        query: dict[str, str | int] = {side: PREFIX + self.account.number, "DateSent>": day, "PageSize": PAGE}
        async with aclosing(read_pages(self.client, f"{self.path}.json", query, "messages")) as pages:
            async for page in pages:
                recent = [entry for entry in page if read_time(entry) >= since]
                yield [entry for entry in recent if has_id(entry)]
                if page and not recent:
                    return

    def write_as_posted(self, message: ListedMessage, files: Sequence[ListedFile]) -> Fields:
        """The fields that Twilio would have posted, as far as its list knows them: no name, place or button."""
        fields = [
            ("AccountSid", self.account.sid),
            ("MessageSid", message.sid),
            ("From", PREFIX + message.sender),
            ("To", PREFIX + self.account.number),
            ("Body", message.body),
            ("NumMedia", str(message.num_media)),
        ]
        for place, file in enumerate(files):
            url = f"{self.base}{self.path}/{message.sid}/Media/{file.sid}"
            fields += [(f"MediaUrl{place}", url), (f"MediaContentType{place}", file.type)]
        return Fields(fields)

    async def list_files(self, message: ListedMessage) -> list[ListedFile]:
        """What came with a message; nothing where it is gone. Raises as channels.twilio.api.ask does."""
        if not message.num_media:
            return []
        try:
            content = await ask(self.client, f"{self.path}/{message.sid}/Media.json?PageSize={MAX_MEDIA}")
        except NotFound:
            return []
        listed = content.get("media_list")
        entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
        return [ListedFile(entry["sid"], str(entry.get("content_type") or "")) for entry in entries if has_id(entry)]


def has_id(entry: dict[str, Any]) -> bool:
    sid = entry.get("sid")
    return isinstance(sid, str) and VENDOR_ID.fullmatch(sid) is not None


def read_listed(entry: dict[str, Any]) -> ListedMessage:
    count = str(entry.get("num_media"))
    return ListedMessage(
        sid=str(entry["sid"]),
        sender=str(entry.get("from")).removeprefix(PREFIX),
        body=str(entry.get("body") or "").encode(errors="replace").decode(),  # JSON may hold half a character
        num_media=min(int(count), MAX_MEDIA) if count.isascii() and count.isdigit() and len(count) < 4 else 0,
        created_at=read_time(entry),
    )


def read_fate(entry: dict[str, Any]) -> StatusUpdate:
    """An entry as the callback it would have been; its text stays with Twilio."""
    code, status = entry.get("error_code"), entry.get("status")
    fields = [("MessageSid", str(entry["sid"])), ("MessageStatus", str(status)), ("ErrorCode", str(code or ""))]
    return read_status(Fields(fields))
