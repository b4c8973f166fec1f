"""Brings the database to the schema of this code."""

import argparse

from app.database import Database, find_database
from app.settings import Settings
from db.migrate import migrate
from db.pool import open_connection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Apply the migrations that are missing. Safe to run twice, and while an older version works."


async def run(_: argparse.Namespace, settings: Settings) -> int:
    """Print the name of each migration that was applied."""
    async with find_database(settings) as database:
        applied = await migrate_database(database)
    for name in applied:
        print(f"applied {name}")
    if not applied:
        print("nothing to do: the schema is up to date")
    return 0


async def migrate_database(database: Database) -> list[str]:
    """Apply what is missing over a direct connection, and return the names applied. Raises SchemaMismatch."""
    conn = await open_connection(database.listen_url)
    try:
        return await migrate(conn)
    finally:
        await conn.close()
