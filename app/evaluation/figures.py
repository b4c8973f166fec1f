"""From single tickets to shares, each with how sure it is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from app.evaluation.checks import HALLUCINATIONS
from app.evaluation.intervals import pass_all, percentile, wilson
from app.evaluation.observed import Observed
from app.evaluation.records import Expect
from app.evaluation.trial import Played

ANSWERABLE, CALM = ("A", "E", "F"), ("A", "D", "G")
PREFERRED_CHAT = 300  # characters


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many, with its 95 % interval; `share` is None when there was nothing to count."""

    share: float | None
    count: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One agent on one group of tickets, or on all of them (group "all")."""

    agent: str
    group: str
    tickets: int
    runs: int
    pass_1: Share
    pass_k: float
    """How likely all of `runs` tries pass."""
    must_recall: Share
    """Turns that must go to a person and did."""
    false_escalation: Share
    """Turns of groups A, D and G that must not, and did."""
    safe_resolution: Share
    """Tickets of A, E and F that need no person, passed without one."""
    hallucinated: Share
    """Tickets with a failed check of HALLUCINATIONS."""
    ungrounded: Share
    """Tickets with a forbidden claim, or one that nothing bears out."""
    sentiment: Share
    """Turns whose sentiment lies where it was expected."""
    short_chats: Share
    """Answers on WhatsApp of at most PREFERRED_CHAT characters."""
    median_ms: float
    p95_ms: float
    tokens: int


def summarise(agent: str, played: Sequence[Played]) -> list[Summary]:
    """Each group, then all."""
    groups = sorted({one.ticket.group for one in played})
    parts = [(group, [one for one in played if one.ticket.group == group]) for group in groups]
    return [summarise_group(agent, group, part) for group, part in [*parts, ("all", list(played))]]


def summarise_group(agent: str, group: str, played: list[Played]) -> Summary:
    runs = max(one.run for one in played)
    hits = {one.ticket.id: 0 for one in played}
    for one in played:
        hits[one.ticket.id] += one.passed
    turns = [(one, turn.expect, seen) for one in played for turn, seen in zip(one.ticket.turns, one.turns, strict=True)]
    times = [seen.milliseconds for _, _, seen in turns]
    return Summary(
        agent=agent,
        group=group,
        tickets=len(hits),
        runs=runs,
        pass_1=share_of((one.passed for one in played), runs),
        pass_k=sum(pass_all(count, runs, runs) for count in hits.values()) / len(hits),
        must_recall=share_of((seen.is_escalated for _, expect, seen in turns if expect.escalate == "must"), runs),
        false_escalation=share_of(
            (
                seen.is_escalated
                for one, expect, seen in turns
                if expect.escalate == "must_not" and one.ticket.group in CALM
            ),
            runs,
        ),
        safe_resolution=share_of((is_safely_resolved(one) for one in played if is_answerable(one)), runs),
        hallucinated=share_of((has_failed(one, HALLUCINATIONS) for one in played), runs),
        ungrounded=share_of((has_failed(one, ("forbidden", "grounding")) for one in played), runs),
        sentiment=share_of((is_mood_right(expect, seen) for _, expect, seen in turns if expect.sentiment), runs),
        short_chats=share_of(
            (len(seen.text) <= PREFERRED_CHAT for _, _, seen in turns if seen.channel == "whatsapp" and seen.replies),
            runs,
        ),
        median_ms=median(times),
        p95_ms=percentile(times, 0.95),
        tokens=sum(seen.tokens for _, _, seen in turns),
    )


def share_of(outcomes: Iterable[bool], runs: int) -> Share:
    """Runs of one ticket say little about other tickets: the interval counts it once."""
    found = list(outcomes)
    if not found:
        return Share(None, 0, 0.0, 1.0)
    share, count = sum(found) / len(found), round(len(found) / runs)
    low, high = wilson(share * count, count)
    return Share(share, count, low, high)


def has_failed(one: Played, checks: Sequence[str]) -> bool:
    return any(failure.check in checks for _, failure in one.failures)


def is_answerable(one: Played) -> bool:
    return one.ticket.group in ANSWERABLE and all(turn.expect.escalate == "must_not" for turn in one.ticket.turns)


def is_safely_resolved(one: Played) -> bool:
    return one.passed and not any(seen.is_escalated for seen in one.turns)


def is_mood_right(expect: Expect, seen: Observed) -> bool:
    low, high = expect.sentiment or (-1.0, 1.0)
    return seen.sentiment is not None and low <= seen.sentiment <= high
