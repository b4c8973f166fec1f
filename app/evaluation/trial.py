"""All tickets, as often as wanted, with one model after the other."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.models.base import Model
from app.evaluation.checks import Failure, Scored, Secrets, check_turn
from app.evaluation.desk import Desk
from app.evaluation.observed import Observed
from app.evaluation.records import Ticket
from app.evaluation.scratch import Scratch, gather_secrets

AT_ONCE = 3
"""Tickets side by side: while one waits for the database or a provider, another one works."""

Progress = Callable[[int, int], None]
"""Called with how many tickets are done and how many there are."""


@dataclass(frozen=True, slots=True)
class Played:
    """One ticket played once."""

    ticket: Ticket
    run: int
    turns: tuple[Observed, ...]
    failures: tuple[tuple[int, Failure], ...]
    """The number of the turn, from 1, with each."""

    @property
    def passed(self) -> bool:
        return not self.failures


async def play_all(
    scratch: Scratch, tickets: Sequence[Ticket], models: tuple[Model, ...], runs: int, on_progress: Progress
) -> list[Played]:
    """Each ticket `runs` times, each time in a database of its own; in the order of the tickets."""
    secrets, slots = gather_secrets(scratch.settings), asyncio.Semaphore(AT_ONCE)
    known = {ticket.id: ticket for ticket in tickets}
    wanted = [(ticket, run) for ticket in tickets for run in range(1, runs + 1)]
    done = 0

    async def play(ticket: Ticket, run: int) -> Played:
        nonlocal done
        async with slots, scratch.open_desk(models) as desk:
            for earlier in ticket.customer.history:
                await play_ticket(desk, known[earlier])
            turns = await play_ticket(desk, ticket)
        done += 1
        on_progress(done, len(wanted))
        return Played(ticket, run, turns, tuple(judge(ticket, turns, secrets)))

    try:
        async with asyncio.TaskGroup() as tasks:
            playing = [tasks.create_task(play(ticket, run)) for ticket, run in wanted]
    except ExceptionGroup as group:  # whoever calls knows single errors, and the first one is why
        raise group.exceptions[0] from group
    return [task.result() for task in playing]


async def play_ticket(desk: Desk, ticket: Ticket) -> tuple[Observed, ...]:
    return tuple([await desk.play(ticket, turn) for turn in ticket.turns])


def judge(ticket: Ticket, turns: Sequence[Observed], secrets: Secrets) -> list[tuple[int, Failure]]:
    """Every failure with the number of its turn."""
    return [
        (number, failure)
        for number, (turn, seen) in enumerate(zip(ticket.turns, turns, strict=True), start=1)
        for failure in check_turn(Scored(turn.expect, ticket.lang, seen, secrets))
    ]
