"""Which conversation a mail belongs to, and how an answer says so."""

import re
from collections.abc import Iterable
from uuid import UUID

from channels.mail.parsed import ParsedMail
from channels.mail.words import fold, subject_prefix

MARK = "deskhand"
LOOP_HEADER = "X-Deskhand-Loop"
"""Every mail that a machine of ours wrote bears it, with the mailbox's address."""
TOKEN = re.compile(r"<?([0-9a-f]{32})\.deskhand@([^@<>\s]+)>?", re.ASCII | re.IGNORECASE)
ID = re.compile(r"[!-;=?-~]{1,250}")  # printable ASCII without blanks, < and >
MAX_REFERENCES = 20
MAX_SUBJECT = 250  # characters
UNSEEN = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")


def make_message_id(token: UUID, domain: str) -> str:
    """The Message-ID of a mail of ours, without < >: the same for every try to send it."""
    return f"{token.hex}.{MARK}@{domain}"


def read_token(message_id: str, domain: str) -> UUID | None:
    """The idempotency token in a Message-ID of ours, with or without < >; None for anybody else's, or for none."""
    found = TOKEN.fullmatch(message_id)
    return UUID(found.group(1)) if found and found.group(2).lower() == domain.lower() else None


def list_tokens(mail: ParsedMail, domain: str) -> tuple[UUID, ...]:
    """The messages of ours that a mail refers to, each once, newest last.

    They only say what the sender's program wrote. Whether the sender belongs to that conversation is another question.
    """
    tokens = [read_token(name, domain) for name in (*mail.references, *mail.in_reply_to)]
    newest_first = dict.fromkeys(token for token in reversed(tokens) if token)
    return tuple(reversed(newest_first))


def make_reply_subject(subject: str) -> str:
    """The subject of an answer: one "Re: ", whatever mail programs put before it in whatever language."""
    plain = UNSEEN.sub(" ", subject).strip()
    while prefix := find_prefix(plain):
        plain = plain[prefix:].lstrip()
    return f"Re: {plain[:MAX_SUBJECT]}".rstrip()


def find_prefix(subject: str) -> int:
    """Where the first prefix ends, 0 when there is none."""
    head, colon, _ = re.sub("：", ":", subject).partition(":")
    is_prefix = colon and subject_prefix("answers", "forwards").fullmatch(fold(head) + ":")
    return len(head) + 1 if is_prefix else 0


def list_reply_references(ids: Iterable[str]) -> tuple[str, ...]:
    """References of an answer of ours, without < >, newest last; the last one is In-Reply-To.

    ids: the Message-IDs of this conversation, oldest first, the mail answered last; never what a mail refers to, which
    may be anybody's. With or without < >; what is no id is left out. The first is kept and the newest, `MAX_REFERENCES`
    in all.
    """
    newest_first = dict.fromkeys(reversed([name for name in map(read_id, ids) if name]))
    kept = tuple(reversed(newest_first))
    return kept if len(kept) <= MAX_REFERENCES else (kept[0], *kept[1 - MAX_REFERENCES :])


def read_id(message_id: str) -> str | None:
    bare = message_id.strip().removeprefix("<").removesuffix(">")
    return bare if ID.fullmatch(bare) else None
