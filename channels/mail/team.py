"""A mail to the team itself, which nobody must take for a customer's or answer by machine."""

from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr
from uuid import UUID

from channels.mail.threads import LOOP_HEADER, make_message_id
from channels.mail.writing import OUTBOX_HEADER, QUOTED


@dataclass(frozen=True, slots=True)
class TeamMail:
    """One mail to people of the team."""

    token: UUID
    """Drawn before the first try, the same for every try."""
    to: tuple[str, ...]
    subject: str
    """One line."""
    text: str
    at: datetime
    draft_id: str | None
    """The vendor's draft, when an earlier try made one."""


def write_team_mail(mail: TeamMail, *, sender: str, company: str) -> bytes:
    """The bytes of a mail. sender: the mailbox's address; its domain is the one in our Message-IDs."""
    written = MIMEText(mail.text, "plain", QUOTED)  # type: ignore[arg-type]  # as in channels.mail.writing
    written["From"] = formataddr((company, sender))
    written["To"] = ", ".join(mail.to)
    subject = " ".join(mail.subject.split())
    written["Subject"] = subject if subject.isascii() else Header(subject, "utf-8", header_name="Subject").encode()
    written["Date"] = format_datetime(mail.at)
    written["Message-ID"] = f"<{make_message_id(mail.token, sender.rpartition('@')[2])}>"
    written["Auto-Submitted"] = "auto-generated"
    written["X-Auto-Response-Suppress"] = "All"
    written[OUTBOX_HEADER] = str(mail.token)
    written[LOOP_HEADER] = sender
    return written.as_bytes()
