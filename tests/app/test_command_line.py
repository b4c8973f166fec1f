import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest

from db.pool import Connection

ROOT = Path(__file__).parent.parent.parent


async def run(*words: str, **environ: str) -> tuple[int | None, str, str]:
    """Exit code, output and errors of `python -m app WORDS`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", *words, cwd=ROOT, env={"PATH": os.environ["PATH"], **environ},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


async def test_unknown_command_is_wrong_use() -> None:
    code, output, errors = await run("nonsense")
    assert (code, output) == (2, "")
    assert errors.count("\n") == 1
    assert "doctor" in errors


@pytest.mark.parametrize(
    ("command", "environ", "code", "named"),
    [
        ("web", {"PORT": "hidden"}, 2, "PORT"),
        ("web", {"DATABASE_URL": "postgresql://a:hidden@127.0.0.1:1/none"}, 2, "APP_SECRET"),
        ("migrate", {"DATABASE_URL": "postgresql://a:hidden@127.0.0.1:1/none"}, 1, "database"),
        ("migrate", {"DATABASE_URL": "hidden"}, 2, "DATABASE_URL"),
    ],
)
async def test_failure_is_one_line_that_says_what_is_wrong(
    command: str, environ: dict[str, str], code: int, named: str
) -> None:
    exit_code, _, errors = await run(command, **environ)
    assert exit_code == code
    assert errors.count("\n") == 1
    assert named in errors
    assert "hidden" not in errors


async def test_wrong_password_is_one_line(database_url: str) -> None:
    code, _, errors = await run("migrate", DATABASE_URL=database_url.replace("deskhand:", "deskhand:hidden", 1))
    assert code == 1
    assert errors.count("\n") == 1
    assert "hidden" not in errors


async def test_migrate_brings_an_empty_database_up_to_date_and_then_does_nothing(
    database_url: str, conn: Connection
) -> None:
    await conn.execute("drop schema public cascade; create schema public")
    code, output, _ = await run("migrate", DATABASE_URL=database_url)
    assert (code, output.splitlines()[0]) == (0, "applied 0001_initial")
    assert (await run("migrate", DATABASE_URL=database_url))[:2] == (0, "nothing to do: the schema is up to date\n")


async def test_doctor_says_what_to_do(database_url: str, conn: Connection) -> None:
    code, output, _ = await run("doctor", DATABASE_URL=database_url)
    assert code == 0
    assert "off  WhatsApp is off: set TWILIO_ACCOUNT_SID" in output
    assert "warn the knowledge base is empty: python -m app kb import PATH" in output
    await conn.execute("delete from schema_migrations where version > 1")
    code, output, _ = await run("doctor", DATABASE_URL=database_url)
    assert code == 1
    assert "run python -m app migrate" in output
    code, output, _ = await run("doctor", DATABASE_URL="postgresql://a:hidden@127.0.0.1:1/none")
    assert code == 1
    assert "bad  DATABASE_URL cannot be reached" in output
    assert "hidden" not in output


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
@pytest.mark.parametrize(
    "words", [["table alarm_limits"], ["-c", "table alarm_limits"], ["--", "-c", "table alarm_limits"]]
)
async def test_psql_runs_the_statement_it_is_given(database_url: str, words: list[str]) -> None:
    code, output, _ = await run("psql", *words, DATABASE_URL=database_url)
    assert code == 0
    assert "no_worker" in output


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
async def test_psql_gives_its_own_exit_code(database_url: str) -> None:
    assert (await run("psql", "table nowhere", DATABASE_URL=database_url))[0] == 1


async def test_web_does_not_start_on_a_schema_it_does_not_know(database_url: str, conn: Connection) -> None:
    await conn.execute("delete from schema_migrations where version > 1")
    code, _, errors = await run("web", DATABASE_URL=database_url, APP_SECRET="s", PORT="1")
    assert code == 1
    assert "python -m app migrate" in errors
