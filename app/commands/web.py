"""The web process: takes in, shows, and answers nothing itself."""

import argparse
import logging

from app.collector import spare_collector
from app.database import find_database
from app.main import create_app, serve
from app.settings import Settings
from app.shortfalls import missing
from app.stop import stop_on_signals
from db.migrate import check_schema
from db.pool import UNAVAILABLE, acquire, open_pool

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Serve the web form, the ticket pages, the webhooks and the staff routes on HOST and PORT."


async def run(_: argparse.Namespace, settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT. A database that is away does not stop the start, one of another schema does."""
    stopping = stop_on_signals()
    async with find_database(settings) as database:
        app = create_app(settings, database)
        try:
            async with open_pool(database.query_url, size=1) as pool, acquire(pool) as conn:
                await check_schema(conn)
        except UNAVAILABLE as error:
            log.warning("the database cannot be had yet", extra={"error_kind": type(error).__name__})
        for line in missing(settings):
            log.info(line)
        spare_collector()
        await serve(app, settings, stopping)
    return 0
