"""Right answers pass and wrong ones do not, over the articles of the sample company."""

from collections import Counter
from collections.abc import Iterable

import pytest

from tests.agent.answers import Answer, list_fresh, list_gold, list_mutations, list_problems, list_wrong

CAUGHT = 0.97
"""The share of wrong answers made by rule that must be refused; the bench reports it by kind."""

STILL_REFUSED = frozenset(
    (
        "fresh-cancel-after",
        "fresh-client-invoice",
        "fresh-invite-many",
        "fresh-q-calendar",
    )
)
"""Right answers of the blind sets that do not pass yet; those of the second half were not read."""
STILL_PASSING = frozenset(
    (
        "fresh-wrong-024",
        "fresh-wrong-034",
        "fresh-wrong-037",
        "fresh-wrong-040",
        "fresh-wrong-041",
        "fresh-wrong-042",
        "fresh-wrong-043",
        "fresh-wrong-044",
        "fresh-wrong-047",
        "fresh-wrong-056",
        "fresh-wrong-057",
        "fresh-wrong-060",
        "fresh-wrong-063",
        "fresh-wrong-064",
        "fresh-wrong-065",
        "fresh-wrong-066",
        "fresh-wrong-071",
        "fresh-wrong-073",
        "fresh-wrong-080",
        "fresh-wrong-098",
        "fresh-wrong-100",
    )
)
"""Wrong ones of the blind sets that nothing catches yet."""


def list_blind(name: str) -> list[Answer]:
    return [answer for half in list_fresh(name) for answer in half]


@pytest.mark.parametrize("answer", list_gold(), ids=lambda answer: answer.name)
def test_a_right_answer_passes_however_it_is_worded(answer: Answer) -> None:
    assert list_problems(answer) == []


@pytest.mark.parametrize("answer", list_wrong(), ids=lambda answer: f"{answer.name}-{answer.change}")
def test_a_wrong_answer_is_refused_for_what_is_wrong_with_it(answer: Answer) -> None:
    assert not set(answer.codes).isdisjoint(list_problems(answer))


@pytest.mark.parametrize("answer", list_blind("answers_gold_fresh.jsonl"), ids=lambda answer: answer.name)
def test_a_right_answer_by_somebody_who_never_saw_the_checks_passes(answer: Answer) -> None:
    assert (list_problems(answer) == []) == (answer.name not in STILL_REFUSED)


@pytest.mark.parametrize("answer", list_blind("answers_wrong_fresh.jsonl"), ids=lambda answer: answer.name)
def test_a_wrong_answer_by_somebody_who_never_saw_the_checks_is_refused(answer: Answer) -> None:
    assert (list_problems(answer) != []) == (answer.name not in STILL_PASSING)


@pytest.mark.parametrize("name", ["answers_gold.jsonl", "answers_gold_held_out.jsonl"])
def test_wrong_answers_made_by_rule_are_refused(name: str) -> None:
    made, caught = count_caught(list_gold(name))
    assert sum(caught.values()) >= CAUGHT * sum(made.values()), made - caught
    assert caught["number"] == made["number"]
    assert caught["internal"] == made["internal"]


def test_the_examples_are_as_many_and_in_as_many_languages_as_claimed() -> None:
    gold = list_gold()
    assert len(gold) >= 40
    assert len({answer.lang for answer in gold}) >= 4
    assert len(list_wrong()) >= 120


def count_caught(gold: Iterable[Answer]) -> tuple[Counter[str], Counter[str]]:
    """By kind of change: how many wrong answers there are, and how many are refused for more than the right one."""
    made: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    for answer in gold:
        before = list_problems(answer)
        for wrong in list_mutations(answer):
            made[wrong.change] += 1
            caught[wrong.change] += list_problems(wrong) != before
    return made, caught
