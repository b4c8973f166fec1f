"""How a command is told to stop."""

import asyncio
import os
import signal

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def stop_on_signals() -> asyncio.Event:
    """An event that the first SIGTERM or SIGINT sets; the second one ends the process at once, which loses nothing."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        stopping.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, stop, number)
    return stopping
