"""What can go wrong here, named after what it makes happen."""

from datetime import timedelta


class DeskError(Exception):
    """The root of every error this project raises on purpose."""


class NotFound(DeskError):
    """A `load_` function found no such row."""


class LeaseLost(DeskError):
    """Another worker holds this lane now: drop everything of the turn, nothing of it may be kept."""


class RetryLater(DeskError):
    """Worth another try, no sooner than `delay` from now. The worker puts the lane back.

    waited: how long it was put off already; None: as long as its oldest row has waited.
    """

    def __init__(self, reason: str, *, delay: timedelta, waited: timedelta | None = None) -> None:
        super().__init__(reason)
        self.delay = delay
        self.waited = waited


class PermanentFailure(DeskError):
    """No number of tries will help. The worker buries the work and gives the customer to a person."""


class SchemaMismatch(DeskError):
    """The database's schema is not the one this code was written for."""
