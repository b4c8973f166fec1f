"""python -m bench NAME [--quick] [--json]: a missed goal is reported and exits 0, a broken law exits 1."""

import argparse
import asyncio
import importlib
import sys
from pathlib import Path

from bench.report import Report

NAMES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem.startswith("run_")))
BENCHES = tuple(name.removeprefix("run_") for name in NAMES)


def main() -> int:
    """Run one bench and print its table, or its JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("name", choices=BENCHES)
    parser.add_argument("--quick", action="store_true", help="finish in under a minute")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    report = Report(args.name, seed=args.seed)
    asyncio.run(importlib.import_module(f"bench.run_{args.name}").run(report, quick=args.quick))
    print(report.as_json() if args.json else report.as_table())
    return 1 if report.broken_laws else 0


if __name__ == "__main__":
    sys.exit(main())
