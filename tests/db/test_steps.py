"""Promises about the steps of many turns, as the team reads them."""

from datetime import UTC, datetime
from uuid import UUID

from db.conversations import Step, group_steps


def make_step(turn: int, number: int) -> Step:
    return Step(
        turn_id=UUID(int=turn), step=number, model="m", items=[], results=[], effects=[], passages=[], usage=None,
        cost_usd=None, latency_ms=1.0, request_id=None, error=None, created_at=datetime.now(UTC),
    )  # fmt: skip


def test_every_turn_has_its_own_steps_in_their_order_and_one_without_any_has_none() -> None:
    grouped = group_steps([make_step(turn, number) for turn in (1, 3) for number in (0, 1, 2)])
    assert {turn.int: [step.step for step in steps] for turn, steps in grouped.items()} == {1: [0, 1, 2], 3: [0, 1, 2]}
