"""What needs a person: read by the health page and by doctor."""

from collections.abc import Iterator

from db.health import ChannelState, Footing, Waiting, Worker

SILENT_AFTER = 30.0  # seconds without a heartbeat: the worker is gone
DUE_FOR = 60.0  # seconds that due work may lie before somebody must look


def find_troubles(
    footing: Footing, workers: list[Worker], channels: list[ChannelState], neglected: list[Waiting]
) -> Iterator[str]:
    """What needs a person, a sentence each."""
    if not any(worker.heartbeat_age_seconds < SILENT_AFTER for worker in workers):
        yield f"No worker has been heard of within {SILENT_AFTER:g} seconds."
    if (footing.queue_due_seconds or 0) > DUE_FOR:
        yield f"Work has been due for {footing.queue_due_seconds:.0f} seconds and nobody takes it."
    if unseen := sum(waiting.is_unseen for waiting in neglected):
        yield f"Customers who wait and whom nobody owns: {unseen}."
    if overdue := sum(waiting.is_overdue for waiting in neglected):
        yield f"Customers who wait longer than promised: {overdue}."
    for channel in channels:
        if channel.is_on and channel.watch_ends_soon:
            yield f"The watch of {channel.channel} ends within 48 hours and was not renewed."
