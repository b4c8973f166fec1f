"""Hostile mail in, clean text out. What is big or strange is read in a child process that may be killed."""

import json
import pickle
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from channels.mail.attachments import has_pdf
from channels.mail.parsed import Address, Attachment, DeliveryReport, ParsedMail, Quarantined
from channels.mail.parts import Part, TooStrange, list_leaves, split_mail
from channels.mail.reading import read_mail

__all__ = ["Address", "Attachment", "DeliveryReport", "ParsedMail", "Quarantined", "parse_mail"]

SECONDS = 0.85  # of the one second a mail may take; the rest is for the end of a child
MAX_HERE = 65_536  # bytes of bodies, as far as they are read, without a child process
MAX_PARTS_HERE = 50
ROOT = Path(__file__).parent.parent
CHILD = (sys.executable, "-m", "channels.mail.child")
MAIL: TypeAdapter[ParsedMail] = TypeAdapter(ParsedMail)


def parse_mail(raw: bytes, *, seconds: float = SECONDS) -> ParsedMail | Quarantined:
    """Read any mail. Never raises; blocks for at most about `seconds`, so call it in a thread.

    A mail whose text was read but not all of its files in time comes without the text of the others.
    """
    ends_at = time.monotonic() + seconds
    try:
        root = split_mail(raw)
        return read_mail(root) if is_ordinary(root) else read_apart(root, ends_at)
    except TooStrange as error:
        return Quarantined(str(error))
    except Exception as error:  # noqa: BLE001 (whatever a stranger sends, the mails after it are read)
        return Quarantined(f"it cannot be read: {type(error).__name__}")


def is_ordinary(root: Part) -> bool:
    """Small enough that even the worst text of that size is read at once."""
    leaves = list(list_leaves(root))
    return sum(len(part.body) for part in leaves) <= MAX_HERE and len(leaves) <= MAX_PARTS_HERE and not has_pdf(root)


def read_apart(root: Part, ends_at: float) -> ParsedMail | Quarantined:
    """The same in a child process, until the monotonic clock shows `ends_at`."""
    with subprocess.Popen(  # noqa: S603 (our own module)
        CHILD, cwd=ROOT, env={}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        try:
            written, _ = child.communicate(pickle.dumps(root), timeout=max(0.0, ends_at - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            written, _ = child.communicate()
    is_failed = child.returncode == 1  # an exception, not a limit
    is_late = time.monotonic() >= ends_at
    reason = (
        "it cannot be read" if is_failed else "it takes too long to read" if is_late else "it takes too much to read"
    )
    return read_answer(written) or Quarantined(reason)


def read_answer(written: bytes) -> ParsedMail | None:
    """What a child wrote, as far as its lines are whole; None when not even the mail was read."""
    lines = written.split(b"\n")[:-1]
    if not lines:
        return None
    mail = MAIL.validate_json(lines[0])
    files = list(mail.attachments)
    for place, text in map(json.loads, lines[1:]):
        files[place] = replace(files[place], text=text)
    return replace(mail, attachments=tuple(files))
