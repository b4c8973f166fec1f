"""Whether a model that failed is asked once more within the same step, when, and with what beside."""

import random
from dataclasses import dataclass
from datetime import timedelta

from agent.models.base import ModelFailure

LONGEST_WAIT = timedelta(seconds=3)
"""A provider that wants more is not waited for: the next one is asked, or the turn is put back."""
ENOUGH = timedelta(seconds=4)
"""A second try needs so much time, and leaves as much to whoever comes next."""
NOTES = {
    "malformed": "(Your last reply could not be read. End this turn with exactly one tool call.)",
    "truncated": "(Your last reply was too long and was cut off. Answer again, in fewer words.)",
}


@dataclass(frozen=True, slots=True)
class SecondTry:
    """How to ask again."""

    pause: timedelta = timedelta(0)
    note: str = ""
    """What the model is told beside what it was asked before."""
    is_shorter: bool = False
    """With less of what came before."""


def plan_second_try(failure: ModelFailure, left: timedelta, attempt: timedelta) -> SecondTry | None:
    """How to ask again after this failure; None where it makes no sense, or takes the time from whoever comes next.

    left: of the turn, for this model. attempt: how long one try may take.
    """
    second = choose_second_try(failure)
    needed = attempt if failure.code == "timeout" else timedelta(0)  # what hung once may hang again
    return second if second is not None and second.pause + needed + 2 * ENOUGH <= left else None


def choose_second_try(failure: ModelFailure) -> SecondTry | None:
    if failure.retry_after is not None and failure.retry_after > LONGEST_WAIT:
        return None
    match failure.code:
        case "unavailable" | "timeout":
            drawn = random.uniform(0.5, 2)  # noqa: S311 (spreading load needs no secret)
            return SecondTry(pause=max(timedelta(seconds=drawn), failure.retry_after or timedelta(0)))
        case "rate_limited" if failure.retry_after is not None:
            return SecondTry(pause=failure.retry_after + timedelta(milliseconds=100))
        case "malformed" | "truncated":
            return SecondTry(note=NOTES[failure.code])
        case "context_too_long":
            return SecondTry(is_shorter=True)
    return None
