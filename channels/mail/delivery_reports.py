"""What a mail server says about a mail of ours that it could not deliver, in each of the forms it may take."""

import re

from channels.mail.charsets import clean_text, decode_text
from channels.mail.headers import clean_address, read_addresses
from channels.mail.parsed import DeliveryReport
from channels.mail.parts import Part, list_leaves

MAX_WORDS = 20_000  # characters of a bounce without the standard form
STATUS = re.compile(r"^Status:\s*([245]\.\d{1,3}\.\d{1,3})", re.MULTILINE | re.IGNORECASE)
FAILED = re.compile(r"^Action:\s*failed", re.MULTILINE | re.IGNORECASE)
RECIPIENT = re.compile(r"^(?:Final|Original)-Recipient:[ \t]*(?:[\w-]+[ \t]*;)?[ \t]*([^\n]{1,400})", re.M | re.I)
MESSAGE_ID = re.compile(r"^[ \t>]*Message-ID:\s*<([^<>\s]{1,998})>", re.MULTILINE | re.IGNORECASE)
IN_WORDS = re.compile(r"(?<![\d.])([45]\.\d{1,2}\.\d{1,3})(?![\d.])")
NAMED = re.compile(r"<([^\s<>@]{1,64}@[^\s<>@]{1,255})>")
FROM_SERVER = re.compile(r"(?:mailer-daemon|postmaster|mail-daemon|maildaemon)@?", re.IGNORECASE)
UNDELIVERED = re.compile(
    r"undeliver|undelivered|delivery (?:status notification|failure|has failed|incomplete)|returned mail|failure notice"
    r"|mail delivery (?:failed|system)|unzustellbar|nicht zugestellt|non remis|no se puede entregar|non recapitabil"
    r"|delivery status|returned to sender|could not be delivered",
    re.IGNORECASE,
)
NOTES = ("message/delivery-status", "message/global-delivery-status")
COPIES = ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers", "message/rfc822-headers")


def read_report(root: Part, subject: str, text: str) -> DeliveryReport | None:
    """The report that a mail is, or None for a mail that is something else.

    subject, text: of that mail, readable. What cannot be found in it is None.
    """
    leaves = list(list_leaves(root))
    note = "\n\n".join(read_note(part) for part in leaves if part.type in NOTES)
    failed = [person.address for person in read_addresses(root.find("x-failed-recipients"))]
    if not note and not failed and not is_plain_bounce(root, subject):
        return None
    words = text[:MAX_WORDS]
    status, recipients = read_blocks(note) if note else (find_in_words(words), [])
    recipients += failed or [found.lower() for found in NAMED.findall(words)]
    copies = "\n".join(read_note(part) for part in leaves if part.type in COPIES)
    about = MESSAGE_ID.search(copies) or MESSAGE_ID.search(words)
    return DeliveryReport(status, recipients[0] if recipients else None, about.group(1) if about else None)


def read_blocks(note: str) -> tuple[str | None, list[str]]:
    """Status and address of the recipient that failed; a report may tell of others that were reached."""
    blocks = sorted(re.split(r"\n[ \t]*+\n", note), key=lambda block: not FAILED.search(block))
    for block in blocks:
        if found := RECIPIENT.search(block):
            status = STATUS.search(block)
            return status.group(1) if status else None, read_recipient(found.group(1))
    status = STATUS.search(note)
    return status.group(1) if status else None, []


def find_in_words(text: str) -> str | None:
    worded = IN_WORDS.search(text)
    return worded.group(1) if worded else None


def read_recipient(value: str) -> list[str]:
    """The address in a report's line, also where it has lost its < > or has too many."""
    found = [address.address for address in read_addresses(value.encode("utf-8", "replace"))]
    return found or [clean for word in re.split(r"[\s<>;,]+", value) if (clean := clean_address(word).lower())][:1]


def read_note(part: Part) -> str:
    return clean_text(decode_text(part.decode()))


def is_plain_bounce(root: Part, subject: str) -> bool:
    """A server's own words without the standard form: it says who it is, and that something did not arrive."""
    sender = read_addresses(root.find("from"))
    is_empty = root.find("return-path").strip() == b"<>"
    is_server = any(FROM_SERVER.match(address.address) for address in sender)
    return (is_empty or is_server) and bool(UNDELIVERED.search(subject))
