"""A reply as a mail: what it says, what it answers, and that a machine wrote it."""

from email.charset import QP, Charset
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr
from html import escape
from uuid import UUID

from channels.base import OutgoingMessage
from channels.mail.threads import LOOP_HEADER, list_reply_references, make_message_id, make_reply_subject

OUTBOX_HEADER = "X-Outbox-Id"
QUOTED = Charset("utf-8")
QUOTED.body_encoding = QP  # readable in its raw form too, which base64 is not


def write_mail(message: OutgoingMessage, *, sender: str, company: str) -> bytes:
    """The bytes of a mail, the same for every try but for the boundary of its parts.

    sender: the mailbox's address; its domain is the one in our Message-IDs.
    """
    domain = sender.rpartition("@")[2]
    mail = MIMEMultipart("alternative")  # the newer EmailMessage writes long Message-IDs in References as encoded words
    mail["From"] = formataddr((company, sender))
    mail["To"] = message.to
    subject = make_reply_subject(message.subject)
    mail["Subject"] = subject if subject.isascii() else Header(subject, "utf-8", header_name="Subject").encode()
    mail["Date"] = format_datetime(message.first_try_at)
    mail["Message-ID"] = f"<{make_message_id(message.token, domain)}>"
    references = list_reply_references([name_reference(one, domain) for one in message.references])
    if references:
        mail["In-Reply-To"] = f"<{references[-1]}>"
        mail["References"] = " ".join(f"<{one}>" for one in references)
    mail[OUTBOX_HEADER] = str(message.token)
    if message.author == "agent":
        mail["Auto-Submitted"] = "auto-replied"
        mail["X-Auto-Response-Suppress"] = "All"
        mail[LOOP_HEADER] = sender
    text = lay_out_text(message)
    mail.attach(MIMEText(text, "plain", QUOTED))  # type: ignore[arg-type]  # a Charset will do, the stubs only know names
    mail.attach(MIMEText(lay_out_html(text), "html", QUOTED))  # type: ignore[arg-type]
    return mail.as_bytes()


def name_reference(reference: str, domain: str) -> str:
    """A Message-ID; ours are known by their tokens."""
    return reference if "@" in reference else make_message_id(UUID(reference), domain)


def lay_out_text(message: OutgoingMessage) -> str:
    """The body, and under it the ticket's number where there is one: what to name on the phone."""
    return f"{message.body}\n\nTicket {message.reference}\n" if message.reference else f"{message.body}\n"


def lay_out_html(text: str) -> str:
    """The same words in paragraphs, nothing to load and nothing to click that the text does not name."""
    paragraphs = (escape(part.strip()).replace("\n", "<br>\n") for part in text.split("\n\n") if part.strip())
    return "".join(f"<p>{paragraph}</p>\n" for paragraph in paragraphs)
