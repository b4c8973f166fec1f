"""The npm package `@copilotkit/aimock` as a process: a provider of models that nobody here wrote, on both wires.

It answers by fixtures, {"match": {...}, "holds": text, "response": {...}}, the first that matches, on both wires.
It takes requests that no provider would take, so what came is to be judged with model_requests.py.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.stand_ins.model_requests import Asked
from tests.stand_ins.node_package import NodeProcess, running

MODEL_PEER = Path(__file__).parent / "model_peer"


class ModelPeer(NodeProcess):
    """One running provider. What it is asked at `url`/v1 is in its journal."""

    def journal(self) -> list[Asked]:
        """Every request since the start or the last reset that came whole, also one that is not answered yet."""
        return [
            Asked(row["method"], row["path"], [(name, value) for name, value in row["headers"]], row["body"])
            for row in self.ask("journal")
        ]

    def set_chaos(self, **faults: float) -> None:
        """From now on fail like this and no more like before: dropRate (a 500), malformedRate, disconnectRate,
        rateLimitRate (a 429 with Retry-After), each a share from 0 to 1; latencyMs, at most 30,000."""
        self.ask({"chaos": faults})

    def reset(self) -> None:
        """As it was started: no faults, an empty journal, every fixture unused."""
        self.ask("reset")

    def kill(self) -> None:
        """End at once, in the middle of whatever it is asked."""
        self.process.kill()
        self.process.wait()


def running_model_peer(fixtures: Sequence[dict[str, Any]]) -> AbstractContextManager[ModelPeer]:
    """A provider for the length of the block. Raises NotInstalled."""
    return running(ModelPeer, MODEL_PEER, list(fixtures))
