"""A npm package as a process: installed once per clone, asked line by line, ended with whoever started it.

A folder holds package.json, package-lock.json and start.mjs, which takes its options as JSON, says a line of JSON once
it listens, and answers each line on its standard input with one.
"""

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
from typing import IO, Any, TypeVar

OLDEST_NODE = 18
INSTALL_SECONDS = 120
START_SECONDS = 60


class NotInstalled(RuntimeError):
    """Node, npm or the package is not to be had on this machine."""


def install(folder: Path) -> None:
    """Install the locked package if it is not there yet. Raises NotInstalled; safe to call from several processes."""
    if find_node_version() < OLDEST_NODE or not shutil.which("npm"):
        raise NotInstalled(f"the stand-ins of vendors need npm and Node {OLDEST_NODE} or newer")
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    installed = folder / "node_modules" / ".installed"
    with (folder / "package.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists() or installed.read_text() != wanted:
            run_npm_ci(folder)
            installed.write_text(wanted)


def find_node_version() -> int:
    """The first number of Node's version; 0 where there is no Node."""
    if not shutil.which("node"):
        return 0
    said = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True, timeout=START_SECONDS)
    return int(said.stdout.lstrip("v").split(".")[0])


def run_npm_ci(folder: Path) -> None:
    try:
        subprocess.run(["npm", "ci"], cwd=folder, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if not line.lower().startswith("npm warn")]
        raise NotInstalled(f"{folder.name} cannot be installed: {', '.join(lines[:3])}") from error
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"{folder.name} was not installed within {INSTALL_SECONDS} s") from error


class NodeProcess:
    """A start.mjs that runs; `started` is what it said first."""

    def __init__(self, process: subprocess.Popen[str], complaints: IO[str]) -> None:
        self.process, self.complaints = process, complaints
        self.started = self.read_answer()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.started['port']}"

    def ask(self, order: Any) -> Any:
        """Its answer to one line. RuntimeError where it has ended."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self.read_answer()

    def read_answer(self) -> Any:
        assert self.process.stdout
        if line := self.process.stdout.readline():
            return json.loads(line)
        self.complaints.seek(0)
        raise RuntimeError(f"the stand-in has ended: {self.complaints.read()[-2000:]}")


Node = TypeVar("Node", bound=NodeProcess)


@contextmanager
def running(kind: type[Node], folder: Path, options: Any) -> Iterator[Node]:
    """The package of `folder` for the length of the block. Raises NotInstalled."""
    install(folder)
    with tempfile.TemporaryFile("w+") as complaints, start(folder, options, complaints) as process:
        overdue = threading.Timer(START_SECONDS, process.kill)
        overdue.start()
        try:
            node = kind(process, complaints)
            overdue.cancel()
            yield node
        finally:
            overdue.cancel()
            process.kill()


def start(folder: Path, options: Any, complaints: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["node", "start.mjs", json.dumps(options)],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
    )
