"""A message of the mailbox -> what is to be kept of it, and what is to be done about it."""

from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from channels.gmail_api import RawMail
from channels.mail.parsed import Attachment, ParsedMail, Quarantined
from channels.mail.robots import find_robot
from channels.mail.senders import Judgement, OwnMail, judge_mail
from channels.mail.threads import list_tokens, read_id, read_token
from channels.mime import parse_mail
from db.mails import MailRow

LATE_AFTER = timedelta(hours=24)
"""A machine does not answer what is older: whoever wrote it has long done something else about it."""
SECOND_TRY = 10.0  # seconds
MAX_BODY = 20_000  # characters an agent is shown of one mail
MAX_FILE_TEXT = 4_000  # characters of each attachment
MAX_SUBJECT = 200  # characters
NO_TEXT = "[mail without text]"

Verdict = Literal["customer", "late", "robot", "bounce", "own", "person", "parked"]


def park(gmail_id: str, why: str, now: datetime) -> MailRow:
    """A mail of which there is nothing but its id."""
    row = {"id": gmail_id, "thread_id": "", "message_id": None, "verdict": "parked", "why": why, "arrived_at": now}
    return MailRow(row, None)


def is_skipped(raw: RawMail) -> bool:
    """Drafts are nobody's words yet, and what was thrown away nobody is to answer."""
    return not {"DRAFT", "TRASH", "CHAT"}.isdisjoint(raw.label_ids)


def read_incoming(raw: RawMail, own: OwnMail, domain: str, now: datetime) -> MailRow:
    """What a mail is and says. Any mail at all; takes up to SECOND_TRY and one second more, so call it in a thread.

    domain: of our Message-IDs. now: aware.
    """
    mail = parse_mail(raw.raw)
    if isinstance(mail, Quarantined):  # perhaps the machine was only busy
        mail = parse_mail(raw.raw, seconds=SECOND_TRY)
    base = {"id": raw.id, "thread_id": raw.thread_id, "arrived_at": raw.internal_date, "message_id": None, "tokens": []}
    if isinstance(mail, Quarantined):
        verdict: Verdict = "own" if "SENT" in raw.label_ids else "parked"
        return MailRow(base | {"verdict": verdict, "why": mail.reason}, raw.raw)
    base |= {
        "message_id": read_id(mail.message_id or ""),
        "subject": mail.subject[:MAX_SUBJECT],
        "body": lay_out_mail(mail),
    }
    if "SENT" in raw.label_ids:
        return MailRow(base | describe_sent(mail, domain), raw.raw)
    judgement = judge_mail(mail, own)
    if "SPAM" in raw.label_ids:
        return MailRow(base | {"verdict": "robot", "why": "Gmail calls it spam"}, raw.raw)
    about = read_token(mail.report.about or "", domain) if mail.report else None
    tokens = [str(token) for token in (*list_tokens(mail, domain), about) if token]
    is_late = now - raw.internal_date > LATE_AFTER
    return MailRow(base | {"tokens": tokens} | describe_received(mail, judgement, is_late=is_late), raw.raw)


def describe_sent(mail: ParsedMail, domain: str) -> dict[str, Any]:
    """Ours, when it bears a Message-ID or a token of ours; else somebody typed it in Gmail."""
    token = read_token(mail.message_id, domain) if mail.message_id else None
    token = token or read_outbox_id(mail)
    if token is not None:
        return {"verdict": "own", "why": "sent by us", "tokens": [str(token)]}
    if sign := find_robot(mail, [], frozenset()):
        return {"verdict": "own", "why": f"sent by a rule in Gmail: {sign}"}
    people = [address.address for address in (*mail.to, *mail.cc)]
    return {"verdict": "person", "why": "typed in Gmail", "to": people, "body": mail.new_text or NO_TEXT}


def read_outbox_id(mail: ParsedMail) -> UUID | None:
    """The token in a header of ours, should Gmail have written a Message-ID of its own."""
    value = next((value for name, value in mail.headers if name == "x-outbox-id"), "")
    try:
        return UUID(value.strip())
    except ValueError:
        return None


def describe_received(mail: ParsedMail, judgement: Judgement, *, is_late: bool) -> dict[str, Any]:
    """The verdict, and who writes where somebody does."""
    if judgement.kind == "bounce" and mail.report is not None:
        return {
            "verdict": "bounce",
            "why": judgement.why,
            "status": mail.report.status or "",
            "about": mail.report.about,
            "recipient": (mail.report.recipient or "").lower(),
        }
    if judgement.kind != "customer":
        return {"verdict": "own" if judgement.kind == "own" else "robot", "why": judgement.why, "tokens": []}
    if judgement.sender is None:
        return {"verdict": "parked", "why": "nobody is named as its sender"}
    return {
        "verdict": "late" if is_late else "customer",
        "why": judgement.why,
        "trust": 0 if judgement.is_reply_to_elsewhere else judgement.trust,
        "customer": {
            "kind": "email",
            "value": judgement.sender.address,
            "proof": "dmarc" if judgement.trust else "claimed",
            "name": judgement.sender.name or None,
            "plan": None,
        },
    }


def lay_out_mail(mail: ParsedMail) -> str:
    """The new words, whether they are a third party's, and what came with them."""
    parts = ["[forwarded mail]"] if mail.is_forwarded else []
    parts.append(mail.new_text.strip()[:MAX_BODY] or NO_TEXT)
    parts += [describe_file(file) for file in mail.attachments if not file.is_inline or file.text]
    return "\n\n".join(parts)


def describe_file(file: Attachment) -> str:
    head = f"[{file.name or 'without a name'}, {file.type}, {max(1, file.size // 1000)} kB]"
    return f"{head}\n{file.text.strip()[:MAX_FILE_TEXT]}" if file.text and file.text.strip() else head
