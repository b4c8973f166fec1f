"""python -m bench NAME [--quick] [--json]: a missed goal is reported and exits 0, a broken law exits 1."""

import argparse
import asyncio
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import uvloop

from bench.report import Report

NAMES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem.startswith("run_")))
BENCHES = tuple(name.removeprefix("run_") for name in NAMES)


def main() -> int:
    """Run one bench and print its table, or its JSON."""
    args = read_arguments(sys.argv[1:])
    name, as_json = args.pop("name"), args.pop("json")
    report = Report(name, seed=args.pop("seed"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as the program itself runs
        runner.run(find_bench(name).run(report, **args))
    print(report.as_json() if as_json else report.as_table())
    return 1 if report.broken_laws else 0


def read_arguments(words: Sequence[str]) -> dict[str, Any]:
    """What every bench takes, and what the one that is named adds in its `add_arguments`; that goes to its `run`."""
    parser = argparse.ArgumentParser(prog="python -m bench", add_help=False)
    parser.add_argument("name", choices=BENCHES)
    named = next((word for word in words if word in BENCHES), None)
    parser.add_argument("-h", "--help", action="help")
    parser.add_argument("--quick", action="store_true", help="finish in under a minute")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--seed", type=int, default=1)
    if add_arguments := getattr(find_bench(named), "add_arguments", None) if named else None:
        add_arguments(parser)
    return vars(parser.parse_args(words))


def find_bench(name: str) -> ModuleType:
    return importlib.import_module(f"bench.run_{name}")


if __name__ == "__main__":
    sys.exit(main())
