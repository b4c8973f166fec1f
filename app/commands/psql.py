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
    parser.description = "Open psql on the database of these settings; whatever follows -- is given to it."
    parser.add_argument("words", nargs="*", help="such as: -- -c 'table waiting_customers'")


async def run(args: argparse.Namespace, settings: Settings) -> int:
    """psql's own exit code; 1 when it is not installed. The password goes by the environment, not the command line."""
    if shutil.which("psql") is None:
        print("psql: it is not installed (Debian: apt-get install postgresql-client)", file=sys.stderr)
        return 1
    async with find_database(settings) as database:
        url = urlsplit(database.listen_url)
        open_url = urlunsplit(url._replace(netloc=url.netloc.replace(f":{url.password}@", "@")))
        environment = os.environ | {"PGPASSWORD": unquote(url.password or "")}
        process = await asyncio.create_subprocess_exec("psql", open_url, *args.words, env=environment)
        return await process.wait()
