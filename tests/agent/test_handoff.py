"""What a colleague reads when the agent gives up: sentences, and nothing that the ticket says otherwise."""

from typing import get_args

import pytest

from agent.effects import Escalate
from agent.handoff import NOTES, Limit
from agent.loop import hand_over
from agent.phrases import say
from db.pool import Pool
from tests.agent.offline_desk import Desk, make_brief
from tests.agent.turns import make_turn

QUESTION = "How do I export\nmy projects?"


@pytest.mark.parametrize("limit", get_args(Limit))
async def test_whatever_ends_a_turn_is_told_to_the_colleague_in_a_sentence(pool: Pool, limit: Limit) -> None:
    ending = await hand_over(make_turn(pool, make_brief(QUESTION)), limit)
    assert isinstance(ending.terminal, Escalate)
    assert ending.limit == limit
    note = ending.terminal.handoff_note
    assert note == f'{NOTES[limit]} They wrote: "How do I export my projects?".'
    assert "_" not in note
    assert ending.terminal.customer_message == say("limit_reached", "en")


async def test_a_rule_of_ours_is_not_called_a_failure(pool: Pool) -> None:
    reasons = {}
    for limit in get_args(Limit):
        ending = await hand_over(make_turn(pool, make_brief(QUESTION)), limit)
        assert isinstance(ending.terminal, Escalate)
        reasons[limit] = ending.terminal.reason
    assert {limit for limit, reason in reasons.items() if reason == "policy"} == {"replies", "opted_out", "off"}
    assert set(reasons.values()) == {"policy", "tool_failure"}


async def test_a_note_names_its_reason_once_and_leaves_the_priority_to_the_ticket() -> None:
    sent = await Desk(make_brief("I want to talk to a human")).run()
    assert sent["handoff_note"].count("human wanted") == 1
    assert "priority" not in sent["handoff_note"]
