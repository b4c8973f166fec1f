"""Reads the mail in a file in a process of its own, and prints what that took. Linux only."""

import json
import resource
import sys
import time
from pathlib import Path

from channels.mime import parse_mail


def main() -> None:
    """One line of JSON: outcome, seconds, and MB at the peak of this process, the mail included, and of its child."""
    raw = Path(sys.argv[1]).read_bytes()
    began = time.perf_counter()
    mail = parse_mail(raw)
    seconds = time.perf_counter() - began
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # or ours, where that was more
    found = {"outcome": type(mail).__name__, "reason": getattr(mail, "reason", "")}
    print(json.dumps({**found, "seconds": seconds, "mb": read_peak(), "child_mb": child / 1024}))  # noqa: T201


def read_peak() -> float:
    """MB of this process; what getrusage says begins with the peak of whoever started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
