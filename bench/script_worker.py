"""python -m bench.script_worker SECONDS: the worker command with a model inside the process, which waits so long."""

import os
import sys

import uvloop

from agent.assess import Assessor
from agent.models.offline import OfflineModel
from app.commands.worker import POOL_SIZE
from app.database import find_database
from app.logs import configure_logging
from app.settings import Settings, read_settings
from app.stop import stop_on_signals
from app.wiring import Agent, make_worker, running_worker
from bench.turn_models import ScriptModel
from db.pool import open_pool
from tests.shipped import load_classifier


async def work(settings: Settings, seconds: float) -> None:
    """As `python -m app worker` does, until SIGTERM."""
    stopping = stop_on_signals()
    agent = Agent((ScriptModel(seconds), OfflineModel()), None, Assessor(load_classifier()))
    async with (
        find_database(settings) as database,
        open_pool(database.query_url, size=POOL_SIZE) as pool,
        running_worker(make_worker(settings, database, pool, agent, {})),
    ):
        await stopping.wait()


if __name__ == "__main__":
    settings = read_settings(os.environ)
    configure_logging(settings.log_level)
    uvloop.run(work(settings, float(sys.argv[1])))
