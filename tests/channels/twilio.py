"""Webhooks as Twilio posts them, signed by Twilio's own code."""

import secrets
from collections.abc import Sequence
from urllib.parse import urlencode

from twilio.request_validator import HMAC_SHA1, RequestValidator

from channels.twilio.account import SharedKey, WhatsAppAccount
from channels.twilio.fields import Fields

ACCOUNT = WhatsAppAccount("AC00000000000000000000000000000001", "token-of-the-tests", "+14155238886")
KEY = SharedKey("webhooks_sharedkey_0001", "secret-of-the-shared-key")
PUBLIC = "https://desk.example.com"
CUSTOMER = "+5511987654321"
ENVIRON = {
    "TWILIO_ACCOUNT_SID": ACCOUNT.sid,
    "TWILIO_AUTH_TOKEN": ACCOUNT.auth_token,
    "TWILIO_WHATSAPP_FROM": f"whatsapp:{ACCOUNT.number}",
    "PUBLIC_BASE_URL": PUBLIC,
}

Pairs = Sequence[tuple[str, str]]


def new_sid() -> str:
    return "SM" + secrets.token_hex(16)


def make_message(text: str = "Where is my invoice?", **changed: str) -> list[tuple[str, str]]:
    """The fields of one text message; fields given by name replace them."""
    fields = {
        "SmsMessageSid": "",
        "NumMedia": "0",
        "ProfileName": "Ana Pérez",
        "MessageType": "text",
        "SmsSid": "",
        "WaId": CUSTOMER[1:],
        "SmsStatus": "received",
        "Body": text,
        "To": f"whatsapp:{ACCOUNT.number}",
        "NumSegments": "1",
        "ReferralNumMedia": "0",
        "MessageSid": new_sid(),
        "AccountSid": ACCOUNT.sid,
        "From": f"whatsapp:{CUSTOMER}",
        "ApiVersion": "2010-04-01",
        "Empty": "",
    }
    return list((fields | changed).items())


def make_status(vendor_id: str, status: str, **changed: str) -> list[tuple[str, str]]:
    """The fields of one status callback."""
    fields = {
        "MessageSid": vendor_id,
        "MessageStatus": status,
        "SmsSid": vendor_id,
        "SmsStatus": status,
        "AccountSid": ACCOUNT.sid,
        "From": f"whatsapp:{ACCOUNT.number}",
        "To": f"whatsapp:{CUSTOMER}",
        "ChannelPrefix": "whatsapp",
        "ApiVersion": "2010-04-01",
    }
    return list((fields | changed).items())


def make_media(*types: str, text: str = "", **changed: str) -> list[tuple[str, str]]:
    """The fields of a message with files of these types."""
    sid = new_sid()
    fields = {"NumMedia": str(len(types)), "MessageSid": sid}
    for place, kind in enumerate(types):
        fields[f"MediaContentType{place}"] = kind
        fields[f"MediaUrl{place}"] = f"https://api.twilio.com/Accounts/{ACCOUNT.sid}/Messages/{sid}/Media/ME{place}"
    return make_message(text, **(fields | changed))


def sign(
    target: str,
    pairs: Pairs,
    *,
    token: str = ACCOUNT.auth_token,
    base: str = PUBLIC,
    algorithm: str = HMAC_SHA1,
) -> str:
    """What Twilio puts into X-Twilio-Signature. `token`: with HMAC_SHA256 the secret of a shared key."""
    return str(RequestValidator(token).compute_signature(base + target, Fields(pairs), algorithm))


def make_headers(signature: str, **others: str) -> dict[str, str]:
    """The headers of a webhook, by their names in small letters."""
    return {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature} | others


def encode(pairs: Pairs) -> bytes:
    return urlencode(pairs).encode()
