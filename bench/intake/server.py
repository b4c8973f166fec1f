"""python -m bench.intake.server VARIANT: the web process, storing with it. DATABASE_URL and PORT say where."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvloop
from starlette.applications import Starlette

from app.collector import spare_collector
from app.database import Database
from app.gathering import Gatherer
from app.main import create_app, serve
from app.settings import Settings, read_settings
from app.stop import stop_on_signals
from bench.intake.variants import OTHERS, TWO_BATCHES, FixedRules, Stand


def replace_gatherer(app: Starlette, variant: str, url: str) -> None:
    """Let the routes store with another one; everything else stays as it is in production."""
    opened = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[Any]:
        async with opened(app) as state, OTHERS[variant](url) as add:
            yield {**(state or {}), "gatherer": Stand(add), "rules": FixedRules()}

    app.router.lifespan_context = lifespan


def allow_two_batches(app: Starlette) -> None:
    """Let Deskhand's own gatherer begin a batch while the one before it is being committed."""
    opened = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[Any]:
        async with opened(app) as state:
            shared: dict[str, Any] = {**(state or {})}
            shared["gatherer"] = Gatherer(shared["pool"], shared["waker"], at_once=2, help_after=0)
            yield shared

    app.router.lifespan_context = lifespan


async def run(variant: str, settings: Settings) -> None:
    url = settings.query_url or ""
    app = create_app(settings, Database(url, url))
    if variant in OTHERS:
        replace_gatherer(app, variant, url)
    elif variant == TWO_BATCHES:
        allow_two_batches(app)
    spare_collector()
    await serve(app, settings, stop_on_signals())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(sys.argv[1], read_settings(os.environ)))
