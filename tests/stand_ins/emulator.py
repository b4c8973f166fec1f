"""The npm package `emulate` as a process: one vendor on a free port."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.stand_ins.node_package import NodeProcess, running

EMULATE_PEER = Path(__file__).parent / "emulate_peer"


class Emulator(NodeProcess):
    """One running emulator of one vendor."""

    def reset(self) -> None:
        """Back to the seed: all that came since is forgotten."""
        self.ask("reset")


def running_emulator(options: dict[str, Any]) -> AbstractContextManager[Emulator]:
    """An emulator for the length of the block; options as its createEmulator takes them. Raises NotInstalled."""
    return running(Emulator, EMULATE_PEER, options)
