"""The programs of Postgres as processes: started as our children, found by their pid file, stopped."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CTYPE = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"
ENVIRONMENT = {"LC_ALL": CTYPE, "TZ": "UTC"}
"""All that Postgres is told of our environment: no PG* variable of the caller may reach it."""
STOP_TIMEOUT = 5.0  # seconds, for each way of stopping
POLL_INTERVAL = 0.02  # seconds
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Account:
    """An operating system user, by its numbers."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The server at work on a data folder, as its own pid file describes it."""

    pid: int
    port: int
    is_ready: bool


def start_child(
    command: Sequence[str | Path], *, account: Account | None, folder: Path, output: int
) -> subprocess.Popen[bytes]:
    """Start a program in `folder` as `account` (None: as ourselves), out of reach of the terminal's Ctrl-C.

    On Linux it is told to stop when the calling thread ends, however that comes about.
    """
    return subprocess.Popen(  # noqa: S603 (our own command line)
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=ENVIRONMENT,
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=() if account else None,
        preexec_fn=stop_with_parent(os.getpid()) if sys.platform == "linux" else None,
    )


def stop_with_parent(parent: int) -> Callable[[], None]:
    """What a child does between fork and exec. Its user has changed by then: that change would clear the request."""

    def ask_kernel() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel


async def stop_process(pid: int, is_running: Callable[[], bool]) -> None:
    """Postgres' fast shutdown; then its immediate one, then a kill, where the one before took too long."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if not is_running():
            return
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT):
                while is_running():  # noqa: ASYNC110 (nobody tells us: an orphan is not our child)
                    await asyncio.sleep(POLL_INTERVAL)


def find_postmaster(data: Path) -> Postmaster | None:
    """The server at work on `data`. None when there is none: a pid file may outlive its server, and a pid be reused."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    if len(lines) < 4 or f" -D {data} " not in read_command(int(lines[0])):
        return None
    return Postmaster(int(lines[0]), int(lines[3]), len(lines) > 7 and lines[7].startswith("ready"))


def forget_postmaster(data: Path) -> None:
    """Name ourselves in a pid file left by a dead server: Postgres takes it for stale when it names its own parent.

    Otherwise it refuses to start when another program of the same user has that pid by now. The rest of the file
    stays, because from it Postgres finds out whether orphans of the dead server still use its memory.
    """
    path = data / "postmaster.pid"
    with suppress(FileNotFoundError), open(os.open(path, os.O_RDWR | os.O_NOFOLLOW), "r+") as file:
        lines = file.read().splitlines(keepends=True)
        file.seek(0)
        file.truncate()
        file.writelines([f"{os.getpid()}\n", *lines[1:]])


def read_command(pid: int) -> str:
    """The command line of a process, separated by blanks; empty when there is no such process."""
    if Path("/proc/self").exists():
        with suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
        return ""
    shown = subprocess.run(  # noqa: S603 (our own command line)
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False
    )
    return shown.stdout.decode(errors="replace")
