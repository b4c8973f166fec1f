"""A psql on the desk's database, wherever that is."""

import argparse
import asyncio
import os
import shutil
import sys
from urllib.parse import unquote, urlsplit, urlunsplit

from app.database import find_database
from app.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Open psql on the database of these settings, or run a statement there."
    parser.add_argument("-c", dest="statements", action="append", default=[], help="run this statement and leave")
    parser.add_argument("words", nargs="*", help="a statement, such as 'table alarms'; after --, psql's own options")


async def run(args: argparse.Namespace, settings: Settings) -> int:
    """psql's own exit code; 1 when it is not installed. The password goes by the environment, not the command line."""
    if shutil.which("psql") is None:
        print("psql: it is not installed (Debian: apt-get install postgresql-client)", file=sys.stderr)
        return 1
    async with find_database(settings) as database:
        url = urlsplit(database.listen_url)
        open_url = urlunsplit(url._replace(netloc=url.netloc.replace(f":{url.password}@", "@")))
        environment = os.environ | {"PGPASSWORD": unquote(url.password or "")}
        process = await asyncio.create_subprocess_exec("psql", open_url, *choose_options(args), env=environment)
        return await process.wait()


def choose_options(args: argparse.Namespace) -> list[str]:
    """psql's own options. Words that begin with none are one statement."""
    statements, words = list(args.statements), list(args.words)
    if words and not words[0].startswith("-"):
        statements, words = [*statements, " ".join(words)], []
    return [*words, *(option for statement in statements for option in ("-c", statement))]
