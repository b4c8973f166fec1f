"""A whole turn of a brief, with a journal in memory, for the tests of the loop."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from agent.brief import Brief
from agent.loop import run_turn
from agent.models.base import Model
from agent.toolbox import ToolContext
from agent.turn import AgentTurn, Ending, Limits
from db.pool import Pool
from db.turns import StepRow


@dataclass
class Journal:
    """What a turn wrote down before its end."""

    steps: list[StepRow] = field(default_factory=list)

    async def keep(self, step: StepRow) -> None:
        self.steps.append(step)


def make_turn(
    pool: Pool,
    brief: Brief,
    *models: Model,
    journal: Journal | None = None,
    steps: Sequence[StepRow] = (),
    limits: Limits | None = None,
) -> AgentTurn:
    """A turn whose tools reach the database of this test."""
    context = ToolContext(pool, None, brief, uuid4(), "TF", ("localhost",))
    keep = (journal or Journal()).keep
    return AgentTurn(models, "Be kind.", "the transcript", context, limits or Limits(), {}, keep, steps)


async def run_brief(pool: Pool, brief: Brief, *models: Model) -> Ending:
    """How the turn about this brief ends."""
    return await run_turn(make_turn(pool, brief, *models))
