"""What doctor says of one thing it looked at."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `bad` stops the desk, `warn` deserves a look, `off` is a choice."""

    state: Literal["ok", "off", "warn", "bad"]
    text: str
