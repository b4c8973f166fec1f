"""Runs a recorded turn again: through the real loop, with what its models and its tools answered then."""

from typing import Any, cast
from uuid import UUID

from agent.effects import dump_effect, read_effect
from agent.handoff import Limit
from agent.loop import Run, finish, hand_over_run
from agent.models.base import ToolCall
from agent.models.replay import Different, ReplayModel, Tape, find_limit
from agent.prompt import build_instructions, lay_out_turn
from agent.replay_file import Recording
from agent.toolbox import Toolbox, ToolContext, ToolOutcome
from agent.turn import AgentTurn, Ending
from db.pool import Pool

FROM_OUTSIDE = ("seconds", "usd")
"""Limits that the clock and the prices reached then: given, like what a model said."""
AFTER_AN_ANSWER = ("replies", "off")
CALLED_BY_WORKER = ("attempts", "opted_out", *AFTER_AN_ANSWER)
"""Limits that the worker found before the turn or after it."""
NOWHERE = UUID(int=0)


class RecordedTools(Toolbox):
    """Answers each call with what is on the tape, and does nothing."""

    def __init__(self, run: Run, tape: Tape) -> None:
        super().__init__(run.turn.context, run.state)
        self.tape = tape

    async def call(self, call: ToolCall) -> ToolOutcome:
        """What was answered then. Raises Different for another call than was recorded."""
        step, result = self.tape.take_result(call)
        effects = tuple(read_effect(row) for row in step.effects if row["call_id"] == result["call_id"])
        passages = tuple(step.passages) if self.tape.calls == 1 else ()
        return ToolOutcome(result["output"], passages, effects, refused=result["refused"])


class ReplayRun(Run):
    """A run whose tools are recorded, and whose clock and till say what they said then."""

    def __init__(self, turn: AgentTurn, tape: Tape) -> None:
        super().__init__(turn)
        self.tape = tape
        self.toolbox = RecordedTools(self, tape)

    def find_exceeded_limit(self) -> Limit | None:
        found = super().find_exceeded_limit()
        told = find_limit(self.tape.step)
        return told if found is None and told in FROM_OUTSIDE else found


async def replay(recording: Recording) -> None:
    """Run it again. Raises Different at the first call, argument, error or word that is not as it was recorded."""
    tape = Tape(recording.steps, is_redacted=recording.is_redacted)
    limit = find_limit(recording.steps[-1]) if recording.steps else None
    turn = make_turn(recording, tape)
    if limit not in CALLED_BY_WORKER:
        ending = await finish(ReplayRun(turn, tape))
    else:
        if limit in AFTER_AN_ANSWER and len(recording.steps) > 1:  # it was answered, and that could not be sent
            await check_last(await finish(ReplayRun(turn, tape)), tape)
        ending = await hand_over_run(ReplayRun(turn, tape), limit)
    await check_last(ending, tape)
    check_ending(ending, recording, tape)


def make_turn(recording: Recording, tape: Tape) -> AgentTurn:
    """The turn as it began, without a database: nothing of it is reached."""
    given = recording.given
    context = ToolContext(
        pool=cast(Pool, None),
        embedder=None,
        brief=given.brief,
        conversation_id=NOWHERE,
        ticket_prefix="",
        allowed_links=(),
    )
    return AgentTurn(
        models=tuple(ReplayModel(name, tape) for name in given.models),
        instructions=build_instructions(given.brief.company),
        transcript=lay_out_turn(given.brief, "recorded0"),
        context=context,
        limits=given.limits,
        prices={},
        record_step=tape.check_step,
    )


async def check_last(ending: Ending, tape: Tape) -> None:
    """The step that ends a turn is not journalled by the loop."""
    if ending.last_step is not None:
        await tape.check_step(ending.last_step)


def check_ending(ending: Ending, recording: Recording, tape: Tape) -> None:
    if tape.at < len(tape.steps):
        raise Different(f"recorded {len(tape.steps)} steps; now the turn ends after {tape.at}")
    now: dict[str, Any] = {
        "terminal": dump_effect(ending.terminal),
        "limit": ending.limit,
        "degraded": ending.degraded,
    }
    for name, value in now.items():
        then = getattr(recording.end, name)
        if value != then:
            raise Different(f"the end, {name}: recorded {then}; now {value}")
