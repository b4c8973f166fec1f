"""Runs a recorded turn as it would go today, and changes nothing: what it asks the database for it only reads."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent import tool_arguments as arguments
from agent.loop import Run, finish
from agent.models.base import ToolCall
from agent.models.replay import list_calls, read_arguments
from agent.toolbox import Toolbox, ToolOutcome
from agent.turn import AgentTurn, Ending
from db.escalations import DrawnTicket, Route
from db.turns import StepRow

UNDRAWN = "0000"
"""Stands where a reference would have a number; none is drawn."""


@dataclass
class Journal:
    """The steps of a dry run."""

    steps: list[StepRow] = field(default_factory=list)

    async def keep(self, step: StepRow) -> None:
        self.steps.append(step)


class DryTools(Toolbox):
    """The real tools, whose only reads from then are of the customer: what they have asked since is not shown."""

    def __init__(self, run: Run, recorded: Sequence[StepRow]) -> None:
        super().__init__(run.turn.context, run.state)
        self.told = list_told(recorded)

    @property
    def reference(self) -> str:
        return f"{self.context.ticket_prefix}-{self.context.brief.today:%Y%m%d}-{UNDRAWN}"

    async def draw_ticket(self, category: str) -> DrawnTicket:  # noqa: ARG002 (it has no due time)
        return DrawnTicket(self.reference, None)

    async def find_route(self, category: str, filed: str | None) -> Route:
        return await super().find_route(category, filed or self.reference)

    async def get_customer_history(self, args: arguments.History) -> ToolOutcome:
        output = self.told.get(args.scope)
        return ToolOutcome(output) if output is not None else await super().get_customer_history(args)


def list_told(steps: Sequence[StepRow]) -> dict[str, str]:
    """What was told of the customer then, by the scope it was asked for."""
    told: dict[str, str] = {}
    for step in steps:
        outputs = {row["call_id"]: row for row in step.results}
        for call in list_calls(step):
            if call.name == "get_customer_history" and not outputs[call.id]["refused"]:
                told[read_scope(call)] = outputs[call.id]["output"]
    return told


def read_scope(call: ToolCall) -> str:
    value = read_arguments(call)
    return str(value.get("scope")) if isinstance(value, dict) else ""


async def run_dry(turn: AgentTurn, recorded: Sequence[StepRow]) -> Ending:
    """How the turn ends today. recorded: the steps it took then. Raises the database's own errors."""
    run = Run(turn)
    run.toolbox = DryTools(run, recorded)
    return await finish(run)
