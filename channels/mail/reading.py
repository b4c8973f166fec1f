"""A split mail as a ParsedMail: every header, text and file read, and put together."""

import re

from channels.mail.attachments import read_files
from channels.mail.body import read_body
from channels.mail.charsets import clean_line, decode_text
from channels.mail.delivery_reports import read_report
from channels.mail.headers import decode_value, read_addresses, read_date, read_ids, read_message_id
from channels.mail.parsed import Address, ParsedMail
from channels.mail.parts import MAX_HEADER, Part, list_leaves
from channels.mail.quoting import split_reply

MAX_SUBJECT = 1_000  # characters


def read_mail(root: Part) -> ParsedMail:
    """The mail without the text of its PDF files. Bounded by the cuts of Part, yet not by time."""
    text, subject = read_body(root), decode_value(root.find("subject"))[:MAX_SUBJECT]
    reply = split_reply(text)
    report = read_report(root, subject, text)
    return ParsedMail(
        message_id=read_message_id(root.find("message-id")),
        in_reply_to=read_ids(root.find("in-reply-to")),
        references=read_ids(root.find("references")),
        senders=read_people(root, "from"),
        reply_to=read_people(root, "reply-to"),
        to=read_people(root, "to"),
        cc=read_people(root, "cc"),
        subject=subject,
        sent_at=read_date(root.find("date")),
        text=text,
        new_text=reply.new if reply.new.strip() else text,
        is_forwarded=reply.is_forwarded or (report is None and has_mail_inside(root)),
        attachments=tuple(read_files(root)),
        headers=tuple((name, show_value(name, value)) for name, value in root.headers),
        report=report,
    )


def show_value(name: str, value: bytes) -> str:
    """Decoded, except for what a receiver found out: it quotes the sender, whose encoded words could forge results."""
    return clean_line(decode_text(value)) if name == "authentication-results" else decode_value(value)


def read_people(root: Part, name: str) -> tuple[Address, ...]:
    """Everybody in all headers of that name: two From lines are two senders."""
    values = [value for known, value in root.headers if known == name]
    return tuple(person for value in values for person in read_addresses(drop_cut(value)))


def drop_cut(value: bytes) -> bytes:
    """A list of addresses that was cut ends with half of one, which is another address."""
    return re.sub(rb",[^,]*\Z", b"", value) if len(value) > MAX_HEADER - 10 else value


def has_mail_inside(root: Part) -> bool:
    return any(part.type == "message/rfc822" for part in list_leaves(root))
