"""What a process that reads a stranger's file may take: little memory, little time."""

import resource

MEMORY = 128_000_000  # bytes of address space, so that what is resident stays below
TOO_MUCH = 3  # exit code


def limit_child(cpu_seconds: int) -> None:
    """Bind this process. cpu_seconds: for a child whose parent died before its clock ran out."""
    limit(resource.RLIMIT_AS, MEMORY)
    limit(resource.RLIMIT_CPU, cpu_seconds)
    limit(resource.RLIMIT_CORE, 0)


def limit(kind: int, bound: int) -> None:
    try:
        resource.setrlimit(kind, (bound, bound))
    except (ValueError, OSError):  # macOS has no such limit on memory; the clock remains
        return
