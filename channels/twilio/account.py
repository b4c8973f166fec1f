"""Our side at Twilio."""

from dataclasses import dataclass

PREFIX = "whatsapp:"
"""Before every address on this channel."""


@dataclass(frozen=True, slots=True)
class SharedKey:
    """A key Twilio signs webhooks with in place of the auth token, by HMAC-SHA256."""

    sid: str
    """As Twilio names it in X-Twilio-Webhooks-Signature-Settings."""
    secret: str


@dataclass(frozen=True, slots=True)
class WhatsAppAccount:
    """One account and the number it sends from."""

    sid: str
    auth_token: str
    number: str
    """E.164, without whatsapp: before it."""
    signature_key: SharedKey | None = None
    """Then no other signature counts; None: those of the auth token, by HMAC-SHA1, and no other."""
