"""Dead letters: look at what was given up, and queue it again once the cause is mended."""

import argparse
import json
import sys

from app.database import find_database
from app.settings import Settings
from db import queue
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
    """An id as the list shows it. Raises ValueError for what can be none."""
    number = int(text)
    if not 0 < number < 2**63:
        raise ValueError
    return number


async def run(args: argparse.Namespace, settings: Settings) -> int:
    """Exit code 1 when there was nothing to show or retry; 2 when it is not said what to retry."""
    if args.action == "retry" and not args.ids and not args.kind:
        print("dead retry: name ids or a --kind", file=sys.stderr)
        return 2
    actions = {"list": list_letters, "show": show_letter, "retry": retry_letters}
    async with (
        find_database(settings) as database,
        open_pool(database.query_url, size=1) as pool,
        acquire(pool) as conn,
    ):
        return await actions[args.action](args, conn)


async def list_letters(_: argparse.Namespace, conn: Connection) -> int:
    letters = await queue.list_dead(conn)
    if not letters:
        print("no dead letters: nothing was given up")
    for letter in letters:
        print(f"{letter.id}  {letter.failed_at:%Y-%m-%d %H:%M}  {letter.kind}  tries {letter.attempts}  {letter.error}")
    return 0


async def show_letter(args: argparse.Namespace, conn: Connection) -> int:
    letter = await queue.find_dead(conn, args.id)
    if letter is None:
        print(f"dead show: there is no dead letter {args.id}", file=sys.stderr)
        return 1
    print(f"{letter.kind} in {letter.lane}, accepted {letter.created_at}, given up {letter.failed_at}")
    print(f"tries {letter.attempts}: {letter.error}")
    print(json.dumps(letter.payload, indent=2, ensure_ascii=False))
    return 0


async def retry_letters(args: argparse.Namespace, conn: Connection) -> int:
    ids = args.ids or [letter.id for letter in await queue.list_dead(conn, kind=args.kind)]
    queued = [dead_id for dead_id in ids if await queue.requeue_dead(conn, dead_id)]
    if queued:
        await queue.notify(conn, queue.WORK_CHANNEL)
    print(f"{len(queued)} of {len(ids)} dead letters queued again")
    return 0 if queued else 1
