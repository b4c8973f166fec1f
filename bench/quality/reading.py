"""The labelled data that answers are measured with: ours in tests/evals, the public sets in the folder EVALS_DIR."""

import json
import os
from pathlib import Path
from typing import Any

OWN = Path(__file__).parents[2] / "tests" / "evals"


def list_own(name: str) -> list[dict[str, Any]]:
    """The rows of a file written for this project."""
    return read_rows(OWN / name)


def list_public(name: str) -> list[dict[str, Any]] | None:
    """The rows of a public set; None where EVALS_DIR does not have it, so that the caller can say what was left out."""
    folder = os.environ.get("EVALS_DIR")
    path = Path(folder) / name if folder else None
    return read_rows(path) if path is not None and path.is_file() else None


def read_rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]
