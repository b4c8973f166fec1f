"""What a customer sent on WhatsApp, of whatever kind, as the payload it waits on the queue with."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from channels.base import PAYLOAD_VERSION, InvalidSignature
from channels.phone_numbers import NUMBER, unify_number
from channels.twilio.account import PREFIX, WhatsAppAccount
from channels.twilio.fields import Fields
from channels.twilio.opt_out import Wish, read_wish, say_farewell
from channels.twilio.picks import is_tap, list_picked
from db.errors import DeskError

VENDOR_ID = re.compile(r"[A-Za-z0-9]{2,64}")
# Customers may hide their number behind a username: From is then an id of theirs for us such as US.1349120865530274,
# also with ENT. after the country. The number, where it is shown, stays in From.
USER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,159}")
MEDIA_TYPE = re.compile(r"[!-~]{1,80}")
MAX_URL = 2000  # characters
MAX_MEDIA = 10  # as Twilio allows; more need not be named
PROVEN_BY_PROVIDER = 3  # trust: the number is vouched for by the signature

MARKS = {"image": "[image]", "audio": "[voice message]", "video": "[video]"}
CARDS = ("text/vcard", "text/x-vcard")
UNREADABLE = "[message that cannot be shown]"
ASIDE = {"sticker": "sticker", "edit": "edited", "edited": "edited", "ephemeral": "ephemeral"}
"""Kinds of message that say nothing where they carry no words, by Twilio's MessageType."""
STICKER = "image/webp"
"""WhatsApp sends pictures on as JPEG or PNG, and stickers as this."""


class UnreadableWebhook(DeskError):
    """It is from Twilio, and still nothing we can store."""


@dataclass(frozen=True, slots=True)
class PostedMessage:
    """One message of a customer, and what is to become of it."""

    payload: dict[str, Any]
    """As channels.base.read_payload takes it."""
    kept_as: str | None
    """reaction, sticker, edited or ephemeral: kept in the log and never answered. None for all others."""
    wish: Wish | None
    """Whether they want to hear no more from us, or to hear from us again."""
    farewell: str | None
    """What to say to somebody who wants to hear no more; None where Twilio has said it."""
    is_tap: bool
    """A button or a list: nothing more of it will come, so it waits for no more."""


def read_message(fields: Fields, account: WhatsAppAccount, sent_at: datetime) -> PostedMessage:
    """A message that was posted to our number. Parameters that are not known are let be, and missing ones are empty.

    Raises InvalidSignature for one to another number, UnreadableWebhook without an id or a sender.
    """
    if fields.only("To") != PREFIX + account.number:
        raise InvalidSignature("recipient")
    words, kept_as, marks = read_words(fields), find_kept(fields), list_marks(fields)
    said = fields.first("OptOutType").upper()  # Twilio's own opt-out, which has answered the customer already
    wish = find_wish(said, "" if kept_as or marks else words)
    body = name_kept(fields, kept_as) if kept_as else lay_out_body(words, marks)
    return PostedMessage(
        # a place alone says where, and nothing of what they want
        payload=write_payload(fields, "" if words == read_place(fields) else words, body, sent_at),
        kept_as=None if wish else kept_as,
        wish=wish,
        farewell=say_farewell(words) if wish == "stop" and not said else None,
        is_tap=is_tap(fields),
    )


def write_payload(fields: Fields, words: str, body: str, sent_at: datetime) -> dict[str, Any]:
    """The message as it waits on the queue, under the one form of its sender's address."""
    address = fields.only("From").removeprefix(PREFIX)
    customer = read_customer(address, fields)
    return {
        "version": PAYLOAD_VERSION,
        "channel": "whatsapp",
        "thread_key": customer["value"],
        "external_id": check_id(fields.only("MessageSid")),
        "body": body,
        "words": words,
        "subject": "",
        "category": None,
        "trust": PROVEN_BY_PROVIDER,
        "sent_at": sent_at,
        "address": address,
        "attached": list_attached(fields),
        "customer": customer,
    }


def check_id(vendor_id: str) -> str:
    """Raises UnreadableWebhook for what is no id of Twilio's."""
    if not VENDOR_ID.fullmatch(vendor_id):
        raise UnreadableWebhook("MessageSid is missing")
    return vendor_id


def read_customer(address: str, fields: Fields) -> dict[str, Any]:
    """Who sent it. Raises UnreadableWebhook for an address that is neither a number nor an id."""
    if NUMBER.fullmatch(address):
        kind, value = "phone", unify_number(address)
    elif USER_ID.fullmatch(address):
        kind, value = "whatsapp", address
    else:
        raise UnreadableWebhook("From is neither a number nor an id")
    name = fields.line("ProfileName") or None
    return {"kind": kind, "value": value, "proof": "provider", "name": name, "plan": None}


def find_wish(said: str, words: str) -> Wish | None:
    """What Twilio says of it counts; where it says nothing, the words do."""
    if said:
        return "stop" if said == "STOP" else "start" if said == "START" else None
    return read_wish(words)


def find_kept(fields: Fields) -> str | None:
    """As what a message is only kept; None when somebody has to read it."""
    kind = read_kind(fields)
    if kind == "reaction" or fields.first("ReactionEmoji"):
        return "reaction"
    if read_words(fields):
        return None
    is_sticker = [read_media_type(fields, place) for place in find_media(fields)] == [STICKER]
    return "sticker" if is_sticker and not kind else ASIDE.get(kind)


def name_kept(fields: Fields, kept_as: str) -> str:
    """What the log says of a message that is only kept."""
    if kept_as != "reaction":
        return f"[{kept_as}]" if kept_as == "sticker" else f"[{kept_as} message]"
    emoji = fields.line("ReactionEmoji") or fields.line("Body")
    return f"[reaction: {emoji}]" if emoji else "[reaction]"


def lay_out_body(words: str, marks: list[str]) -> str:
    """The words, and a mark for each thing that came with them, so that a message without words is still a message."""
    return "\n".join(part for part in (words, " ".join(marks)) if part) or UNREADABLE


def read_words(fields: Fields) -> str:
    """What the customer wrote, picked and pointed at, each on lines of its own."""
    body, picked = fields.text("Body"), list_picked(fields)
    if picked and body in (fields.text("ButtonPayload"), fields.text("ListId")):
        body = ""  # an id of ours, not the label they saw
    return "\n".join(dict.fromkeys(part for part in (body, *picked, read_place(fields)) if part))


def read_place(fields: Fields) -> str:
    """A location as "[location: name, address (latitude, longitude)]", without what is missing."""
    named = ", ".join(part for part in (fields.line("Label"), fields.line("Address")) if part)
    degrees = [read_degrees(fields, "Latitude", 90), read_degrees(fields, "Longitude", 180)]
    point = ", ".join(degrees) if all(degrees) else ""
    said = f"{named} ({point})" if named and point else named or point
    return f"[location: {said}]" if said else ""


def read_degrees(fields: Fields, name: str, most: float) -> str:
    """Degrees as Twilio wrote them; empty when they are none."""
    text = fields.first(name).strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,3}(\.[0-9]{1,20})?", text) or abs(float(text)) > most:
        return ""
    return text


def list_marks(fields: Fields) -> list[str]:
    """A mark for each file, in their order; for a contact or a place also where nothing else of it came."""
    types = [read_media_type(fields, place) for place in find_media(fields)]
    marks = ["[contact]" if kind in CARDS else MARKS.get(kind.partition("/")[0], "[file]") for kind in types]
    kind = read_kind(fields)
    if not marks and kind in ("contact", "contacts"):
        return ["[contact]"]
    return ["[location]"] if not marks and kind == "location" and not read_place(fields) else marks


def list_attached(fields: Fields) -> list[dict[str, str]]:
    """The files, one for each mark. Where they may be fetched from is for whoever fetches them."""
    return [
        {"url": fields.line(f"MediaUrl{place}", MAX_URL), "type": read_media_type(fields, place)}
        for place in find_media(fields)
    ]


def read_media_type(fields: Fields, place: int) -> str:
    """As Twilio declares it, without parameters such as codecs."""
    declared = fields.first(f"MediaContentType{place}").partition(";")[0].strip().lower()
    return declared if MEDIA_TYPE.fullmatch(declared) else "application/octet-stream"


def find_media(fields: Fields) -> list[int]:
    """The places of the files: as many as Twilio counts, and those it does not count and yet names."""
    count = fields.first("NumMedia")
    counted = int(count) if count.isascii() and count.isdigit() and len(count) < 4 else 0
    return [place for place in range(MAX_MEDIA) if place < counted or fields.first(f"MediaUrl{place}")]


def read_kind(fields: Fields) -> str:
    return fields.first("MessageType").strip().lower()
