"""Reads one PDF in a process of its own: python -m channels.files.pdf_child, the file on stdin, its text on stdout.

The process has no environment, little memory and little time.
"""

import sys

from channels.child_limits import TOO_MUCH, limit_child
from channels.files.pdf import read_pdf

CPU_SECONDS = 6


def main() -> None:
    """Read, and write what there is."""
    limit_child(CPU_SECONDS)
    try:
        sys.stdout.buffer.write(read_pdf(sys.stdin.buffer.read()).encode())
    except MemoryError:
        sys.exit(TOO_MUCH)


if __name__ == "__main__":
    main()
