"""What doctor asks Twilio, and what to do about each answer."""

from collections.abc import AsyncIterator, Iterator
from urllib.parse import urldefrag, urlsplit

from app.findings import Finding
from app.settings import Settings
from channels.phone_numbers import unify_number
from channels.twilio.account import WhatsAppAccount
from channels.twilio.api import AccessRefused
from channels.twilio.standing import Approval, Sender, TwilioAccount, open_twilio_account
from db.errors import DeskError, NotFound

SANDBOX = "+14155238886"
SANDBOX_PAGE = "Messaging > Try it out > Send a WhatsApp message > Sandbox settings"
SENDERS_PAGE = "Messaging > Senders > WhatsApp senders"
LATE_REPLIES = "replies after 24 hours fail and go to a person"
IN_REVIEW = ("CREATING", "PENDING_VERIFICATION", "VERIFYING", "TWILIO_REVIEW", "DRAFT")


async def check_whatsapp(settings: Settings, account: WhatsAppAccount) -> AsyncIterator[Finding]:
    """Whether Twilio lets us in, brings us what customers write, and sends what we write."""
    async with open_twilio_account(account, settings.twilio_api_base) as twilio:
        try:
            status = await twilio.load_status()
        except AccessRefused as error:
            yield Finding("bad", str(error))
            return
        except NotFound:
            yield Finding("bad", "Twilio has no such account: check TWILIO_ACCOUNT_SID")
            return
        except DeskError as error:
            yield Finding("warn", f"Twilio cannot be asked now ({error})")
            return
        yield say_account(status)
        for finding in [*check_address(settings), *await check_sender(settings, twilio)]:
            yield finding
        if settings.twilio_template_sid is not None:
            yield await check_template(twilio, settings.twilio_template_sid)
        else:
            yield Finding("off", f"no template is set, {LATE_REPLIES}: docs/channels/whatsapp.md, section 4")


def say_account(status: str) -> Finding:
    if status == "active":
        return Finding("ok", "Twilio lets us in, and the account is active")
    return Finding("bad", f"the Twilio account is {status}: its console says what has to be done")


def check_address(settings: Settings) -> Iterator[Finding]:
    """A local address has its own warning: see app.shortfalls."""
    host = urlsplit(settings.public_base_url).hostname
    if not settings.is_https and host not in ("localhost", "127.0.0.1", "::1"):
        yield Finding("warn", f"{settings.public_base_url} is not https: set PUBLIC_BASE_URL to what Twilio was given")


async def check_sender(settings: Settings, twilio: TwilioAccount) -> list[Finding]:
    """The number, and where Twilio brings what is written to it."""
    number, wanted = twilio.account.number, f"{settings.public_base_url}/webhooks/whatsapp"
    if number == SANDBOX:
        how = f"in the console under {SANDBOX_PAGE}, set 'When a message comes in' to {wanted}, POST"
        return [
            Finding("warn", f"{number} is Twilio's sandbox, for trying out, and does not show how it is set: {how}")
        ]
    try:
        sender = await twilio.find_sender()
    except DeskError as error:
        return [Finding("warn", f"Twilio does not say how {number} is set up ({error})")]
    if sender is None:
        missing = (
            f"{number} is no WhatsApp sender of this account: look under {SENDERS_PAGE}, then set TWILIO_WHATSAPP_FROM"
        )
        return [Finding("bad", missing)]
    return [*say_number(sender, number), say_status(sender), *say_webhook(sender, wanted)]


def say_number(sender: Sender, number: str) -> Iterator[Finding]:
    if sender.number != number:
        yield Finding("bad", f"Twilio writes our number {sender.number}: set TWILIO_WHATSAPP_FROM to exactly that")
    elif unify_number(number) != number:
        yield Finding("ok", f"{number} and {unify_number(number)} are the same number")


def say_status(sender: Sender) -> Finding:
    why = f" ({'; '.join(sender.reasons)})" if sender.reasons else ""
    if sender.status in ("ONLINE", "ONLINE:UPDATING"):
        return Finding("ok", f"the sender {sender.number} is online")
    if sender.status in IN_REVIEW:
        return Finding("warn", f"the sender {sender.number} is not ready, {sender.status}{why}: see {SENDERS_PAGE}")
    return Finding("bad", f"the sender {sender.number} is {sender.status}{why}: see {SENDERS_PAGE}")


def say_webhook(sender: Sender, wanted: str) -> Iterator[Finding]:
    """Without it messages still come in, but only as often as Twilio's list is read."""
    place = f"under {SENDERS_PAGE}"
    if sender.callback_url is None:
        said = (
            f"Twilio brings us nothing, messages come in only every two minutes: {place}, set the webhook to {wanted}"
        )
        yield Finding("warn", f"{said}, POST")
    elif not is_same_address(sender.callback_url, wanted):
        given = hide_login(sender.callback_url)
        said = f"Twilio brings messages to {given}: {place}, set the webhook to {wanted}, POST"
        yield Finding("bad", f"{said}, or PUBLIC_BASE_URL to the address that is there")
    elif (sender.callback_method or "POST") != "POST":
        yield Finding("bad", f"Twilio brings messages by {sender.callback_method}: {place}, set the webhook to POST")
    else:
        yield Finding("ok", f"Twilio brings messages to {wanted}")
    if sender.fallback_url is None or not is_same_address(sender.fallback_url, wanted):
        yield Finding(
            "warn", f"the fallback is not ours: {place}, set it to {wanted} too, POST; a repeat changes nothing"
        )


def hide_login(url: str) -> str:
    """An address without the name and password that may stand in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def is_same_address(given: str, wanted: str) -> bool:
    """Behind # stands how often Twilio tries, which it does not send."""
    return urldefrag(given).url == wanted


async def check_template(twilio: TwilioAccount, sid: str) -> Finding:
    """Whether WhatsApp takes the template for replies after 24 hours."""
    try:
        approval = await twilio.find_approval(sid)
    except DeskError as error:
        return Finding("warn", f"Twilio does not say whether the template {sid} is approved ({error})")
    if approval is None:
        return Finding("bad", f"this account has no template {sid}: check TWILIO_TEMPLATE_SID")
    return say_approval(sid, approval)


def say_approval(sid: str, approval: Approval) -> Finding:
    if approval.status == "approved":
        return Finding("ok", f"the template {sid} is approved")
    if approval.status == "rejected":
        why = f" ({approval.reason})" if approval.reason else ""
        return Finding(
            "bad", f"WhatsApp has rejected the template {sid}{why}: change it and submit it again; {LATE_REPLIES}"
        )
    if approval.status == "unsubmitted":
        return Finding("bad", f"the template {sid} was not submitted to WhatsApp: do so in the console; {LATE_REPLIES}")
    return Finding("warn", f"the template {sid} is not approved yet, {approval.status}: until then {LATE_REPLIES}")
