"""The command line: python -m app [COMMAND]. Without a command everything runs in one process."""

import argparse
import asyncio
import importlib
import os
import pkgutil
import sys

import uvloop

from app import commands
from app.logs import configure_logging
from app.secrets_file import recall_secrets
from app.settings import SettingsError, read_settings
from db.errors import DeskError
from db.health import REFUSED
from db.pool import UNAVAILABLE

DEFAULT_COMMAND = "serve"
DONE, NO, WRONG_USE = 0, 1, 2


def main(words: list[str]) -> int:
    """Run one command and return its exit code. Errors go to stderr in one line."""
    names = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))
    name = words[0] if words and not words[0].startswith("-") else DEFAULT_COMMAND
    if name not in names:
        print(f"app: there is no command {name!r}, choose one of: {', '.join(names)}", file=sys.stderr)
        return WRONG_USE
    command = importlib.import_module(f"app.commands.{name}")  # only this one: `web` never loads the worker
    parser = argparse.ArgumentParser(prog="python -m app" if name == DEFAULT_COMMAND else f"python -m app {name}")
    if name == DEFAULT_COMMAND:
        parser.epilog = f"Commands: {', '.join(names)}. Each has its own --help."
    command.add_arguments(parser)
    args = parser.parse_args(words[1:] if words and words[0] == name else words)
    try:
        settings = recall_secrets(read_settings(os.environ))
        configure_logging(settings.log_level)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return int(runner.run(command.run(args, settings)))
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except SettingsError as error:
        return complain(name, error, WRONG_USE)
    except (DeskError, *REFUSED) as error:
        return complain(name, error, NO)
    except UNAVAILABLE as error:
        reason = DeskError(f"the database cannot be had ({type(error).__name__}): try python -m app doctor")
        return complain(name, reason, NO)
    except KeyboardInterrupt:
        return 130


def complain(name: str, error: Exception, code: int) -> int:
    print(f"app {name}: {' '.join(str(error).split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
