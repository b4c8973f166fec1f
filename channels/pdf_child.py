"""Reads one PDF in a process of its own: python -m channels.pdf_child, the file on stdin, its text on stdout.

The process has no environment, little memory and little time.
"""

import resource
import sys

from channels.mail.attachments import read_pdf
from channels.mail.child import MEMORY, TOO_MUCH, limit

CPU_SECONDS = 6  # for a child whose parent died before its clock ran out


def main() -> None:
    """Read, and write what there is."""
    limit(resource.RLIMIT_AS, MEMORY)
    limit(resource.RLIMIT_CPU, CPU_SECONDS)
    limit(resource.RLIMIT_CORE, 0)
    try:
        sys.stdout.buffer.write(read_pdf(sys.stdin.buffer.read()).encode())
    except MemoryError:
        sys.exit(TOO_MUCH)


if __name__ == "__main__":
    main()
