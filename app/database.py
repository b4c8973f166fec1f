"""Where Postgres is: the one the settings name, or the embedded one, which runs as long as somebody needs it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.embedded import embedded_postgres
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Database:
    """Two addresses of one database; they differ when a pooler stands before it. With passwords: never log them."""

    query_url: str
    listen_url: str
    """Reaches Postgres itself, for LISTEN and for migrations."""


@asynccontextmanager
async def find_database(settings: Settings) -> AsyncIterator[Database]:
    """The database of these settings for the length of the block. Raises EmbeddedFailure."""
    if settings.query_url is not None and settings.listen_url is not None:
        yield Database(settings.query_url, settings.listen_url)
        return
    async with embedded_postgres(settings.state_folder) as url:
        yield Database(url, url)
