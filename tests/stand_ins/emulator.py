"""The npm package `emulate` as a process: installed once per clone, on a free port, ended with whoever started it."""

import fcntl
import hashlib
import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

PEER = Path(__file__).parent / "emulate_peer"
INSTALLED = PEER / "node_modules" / ".installed"
OLDEST_NODE = 18
INSTALL_SECONDS = 120
START_SECONDS = 60


class NotInstalled(RuntimeError):
    """Node, npm or the package is not to be had on this machine."""


def install() -> None:
    """Install the locked package if it is not there yet. Raises NotInstalled; safe to call from several processes."""
    if find_node_version() < OLDEST_NODE or not shutil.which("npm"):
        raise NotInstalled(f"the stand-ins for Google and Twilio need npm and Node {OLDEST_NODE} or newer")
    wanted = hashlib.sha256((PEER / "package-lock.json").read_bytes()).hexdigest()
    with (PEER / "package.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not INSTALLED.exists() or INSTALLED.read_text() != wanted:
            run_npm_ci()
            INSTALLED.write_text(wanted)


def find_node_version() -> int:
    """The first number of Node's version; 0 where there is no Node."""
    if not shutil.which("node"):
        return 0
    said = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True, timeout=START_SECONDS)
    return int(said.stdout.lstrip("v").split(".")[0])


def run_npm_ci() -> None:
    try:
        subprocess.run(["npm", "ci"], cwd=PEER, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if not line.lower().startswith("npm warn")]
        raise NotInstalled(f"the stand-ins cannot be installed: {', '.join(lines[:3])}") from error
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"the stand-ins were not installed within {INSTALL_SECONDS} s") from error


class Emulator:
    """One running emulator of one vendor."""

    def __init__(self, process: subprocess.Popen[str], complaints: IO[str]) -> None:
        self.process, self.complaints = process, complaints
        self.url = f"http://127.0.0.1:{self.read_answer()['port']}"

    def reset(self) -> None:
        """Back to the seed: all that came since is forgotten."""
        assert self.process.stdin
        self.process.stdin.write("reset\n")
        self.process.stdin.flush()
        self.read_answer()

    def read_answer(self) -> Any:
        assert self.process.stdout
        if line := self.process.stdout.readline():
            return json.loads(line)
        self.complaints.seek(0)
        raise RuntimeError(f"the emulator has ended: {self.complaints.read()[-2000:]}")


@contextmanager
def running_emulator(options: dict[str, Any]) -> Iterator[Emulator]:
    """An emulator for the length of the block; options as its createEmulator takes them. Raises NotInstalled."""
    install()
    with tempfile.TemporaryFile("w+") as complaints, start(options, complaints) as process:
        overdue = threading.Timer(START_SECONDS, process.kill)
        overdue.start()
        try:
            emulator = Emulator(process, complaints)
            overdue.cancel()
            yield emulator
        finally:
            overdue.cancel()
            process.kill()


def start(options: dict[str, Any], complaints: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["node", "start.mjs", json.dumps(options)],
        cwd=PEER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
    )
