"""What a fact is, and the words that make facts."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCE: dict[str, Any] = tomllib.loads((Path(__file__).parent / "fact_words.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that must be supported: its kind, its comparable form, its unit ("" for none), and as written."""

    kind: str
    value: str
    unit: str
    written: str
