"""What all processes of one run share: database, vendor, clocks, the cases, and what has happened so far."""

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.crash.points import Case, Hit


@dataclass(frozen=True, slots=True)
class World:
    """Sent to every process as JSON. Times are seconds."""

    database_url: str
    vendor_url: str
    folder: str
    """Of what happened, as files: it outlives whoever writes it, and is seen by all at once."""
    cases: tuple[Case, ...]
    lanes: dict[str, str]
    """Lane to the key of its case."""
    lease: float = 3
    index_lag: float = 0.5
    """How long whatsapp's no is not believed."""
    poll: float = 0.1
    thinks: float = 0
    """How long the model takes for a step."""
    port: int = 9
    """Where the web process listens, if there is one."""

    ports: dict[str, int] = field(default_factory=dict)
    """Where the vendor reports to, by case."""

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> "World":
        fields: dict[str, Any] = json.loads(text)
        fields["cases"] = tuple(
            Case(**{**case, "hits": tuple(Hit(**hit) for hit in case["hits"])}) for case in fields["cases"]
        )
        return cls(**fields)

    @property
    def lease_time(self) -> timedelta:
        return timedelta(seconds=self.lease)

    @property
    def public_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def find_case(self, lane: str) -> Case | None:
        key = self.lanes.get(lane)
        return next((case for case in self.cases if case.key == key), None)

    def count_hits(self, case: Case) -> int:
        """How many of its hits were made."""
        return next((n for n in range(len(case.hits)) if not self.hit_file(case, n).exists()), len(case.hits))

    def find_next(self, case: Case) -> Hit | None:
        """What is still to happen."""
        made = self.count_hits(case)
        return case.hits[made] if made < len(case.hits) else None

    def claim_next(self, case: Case) -> Hit | None:
        """Write down that the next hit is made, by nobody else. None when somebody was quicker."""
        number = self.count_hits(case)
        try:
            os.close(os.open(self.hit_file(case, number), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return None
        return case.hits[number]

    def hit_file(self, case: Case, number: int) -> Path:
        return Path(self.folder) / f"{case.key}.hit{number}"

    def note(self, case: Case, what: str) -> int:
        """Count that something happened to a case; returns how often it had before."""
        with self.note_file(case, what).open("ab") as count:
            count.write(b".")
            return count.tell() - 1

    def count(self, case: Case, what: str) -> int:
        """How often it happened."""
        file = self.note_file(case, what)
        return file.stat().st_size if file.exists() else 0

    def note_file(self, case: Case, what: str) -> Path:
        return Path(self.folder) / f"{case.key}.{what}"
