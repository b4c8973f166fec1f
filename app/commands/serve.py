"""Everything in one process: the database if none is named, the schema, the sample articles, web and worker."""

import argparse
import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette

from app.commands.migrate import migrate_database
from app.database import Database, find_database
from app.knowledge_files import SAMPLE_COMPANY, import_files
from app.main import create_app, serve
from app.secrets_file import fill_in_secrets
from app.settings import Settings, SettingsError
from app.shortfalls import missing
from app.stop import stop_on_signals
from app.wiring import make_worker, open_agent, open_channels, running_worker
from db import knowledge
from db.pool import Pool, acquire, open_pool

POOL_SIZE = 12  # connections, shared by web and worker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Run everything in this one process until Ctrl-C."


async def run(_: argparse.Namespace, settings: Settings) -> int:
    """Serve and answer until SIGINT or SIGTERM."""
    stopping = stop_on_signals()
    check_port(settings)
    settings, drawn = fill_in_secrets(settings)
    async with find_database(settings) as database:
        await migrate_database(database)
        async with open_pool(database.query_url, size=POOL_SIZE) as pool:
            if settings.sample_knowledge == "on":
                await fill_empty_base(pool)
            await work_and_serve(settings, database, pool, drawn, stopping)
    return 0


async def work_and_serve(
    settings: Settings, database: Database, pool: Pool, drawn: list[str], stopping: asyncio.Event
) -> None:
    app = create_app(settings, database, pool=pool)
    async with AsyncExitStack() as stack:
        channels = await stack.enter_async_context(open_channels(settings))
        serving = await stack.enter_async_context(serving_until(app, settings, stopping))
        if not stopping.is_set():
            print_welcome(settings, drawn)
        # messages are taken in meanwhile: on a new database it takes ten seconds to learn from the examples
        worker = make_worker(settings, database, pool, await open_agent(settings, pool), channels)
        working = await stack.enter_async_context(running_worker(worker))
        await asyncio.wait([serving, working], return_when=asyncio.FIRST_COMPLETED)
        stopping.set()  # should one of the two end by itself, the other ends too
        await serving


@asynccontextmanager
async def serving_until(
    app: Starlette, settings: Settings, stopping: asyncio.Event
) -> AsyncIterator[asyncio.Task[None]]:
    """The web side at work for the length of the block."""
    serving = asyncio.create_task(serve(app, settings, stopping))
    try:
        yield serving
    finally:
        stopping.set()
        await serving


async def fill_empty_base(pool: Pool) -> None:
    """The sample company's articles, so that there is something to ask; an existing knowledge base is left alone."""
    async with acquire(pool) as conn:
        if await knowledge.list_articles(conn):
            return
    report = await import_files(pool, [SAMPLE_COMPANY])
    print(
        f"Loaded {sum(report.counts.values())} articles of the sample company (SAMPLE_KNOWLEDGE=off leaves it empty)."
    )


def check_port(settings: Settings) -> None:
    """Say in one line that the port is taken, before anything is started."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise SettingsError(f"PORT: {settings.port} cannot be used ({error.strerror}); choose another") from error


def print_welcome(settings: Settings, drawn: list[str]) -> None:
    """Where to look, once."""
    base = f"http://localhost:{settings.port}"
    print(f"\nDeskhand is ready.\n  What customers see  {base}/\n  For managers        {base}/metrics/channels")
    if "ADMIN_TOKEN" in drawn and settings.admin_token is not None:
        print(
            f"  Staff token         {settings.admin_token.get_secret_value()}  (shown once; in .deskhand/secrets.json)"
        )
    for line in missing(settings):
        print(f"  {line}")
    print("Stop with Ctrl-C.", flush=True)
