"""python -m bench.model_worker NAME: the worker command, the same in all but the HTTP client to its model."""

import argparse
import os
import sys

import uvloop

from app import wiring
from app.commands.worker import run
from app.logs import configure_logging
from app.settings import read_settings
from bench.model_clients import CLIENTS

if __name__ == "__main__":
    settings = read_settings(os.environ)
    configure_logging(settings.log_level)
    vars(wiring)["open_http_client"] = CLIENTS[sys.argv[1]]  # the only place that opens one for models
    uvloop.run(run(argparse.Namespace(), settings))
