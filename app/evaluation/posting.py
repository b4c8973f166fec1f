"""What a customer writes, brought in as each vendor would: twice, since all of them deliver at least once."""

import asyncio
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.utils import formataddr, formatdate, parseaddr
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

from app.evaluation.records import Customer, Turn
from app.forms import Submission, check
from app.intake import make_ticket
from app.settings import Settings
from channels.gmail_api import RawMail
from channels.gmail_intake import read_incoming
from channels.mail.senders import OwnMail
from channels.twilio.account import WhatsAppAccount
from channels.twilio.fields import Fields
from channels.twilio.messages import read_message
from db import chats, mails, tickets
from db.pool import Connection
from db.queue import NewWork, add_many

RECEIVER = "mx.google.com"
HEADER = re.compile(r"\A(?:[A-Za-z][A-Za-z0-9-]*:.*\r?\n(?:[ \t].*\r?\n)*)+\r?\n")
LAST_ID = re.compile(r"<?\{last_message_id\}>?")
ACCOUNT = WhatsAppAccount("AC" + "0" * 32, "not-used-here", "+15550001111")
PHONE_DIGITS = 10**7


@dataclass
class Mailbox:
    """What Gmail does to mail: it judges the sender, and puts answers into the thread they answer."""

    address: str
    threads: dict[str, str] = field(default_factory=dict)
    """Message-ID to thread, of theirs and ours."""
    last_id: str = "<none@mail.example.com>"
    """Of our last mail."""
    last_subject: str = ""

    def take_own(self, raw: str) -> None:
        """A mail of ours was sent."""
        mail = message_from_bytes(raw.encode())
        self.last_id = str(mail["Message-ID"])
        self.last_subject = str(mail["Subject"])
        self.threads[self.last_id] = self.find_thread(mail)

    def find_thread(self, mail: Message) -> str:
        named = re.findall(r"<[^<>\s]+>", f"{mail['In-Reply-To'] or ''} {mail['References'] or ''}")
        return next((self.threads[one] for one in named if one in self.threads), f"thread-{uuid4().hex[:8]}")

    def receive(self, text: str, customer: Customer, subject: str | None) -> RawMail:
        """The mail as Gmail keeps it. A text without headers becomes one, in answer to ours where there was one."""
        text = LAST_ID.sub(lambda _: self.last_id, text)
        raw = text.encode() if HEADER.match(text) else self.write(text, customer, subject)
        mail = message_from_bytes(raw)
        if "Authentication-Results" not in mail:
            domain = parseaddr(str(mail["From"]))[1].rpartition("@")[2]
            raw = f"Authentication-Results: {RECEIVER}; dmarc=pass header.from={domain}\r\n".encode() + raw
        if "Message-ID" not in mail:
            mail["Message-ID"] = f"<{uuid4().hex}@mail.example.com>"
            raw = f"Message-ID: {mail['Message-ID']}\r\n".encode() + raw
        thread = self.threads[str(mail["Message-ID"])] = self.find_thread(mail)
        return RawMail(uuid4().hex[:16], thread, ("INBOX",), datetime.now(UTC), raw)

    def write(self, text: str, customer: Customer, subject: str | None) -> bytes:
        mail = EmailMessage()
        mail["From"] = formataddr((customer.name or "", make_address(customer)))
        mail["To"], mail["Date"] = self.address, formatdate()
        mail["Subject"] = subject or self.last_subject or "Question"
        if self.last_subject:
            mail["In-Reply-To"] = mail["References"] = self.last_id
        mail.set_content(text)
        return mail.as_bytes()


def make_address(customer: Customer) -> str:
    return f"{re.sub(r'[^a-z0-9-]', '', customer.ref.lower())}@customer.example"


def make_number(customer: Customer) -> str:
    return f"+1555{int(sha256(customer.ref.encode()).hexdigest(), 16) % PHONE_DIGITS:07d}"


def find_identifier(channel: str, customer: Customer, turn: Turn) -> tuple[str, str, str]:
    """By what the customer of this turn is known: kind, value, proof."""
    if channel == "whatsapp":
        return "phone", make_number(customer), "provider"
    sender = parseaddr(str(message_from_bytes(turn.raw[0].encode())["From"] or ""))[1] if channel == "email" else ""
    return "email", (sender or make_address(customer)).lower(), "dmarc" if channel == "email" else "claimed"


async def post_mail(conn: Connection, settings: Settings, box: Mailbox, raw: RawMail) -> None:
    """As the reading of the mailbox stores it."""
    row = await mails.load_mailbox(conn)
    own = OwnMail(row.own_addresses | {box.address}, row.receivers, row.own_lists)
    read = await asyncio.to_thread(read_incoming, raw, own, box.address.rpartition("@")[2], datetime.now(UTC))
    quiet = timedelta(seconds=settings.debounce_seconds_email)
    for _ in range(2):
        await mails.store_mail(
            conn, read, quiet=quiet, quiet_cap=row.quiet_cap, prefix=settings.ticket_prefix, reached=None
        )


async def post_chat(conn: Connection, settings: Settings, customer: Customer, text: str) -> None:
    """As the webhook stores it."""
    number = make_number(customer)
    form = {
        "MessageSid": f"SM{uuid4().hex}", "AccountSid": ACCOUNT.sid, "MessageType": "text", "NumMedia": "0",
        "From": f"whatsapp:{number}", "To": f"whatsapp:{ACCOUNT.number}", "WaId": number.removeprefix("+"),
        "ProfileName": customer.name or "", "Body": text,
    }  # fmt: skip
    fields = Fields(parse_qsl(urlencode(form), keep_blank_values=True))
    posted = read_message(fields, ACCOUNT, datetime.now(UTC))
    if posted.wish == "stop":
        await chats.opt_out(conn, posted.payload, farewell=posted.farewell)
        return
    work = NewWork(
        lane=f"whatsapp:{posted.payload['thread_key']}",
        kind="inbound",
        payload=posted.payload,
        dedupe_key=f"whatsapp:{posted.payload['external_id']}",
        quiet=timedelta(seconds=settings.debounce_seconds_whatsapp),
        quiet_cap=timedelta(seconds=8),
    )
    await add_many(conn, [work])
    await add_many(conn, [work])


async def post_form(conn: Connection, settings: Settings, customer: Customer, subject: str | None, text: str) -> str:
    """As the form's route stores it; the reference of its ticket."""
    values = {
        "name": customer.name or "Customer", "email": make_address(customer), "subject": subject or "Question",
        "message": text, "plan": customer.plan,
    }  # fmt: skip
    new = make_ticket(settings, check(Submission, values), key=uuid4().hex, ip_key=uuid4().hex)
    await tickets.submit_form(conn, new)
    return (await tickets.submit_form(conn, new)).reference or ""


async def post_again(conn: Connection, settings: Settings, reference: str, text: str) -> None:
    """As the ticket page stores what is added."""
    key = uuid4().hex
    message = tickets.NewWebMessage(
        reference, text, key, f"{key}-{sha256(text.encode()).hexdigest()}", uuid4().hex, settings.debounce_seconds_web
    )
    await tickets.add_web_message(conn, message)
    await tickets.add_web_message(conn, message)
