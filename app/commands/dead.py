"""Dead letters: look at what was given up, and queue it again once the cause is mended."""

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta

from app.database import find_database
from app.settings import Settings
from db import dead_letters, queue
from db.pool import Connection, acquire, open_pool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Look at work that failed for good, and queue it again."
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="one line each, latest first")
    show = actions.add_parser("show", help="one with its payload")
    show.add_argument("id", type=read_id)
    retry = actions.add_parser("retry", help="queue again")
    retry.add_argument("ids", type=read_id, nargs="*", metavar="ID")
    retry.add_argument("--kind", help="all of this kind")


def read_id(text: str) -> int:
    """An id as the list shows it. Raises ArgumentTypeError for what can be none."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**63):
        raise argparse.ArgumentTypeError(f"{text!r} is no id: `dead list` shows them")
    return int(text)


async def run(args: argparse.Namespace, settings: Settings) -> int:
    """Exit code 1 when there was nothing to show or retry; 2 when it is not said what to retry."""
    if args.action == "retry" and bool(args.ids) == bool(args.kind):
        print("dead retry: name either ids or a --kind", file=sys.stderr)
        return 2
    actions = {"list": list_letters, "show": show_letter, "retry": retry_letters}
    async with (
        find_database(settings) as database,
        open_pool(database.query_url, size=1) as pool,
        acquire(pool) as conn,
    ):
        return await actions[args.action](args, conn)


async def list_letters(_: argparse.Namespace, conn: Connection) -> int:
    """No customer's words here: errors are kinds of failure, the payload is what `show` is for."""
    letters = await dead_letters.list_dead(conn)
    if not letters:
        print("no dead letters: nothing was given up")
        return 0
    width = max(len(letter.lane) for letter in letters)
    print(f"{'id':>6}  {'given up (UTC)':16}  {'age':>5}  {'kind':13}  tries  {'lane':{width}}  error")
    for letter in letters:
        print(
            f"{letter.id:>6}  {letter.failed_at:%Y-%m-%d %H:%M}  {say_age(letter.created_at):>5}  {letter.kind:13}"
            f"  {letter.attempts:>5}  {letter.lane:{width}}  {letter.error}"
        )
    print("\ndead show ID prints one with its payload. Once the cause is mended: dead retry ID…, or --kind KIND.")
    return 0


def say_age(since: datetime) -> str:
    """How long ago, in its largest unit: 40 s, 12 min, 3 h, 2 d."""
    age = datetime.now(UTC) - since
    for unit, size in (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1))):
        if age >= size:
            return f"{age // size} {unit}"
    return f"{max(age, timedelta(0)) // timedelta(seconds=1)} s"


async def show_letter(args: argparse.Namespace, conn: Connection) -> int:
    letter = await dead_letters.find_dead(conn, args.id)
    if letter is None:
        print(f"dead show: there is no dead letter {args.id}, `dead list` shows all", file=sys.stderr)
        return 1
    print(f"{letter.kind} in lane {letter.lane}")
    print(f"accepted {letter.created_at:%Y-%m-%d %H:%M:%S} UTC, given up {letter.failed_at:%Y-%m-%d %H:%M:%S} UTC")
    print(f"tries {letter.attempts}, last error: {letter.error}")
    print(json.dumps(letter.payload, indent=2, ensure_ascii=False))
    print(f"\nOnce the cause is mended: dead retry {letter.id}")
    return 0


async def retry_letters(args: argparse.Namespace, conn: Connection) -> int:
    """Where a person was called only because of the failure, and has not spoken yet, the agent answers after all."""
    ids = args.ids or [letter.id for letter in await dead_letters.list_dead(conn, kind=args.kind)]
    queued = [dead_id for dead_id in ids if await dead_letters.revive_dead(conn, dead_id)]
    if missing := sorted(set(ids) - set(queued)):
        names = ", ".join(str(dead_id) for dead_id in missing)
        print(f"dead retry: there is no dead letter {names}, `dead list` shows all", file=sys.stderr)
    if queued:
        await queue.notify(conn, queue.WORK_CHANNEL)
    print(f"{len(queued)} of {len(ids)} dead letters queued again")
    return 0 if queued else 1
