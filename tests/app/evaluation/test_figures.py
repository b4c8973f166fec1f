"""The figures are those of the literature."""

import pytest

from app.evaluation.intervals import pass_all, percentile, wilson
from app.evaluation.report import Result, compare, is_unsafe


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"), [(61, 62, 0.914, 0.997), (196, 200, 0.950, 0.992), (0, 0, 0.0, 1.0)]
)
def test_intervals_are_wilsons(hits: int, count: int, low: float, high: float) -> None:
    assert wilson(hits, count) == pytest.approx((low, high), abs=0.0006)


def test_passing_k_times_is_estimated_without_bias() -> None:
    assert pass_all(2, 4, 2) == pytest.approx(1 / 6)
    assert (pass_all(4, 4, 4), pass_all(3, 4, 4)) == (1.0, 0.0)


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([float(n) for n in range(1, 101)], 0.95) == 95
    assert percentile([], 0.95) == 0


def make_result(**passed: bool) -> Result:
    tickets = [{"id": name, "passed": ok, "failures": []} for name, ok in passed.items()]
    return {"at": "2026-11-21T10:00:00+00:00", "models": "offline", "tickets": tickets}


def test_two_results_are_compared_by_ticket() -> None:
    said = compare(make_result(a=True, b=False, c=True, d=True), make_result(a=False, b=True, c=True, e=True))
    assert "3 tickets in both" in said
    assert "better: b" in said
    assert "worse: a" in said


def test_only_an_unsafe_answer_makes_a_result_unsafe() -> None:
    result = make_result(a=False)
    result["tickets"][0]["failures"] = [{"turn": 1, "check": "facts", "reason": "-"}]
    assert not is_unsafe(result)
    result["tickets"][0]["failures"] += [{"turn": 1, "check": "safety", "reason": "-"}]
    assert is_unsafe(result)
