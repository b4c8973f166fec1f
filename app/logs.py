"""One JSON line per record: ids go in, what people wrote and what opens doors stays out."""

import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

import orjson

ROOT = str(Path(__file__).resolve().parent.parent) + "/"
USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
OURS = ("app", "worker", "agent", "channels", "db")
SECRET = re.compile(r"((?:token|secret|key|password|code)=|Bearer |://[^\s/:@]*:)[^\s&\"'@]+", re.IGNORECASE)


def hide_secrets(text: str) -> str:
    """The text without the values of query tokens, bearer tokens and passwords in addresses."""
    return SECRET.sub(r"\1...", text)


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON.

    Of an exception only its type and where it came from: its own words may repeat what a customer wrote.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": hide_secrets(record.getMessage()),
        }
        line |= {name: value for name, value in vars(record).items() if name not in USUAL}
        if record.exc_info and record.exc_info[1]:
            line |= describe_error(record.exc_info[1])
        return orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z).decode()


def describe_error(error: BaseException) -> dict[str, object]:
    """The type of an error and of what caused it, and the places it passed, innermost last."""
    kinds: list[str] = []
    cause: BaseException | None = error
    while cause and len(kinds) < 5:
        kinds.append(type(cause).__name__)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    passed = traceback.extract_tb(error.__traceback__)
    places = [f"{part.filename.removeprefix(ROOT)}:{part.lineno} {part.name}" for part in passed]
    return {"error": kinds, "places": places[-12:]}


def configure_logging(level: str) -> None:
    """Send every record to stderr as JSON. A closed or full sink never stops the process."""
    writer = logging.StreamHandler(sys.stderr)
    writer.setFormatter(JsonLines())
    logging.raiseExceptions = False
    # what libraries say below a warning repeats addresses, numbers and bodies
    logging.basicConfig(level=max(logging.WARNING, logging.getLevelName(level)), handlers=[writer], force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    # the error table has logged it already, with the id that the answer shows
    logging.getLogger("uvicorn.error").addFilter(lambda record: "Exception in ASGI" not in record.msg)
