"""What Twilio posts: whether it is Twilio, what the customer wrote, what became of a message of ours."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from twilio.request_validator import RequestValidator

from channels.base import PAYLOAD_VERSION, InvalidSignature
from db.errors import DeskError

PREFIX = "whatsapp:"
NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")  # E.164
VENDOR_ID = re.compile(r"[A-Za-z0-9]{2,64}")
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
UNSENDABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
MAX_FIELDS = 500
MAX_NAME = 200  # characters
MAX_MEDIA = 10  # as Twilio allows; more need not be named
PROVEN_BY_PROVIDER = 3  # trust: the number is vouched for by the signature

STATUSES = {
    "accepted": "sending", "scheduled": "sending", "queued": "sending", "sending": "sending", "sent": "sent",
    "delivered": "delivered", "read": "read", "undelivered": "failed", "failed": "failed", "canceled": "failed",
}  # fmt: skip
"""Twilio's words to ours."""
MEDIA = {"image": "[image]", "audio": "[voice message]", "video": "[video]"}


class UnreadableWebhook(DeskError):
    """It is from Twilio, and still nothing we can store."""


@dataclass(frozen=True, slots=True)
class WhatsAppAccount:
    """Our side at Twilio."""

    sid: str
    auth_token: str
    number: str
    """E.164, without whatsapp: before it."""


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """What became of one message. `status` is one of ours; None for a word we do not know."""

    vendor_id: str
    status: str | None
    error: str | None
    payload: dict[str, Any]


class Fields(dict[str, list[str]]):
    """A form with all its values, empty and repeated ones too: the signature covers them."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        super().__init__()
        for name, value in pairs:
            self.setdefault(name, []).append(value)

    def getlist(self, name: str) -> list[str]:
        """As RequestValidator asks for them."""
        return self[name]

    def first(self, name: str) -> str:
        """The first value of a field, empty when there is none."""
        return self[name][0] if name in self else ""


class WhatsAppWebhooks:
    """Reads what is posted to us under one account and one number."""

    def __init__(self, account: WhatsAppAccount, public_base_url: str) -> None:
        self.account = account
        self.public_base_url = public_base_url
        self.validator = RequestValidator(account.auth_token)

    def read_signed(self, target: str, body: bytes, signature: str) -> Fields:
        """The fields of a request that Twilio signed for our account; InvalidSignature for any other.

        target: path and query as they came, undecoded. Where they were sent to is taken from the settings, never from
        the request, whose Host header anybody may write.
        """
        try:
            pairs = parse_qsl(
                body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
            )  # fmt: skip
            fields = Fields(pairs)
            is_valid = self.validator.validate(self.public_base_url + target, fields, signature)
        except (ValueError, TypeError, IndexError) as error:  # the validator's ways to say no
            raise InvalidSignature(type(error).__name__) from None
        if not is_valid:
            raise InvalidSignature("signature")
        if fields.first("AccountSid") != self.account.sid:
            raise InvalidSignature("account")
        return fields

    def read_message(self, fields: Fields, sent_at: datetime) -> dict[str, Any]:
        """The queue's payload of a customer's message.

        Raises InvalidSignature for one to another number, UnreadableWebhook without an id or a sender's number.
        """
        if fields.first("To") != PREFIX + self.account.number:
            raise InvalidSignature("recipient")
        number, external_id = fields.first("From").removeprefix(PREFIX), fields.first("MessageSid")
        if not NUMBER.fullmatch(number):
            raise UnreadableWebhook("From is not a number")
        name = UNSEEN.sub(" ", fields.first("ProfileName")).strip()[:MAX_NAME] or None
        return {
            "version": PAYLOAD_VERSION,
            "channel": "whatsapp",
            "thread_key": number,
            "external_id": check_id(external_id),
            "body": read_body(fields),
            "subject": "",
            "category": None,
            "trust": PROVEN_BY_PROVIDER,
            "sent_at": sent_at,
            "customer": {"kind": "phone", "value": number, "proof": "provider", "name": name, "plan": None},
        }

    def read_status(self, fields: Fields) -> StatusUpdate:
        """What a status callback says. UnreadableWebhook without a message's id."""
        error = fields.first("ErrorCode")
        return StatusUpdate(
            vendor_id=check_id(fields.first("MessageSid")),
            status=STATUSES.get(fields.first("MessageStatus").lower()),
            error=f"Twilio {error}" if error.isascii() and error.isdigit() and error != "0" else None,
            payload={name: values[0] if len(values) == 1 else values for name, values in fields.items()},
        )


def check_id(vendor_id: str) -> str:
    if not VENDOR_ID.fullmatch(vendor_id):
        raise UnreadableWebhook("MessageSid is missing")
    return vendor_id


def read_body(fields: Fields) -> str:
    """The text, and a word for each thing that came with it, so that a message without text is still a message."""
    text = UNSENDABLE.sub("", fields.first("Body").replace("\r\n", "\n").replace("\r", "\n")).strip()
    return "\n".join(part for part in (text, " ".join(list_attached(fields))) if part) or "[message without text]"


def list_attached(fields: Fields) -> list[str]:
    count = fields.first("NumMedia")
    shown = min(int(count), MAX_MEDIA) if count.isascii() and count.isdigit() and len(count) < 4 else 0
    kinds = [fields.first(f"MediaContentType{index}").partition("/")[0].lower() for index in range(shown)]
    place = ["[location]"] if fields.first("Latitude") and fields.first("Longitude") else []
    return [MEDIA.get(kind, "[file]") for kind in kinds] + place
