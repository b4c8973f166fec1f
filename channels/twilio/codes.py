"""Twilio's error codes: what each says in words, and what follows when a message was refused with it."""

from datetime import timedelta
from typing import Literal

Follows = Literal["wait", "off", "blocked", "refused"]
"""wait: surely not taken, and another try may go through. off: nothing can be sent until somebody mends our set-up.
blocked: the customer wants no more of us. refused: this message will never be taken."""

PAUSE = timedelta(seconds=10)
"""Until another try, where Twilio names no time."""
PAUSES = {
    21611: timedelta(minutes=10),
    63018: timedelta(minutes=1),
    63038: timedelta(hours=1),  # the limit is over a rolling day
    63053: timedelta(minutes=10),
}
"""How long to wait where it is longer than usual and Twilio names no time."""

CODES: dict[int, tuple[Follows, str]] = {
    20429: ("wait", "too many requests at once"),
    21611: ("wait", "too many messages of this number are queued"),
    63017: ("wait", "messages are sent faster than the account may"),
    63018: ("wait", "messages are sent faster than WhatsApp allows, or to more customers than it allows in a day"),
    63038: ("wait", "the account has sent as many messages as it may in a day"),
    63053: ("wait", "the template is still being copied to WhatsApp"),
    10001: ("off", "the account is not active"),
    20003: ("off", "the credentials are wrong or the account is suspended: check TWILIO_AUTH_TOKEN"),
    20005: ("off", "the account is not active, perhaps for lack of funds"),
    20010: ("off", "this is disabled for the account"),
    20403: ("off", "the account is suspended or closed"),
    20404: ("off", "there is no such account: check TWILIO_ACCOUNT_SID"),
    21212: ("off", "the sender is no valid number: check TWILIO_WHATSAPP_FROM"),
    21603: ("off", "the sender is missing: check TWILIO_WHATSAPP_FROM"),
    21606: ("off", "the sender cannot send messages from this account: check TWILIO_WHATSAPP_FROM"),
    21609: ("off", "the address for delivery reports is not valid: check PUBLIC_BASE_URL"),
    21657: ("off", "the sender is not valid: check TWILIO_WHATSAPP_FROM"),
    21659: ("off", "the sender is no number of Twilio's: check TWILIO_WHATSAPP_FROM"),
    21660: ("off", "the sender belongs to another account: check TWILIO_WHATSAPP_FROM"),
    21661: ("off", "the sender cannot send messages: check TWILIO_WHATSAPP_FROM"),
    63001: ("off", "WhatsApp does not accept the sender's credentials"),
    63002: ("off", "WhatsApp does not know the sender: check TWILIO_WHATSAPP_FROM"),
    63007: ("off", "the sender is no WhatsApp sender of this account: check TWILIO_WHATSAPP_FROM"),
    63008: ("off", "the WhatsApp sender is not set up completely"),
    63020: ("off", "there is a fault with the business account at Meta"),
    63051: ("off", "Meta has locked the WhatsApp sender or its account"),
    63059: ("off", "the sender has moved to another WhatsApp business account"),
    63111: ("off", "Meta does not know the sender or its business account"),
    63112: ("off", "Meta has disabled the WhatsApp business account"),
    63120: ("off", "Meta has locked the business account"),
    21610: ("blocked", "the customer has opted out"),
    21211: ("refused", "the customer's number is not valid"),
    21408: ("refused", "messages to the customer's country are not enabled"),
    21602: ("refused", "the message is empty"),
    21608: ("refused", "a trial account sends only to verified numbers"),
    21612: ("refused", "this number cannot be reached from this sender"),
    21614: ("refused", "the customer's number is not a mobile number"),
    21617: ("refused", "the message is longer than 1,600 characters"),
    21619: ("refused", "the message is empty"),
    21655: ("refused", "the template is not known to this account: check TWILIO_TEMPLATE_SID"),
    21656: ("refused", "the template does not take this text"),
    21658: ("refused", "the text is too long for the template"),
    63003: ("refused", "the customer's number is not on WhatsApp"),
    63005: ("refused", "WhatsApp did not accept the content"),
    63006: ("refused", "the content has no form that WhatsApp knows"),
    63012: ("refused", "WhatsApp had a fault of its own"),
    63013: ("refused", "the message is against WhatsApp's policy"),
    63015: ("refused", "the sandbox sends only to numbers that have joined it"),
    63016: ("refused", "more than 24 hours after their last message, only an approved template may be sent"),
    63021: ("refused", "WhatsApp does not take such content, or a template longer than 1,024 characters"),
    63023: ("refused", "WhatsApp gave no reason"),
    63024: ("refused", "the customer cannot receive it: not on WhatsApp, its terms not accepted, or an old version"),
    63026: ("refused", "WhatsApp takes the message for spam"),
    63027: ("refused", "the template does not exist in this language"),
    63028: ("refused", "the template has another number of variables: it needs exactly one"),
    63030: ("refused", "WhatsApp does not take such a parameter"),
    63031: ("refused", "sender and customer are the same number"),
    63032: ("refused", "WhatsApp does not let this customer be written to for now"),
    63033: ("refused", "the customer has opted out of such messages"),
    63040: ("refused", "WhatsApp has rejected the template"),
    63041: ("refused", "WhatsApp has paused the template"),
    63042: ("refused", "WhatsApp has disabled the template"),
    63049: ("refused", "Meta chose not to deliver a marketing template"),
    63050: ("refused", "the customer has opted out of marketing templates"),
    63054: ("refused", "the template cannot be used at present"),
    63058: ("refused", "the business may not write to this country"),
    92007: ("refused", "the template does not take this text"),
}
"""As Twilio's error dictionary has them, in our words."""


def explain_code(code: int) -> str:
    """A code as a person reads it in a ticket or a log."""
    words = CODES[code][1] if code in CODES else "see Twilio's error list"
    return f"Twilio {code}: {words}"


def is_blocking(code: int) -> bool:
    """Whether the customer wants nothing more from us: also what else was to go there is not sent."""
    return what_follows(code) == "blocked"


def what_follows(code: int) -> Follows:
    """What a create that was answered with this code leads to; a code nobody wrote down is a refusal."""
    return CODES[code][0] if code in CODES else "refused"


def pause_after(code: int | None) -> timedelta:
    """How long to wait before another try, where Twilio does not say."""
    return PAUSES.get(code or 0, PAUSE)
