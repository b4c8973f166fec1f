"""Reads one mail in a process of its own: python -m channels.mail.child, parts on stdin, lines of JSON on stdout.

The first line is the mail, each further one [place, text] of a PDF, so that who has waited long enough keeps what
there is. The process has no environment, little memory and little time.
"""

import json
import pickle
import sys
from dataclasses import asdict

from channels.child_limits import TOO_MUCH, limit_child
from channels.mail.attachments import read_pdfs
from channels.mail.parts import Part
from channels.mail.reading import read_mail

CPU_SECONDS = 2


def main() -> None:
    """Read, and write each result as soon as it is known."""
    limit_child(CPU_SECONDS)
    part: Part = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 (our parent wrote it)
    try:
        write(asdict(read_mail(part)))
        for place, text in read_pdfs(part):
            write([place, text])
    except MemoryError:
        sys.exit(TOO_MUCH)


def write(found: object) -> None:
    print(json.dumps(found, default=lambda time: time.isoformat()), flush=True)  # noqa: T201 (stdout is a pipe)


if __name__ == "__main__":
    main()
