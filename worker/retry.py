"""How long failed work waits."""

import random
from datetime import timedelta

CAP_SECONDS = 300.0


def retry_delay(attempts: int, *, chance: float | None = None) -> timedelta:
    """Between nothing and 2 ** `attempts` seconds, at most five minutes: full jitter, so that what failed together
    does not come back together.

    attempts: tries made so far, 1 or more; ValueError otherwise. chance: 0 to 1, drawn when not given.
    """
    if attempts < 1:
        raise ValueError("attempts counts from 1")
    drawn = random.random() if chance is None else chance  # noqa: S311 (spreading load needs no secret)
    return timedelta(seconds=drawn * min(CAP_SECONDS, 2.0 ** min(attempts, 10)))
