import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from app.cluster import INSTALLATION, PACKAGE, complete_cluster, find_installation, open_cluster, place_binaries
from app.embedded import embedded_postgres, launch, open_embedded
from app.postmaster import Account, find_postmaster, start_child

ROOT = Path(__file__).resolve().parent.parent.parent
OWNER = """
import asyncio, sys
from pathlib import Path
from app.embedded import open_embedded

async def main():
    async with open_embedded(Path(sys.argv[1])) as server:
        print(server.dsn, server.owned, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run Postgres as another user")


def make_open_folder() -> Path:
    """A folder that any user may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="deskhand-test-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One cluster for all tests of a module: each leaves it stopped, none needs it empty."""
    folder = make_open_folder()
    yield folder
    shutil.rmtree(folder)


@asynccontextmanager
async def owner_process(folder: Path) -> AsyncIterator[tuple[Process, str, bool]]:
    """Another program with the server open: the process, the address it got, whether it owns the server."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(folder), stdin=PIPE, stdout=PIPE, cwd=ROOT
    )
    assert process.stdin
    assert process.stdout
    try:
        dsn, owned = (await process.stdout.readline()).decode().split()
        yield process, dsn, owned == "True"
    finally:
        process.stdin.close()
        await process.wait()


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def run_sql(dsn: str, statement: str) -> object:
    """The first value of the answer, as soon as the server takes a connection."""
    async with asyncio.timeout(20):
        while True:
            with suppress(OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
                conn = await asyncpg.connect(dsn)
                break
            await asyncio.sleep(0.02)
    try:
        return await conn.fetchval(statement)
    finally:
        await conn.close()


async def test_second_start_finds_what_the_first_stored(folder: Path) -> None:
    async with embedded_postgres(folder) as dsn:
        await run_sql(dsn, "CREATE TABLE kept AS SELECT 7 AS number")
    assert find_postmaster(open_cluster(folder).data) is None
    async with embedded_postgres(folder) as dsn:
        assert await run_sql(dsn, "SELECT number FROM kept") == 7
        await run_sql(dsn, "DROP TABLE kept")


async def test_server_is_durable_and_speaks_unicode(folder: Path) -> None:
    async with embedded_postgres(folder) as dsn:
        assert await run_sql(dsn, "SELECT current_setting('fsync') || current_setting('synchronous_commit')") == "onon"
        assert await run_sql(dsn, "SELECT current_setting('server_encoding')") == "UTF8"
        assert await run_sql(dsn, "SELECT lower('ÀÖŞ')") == "àöş"
        assert await run_sql(dsn, "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'") == 1


async def test_connection_needs_the_password_only_its_owner_can_read(folder: Path) -> None:
    async with embedded_postgres(folder) as dsn:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(dsn.replace(urlsplit(dsn).password or "", "guess"))
        assert (folder / "embedded.json").stat().st_mode & 0o777 == 0o600


async def test_interrupt_of_the_terminal_does_not_reach_the_server(folder: Path) -> None:
    async with open_embedded(folder) as server:
        assert server.process
        assert os.getsid(server.process.pid) == server.process.pid


async def test_killed_postgres_comes_back_at_the_same_address_with_its_data(folder: Path) -> None:
    async with open_embedded(folder) as server:
        await run_sql(server.dsn, "CREATE TABLE kept AS SELECT 8 AS number")
        killed = server.process
        assert killed
        killed.kill()
        await wait_until(lambda: server.process is not killed)
        assert await run_sql(server.dsn, "SELECT number FROM kept") == 8
        await run_sql(server.dsn, "DROP TABLE kept")


async def test_owner_and_postgres_killed_together_do_not_hinder_the_next_start(folder: Path) -> None:
    async with owner_process(folder) as (process, _, _):
        postmaster = find_postmaster(open_cluster(folder).data)
        assert postmaster
        process.send_signal(signal.SIGSTOP)
        os.kill(postmaster.pid, signal.SIGKILL)
        process.kill()
    assert (folder / "pg" / "postmaster.pid").exists()
    async with embedded_postgres(folder) as dsn:
        assert await run_sql(dsn, "SELECT 1") == 1


@only_linux
async def test_killed_owner_leaves_no_server_behind(folder: Path) -> None:
    async with owner_process(folder) as (process, _, _):
        process.kill()
    await wait_until(lambda: find_postmaster(open_cluster(folder).data) is None)
    await wait_until(lambda: not (folder / "pg" / "postmaster.pid").exists())


async def test_orphaned_server_is_replaced_by_one_of_our_own(folder: Path) -> None:
    async with open_embedded(folder) as server:
        cluster, port = server.cluster, server.port
    orphan = launch(cluster, complete_cluster(cluster), port)
    await wait_until(lambda: (found := find_postmaster(cluster.data)) is not None and found.is_ready)
    async with open_embedded(folder) as server:
        assert orphan.wait() == 0
        assert await run_sql(server.dsn, "SELECT 1") == 1


async def test_pid_of_a_dead_server_may_belong_to_another_program_by_now(folder: Path) -> None:
    async with embedded_postgres(folder):
        left_behind = (folder / "pg" / "postmaster.pid").read_text().splitlines()
    cluster = open_cluster(folder)
    other = start_child(["/bin/sleep", "60"], account=cluster.account, folder=folder, output=subprocess.DEVNULL)
    (folder / "pg" / "postmaster.pid").write_text("\n".join([str(other.pid), *left_behind[1:]]) + "\n")
    try:
        async with embedded_postgres(folder) as dsn:
            assert await run_sql(dsn, "SELECT 1") == 1
            assert other.poll() is None
    finally:
        other.kill()
        other.wait()


async def test_two_starters_on_a_new_folder_share_one_server() -> None:
    folder = make_open_folder()
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        starts = [AsyncExitStack(), AsyncExitStack()]
        opened = await asyncio.gather(*(start.enter_async_context(owner_process(folder)) for start in starts))
        for start in starts:
            stack.push_async_exit(start)
        assert opened[0][1] == opened[1][1]
        assert sorted(owned for _, _, owned in opened) == [False, True]
        assert await run_sql(opened[0][1], "SELECT 1") == 1


async def test_user_that_shares_a_server_leaves_it_running(folder: Path) -> None:
    async with open_embedded(folder) as owner:
        async with open_embedded(folder) as other:
            assert (other.owned, other.dsn) == (False, owner.dsn)
        assert await run_sql(owner.dsn, "SELECT 1") == 1


async def test_server_outlives_its_owner_while_somebody_needs_it(folder: Path) -> None:
    async with AsyncExitStack() as first:
        owner = await first.enter_async_context(open_embedded(folder))
        async with open_embedded(folder) as heir:
            await first.aclose()
            await wait_until(lambda: heir.owned)
            assert await run_sql(owner.dsn, "SELECT 1") == 1


async def test_server_outlives_a_killed_owner_while_somebody_needs_it(folder: Path) -> None:
    async with owner_process(folder) as (process, dsn, _), open_embedded(folder) as heir:
        assert heir.dsn == dsn
        process.kill()
        await wait_until(lambda: heir.owned)
        assert await run_sql(dsn, "SELECT 1") == 1


@only_root
async def test_folder_closed_to_postgres_is_not_opened_up(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    folder = tmp_path / "desk"
    try:
        async with embedded_postgres(folder) as dsn:
            assert await run_sql(dsn, "SELECT 1") == 1
        assert not (folder / "pg").exists()
        assert tmp_path.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(open_cluster(folder).home)


@only_root
def test_binaries_out_of_reach_are_copied_to_where_they_run(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    site = find_installation().parent.parent
    for name in (PACKAGE, f"{PACKAGE}.libs"):
        (tmp_path / name).symlink_to(site / name)
    nobody = pwd.getpwnam("nobody")
    home = make_open_folder()
    try:
        copy = place_binaries(tmp_path / PACKAGE / INSTALLATION, home, Account(nobody.pw_uid, nobody.pw_gid))
        assert copy.is_relative_to(home)
        shown = subprocess.run([copy / "bin" / "initdb", "--version"], user="nobody", cwd=home, capture_output=True)
        assert shown.stdout.startswith(b"initdb (PostgreSQL) 18")
    finally:
        shutil.rmtree(home)
