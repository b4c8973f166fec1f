"""Recorded turns: written into a file without private values, and run again from such a file."""

import argparse
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from agent.models.replay import Different
from agent.prompt import INVISIBLE
from agent.replay import replay
from agent.replay_brief import NotRecorded
from agent.replay_file import Recording, UnreadableRecording, dump, export, read_recordings
from app.database import find_database
from app.settings import Settings
from db.migrate import check_schema
from db.pool import acquire, open_pool
from db.recordings import RecordedTurn, list_recorded

DONE, NO, WRONG_USE = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Export turns of the agent, and run them again."
    actions = parser.add_subparsers(dest="action", required=True)
    out = actions.add_parser(
        "export",
        help="as JSON, with private values and the customer's name replaced",
        description="Write a turn as JSON that others may see: e-mail addresses, telephone numbers, cards, accounts, "
        "secrets, national ids and the customer's name are replaced. Nothing finds everything: read it first.",
    )
    out.add_argument("turn", type=UUID, nargs="?", metavar="TURN", help="id of the turn, as logs and the API show it")
    out.add_argument("--conversation", type=UUID, metavar="ID", help="instead: all turns of this conversation")
    out.add_argument("--out", type=Path, metavar="FILE", help="else it is printed")
    again = actions.add_parser(
        "replay",
        help="run exported turns again with their recorded replies",
        description="Run exported turns again, with what the models and the tools answered then; needs no database. "
        "Exit code 0: the same calls and words. 1: something differs, and the first difference is printed.",
    )
    again.add_argument("files", type=Path, nargs="+", metavar="FILE")


async def run(args: argparse.Namespace, settings: Settings) -> int:
    """Exit code 1 where there is no such turn, or one goes another way; 2 for wrong use and unreadable files."""
    return await (export_turns(args, settings) if args.action == "export" else replay_files(args.files))


async def export_turns(args: argparse.Namespace, settings: Settings) -> int:
    if (args.turn is None) == (args.conversation is None):
        return complain("export", "name either a turn or a --conversation", WRONG_USE)
    async with (
        find_database(settings) as database,
        open_pool(database.query_url, size=1) as pool,
        acquire(pool) as conn,
    ):
        await check_schema(conn)
        turns = await list_recorded(conn, turn_id=args.turn, conversation_id=args.conversation)
    if not turns:
        return complain("export", "there is no such turn that was kept and in which the agent was to speak", NO)
    written = [value for turn in turns if (value := try_export(turn)) is not None]
    if not written:
        return NO
    text = dump(written if args.turn is None else written[0])
    if args.out is None:
        print(text, end="")
        return DONE
    try:
        args.out.write_text(text, encoding="utf-8")
    except OSError as error:
        return complain("export", f"{args.out} cannot be written: {error.strerror}", WRONG_USE)
    return DONE


def try_export(turn: RecordedTurn) -> dict[str, Any] | None:
    try:
        return export(turn)
    except NotRecorded as error:
        complain("export", f"{turn.id} cannot be exported: {error}", NO)
        return None


async def replay_files(files: list[Path]) -> int:
    """All of them are run, whatever became of those before."""
    try:
        recordings = [(path, one) for path in files for one in read_file(path)]
    except (UnreadableRecording, OSError, UnicodeDecodeError) as error:
        return complain("replay", str(error), WRONG_USE)
    differences = [line for path, one in recordings if (line := await find_difference(path, one)) is not None]
    print("\n".join([*differences, f"{len(recordings) - len(differences)} of {len(recordings)} turns are identical"]))
    return NO if differences else DONE


def read_file(path: Path) -> list[Recording]:
    try:
        return read_recordings(path.read_text(encoding="utf-8"))
    except UnreadableRecording as error:
        raise UnreadableRecording(f"{path}: {error}") from None


async def find_difference(path: Path, recording: Recording) -> str | None:
    try:
        await replay(recording)
    except Different as error:
        return INVISIBLE.sub("", f"{path}, turn {recording.name}, {error}")  # a file may come from anywhere
    return None


def complain(action: str, text: str, code: int) -> int:
    print(f"app turn {action}: {text}", file=sys.stderr)
    return code
