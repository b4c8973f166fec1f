"""When a model that failed is asked once more."""

from datetime import timedelta

import pytest

from agent.models.base import ModelFailure
from agent.retries import ENOUGH, plan_second_try

TIME, ATTEMPT = timedelta(seconds=90), timedelta(seconds=25)


def fail(code: str, seconds: float | None = None) -> ModelFailure:
    return ModelFailure(code, "", retry_after=None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize("code", ["unavailable", "timeout"])
def test_a_provider_that_stumbled_is_asked_again_after_a_moment(code: str) -> None:
    second = plan_second_try(fail(code), TIME, ATTEMPT)
    assert second is not None
    assert timedelta(seconds=0.5) <= second.pause <= timedelta(seconds=2)


def test_a_short_wait_is_waited_and_a_long_one_left_to_the_next_model() -> None:
    short = plan_second_try(fail("rate_limited", 2.5), TIME, ATTEMPT)
    assert short is not None
    assert short.pause >= timedelta(seconds=2.5)
    assert plan_second_try(fail("rate_limited", 10), TIME, ATTEMPT) is None
    assert plan_second_try(fail("unavailable", 10), TIME, ATTEMPT) is None
    assert plan_second_try(fail("rate_limited"), TIME, ATTEMPT) is None


@pytest.mark.parametrize("code", ["malformed", "truncated"])
def test_a_reply_that_cannot_be_used_is_asked_for_again_with_a_word_about_it(code: str) -> None:
    second = plan_second_try(fail(code), TIME, ATTEMPT)
    assert second is not None
    assert second.note


def test_too_long_a_transcript_is_sent_once_more_and_shorter() -> None:
    second = plan_second_try(fail("context_too_long"), TIME, ATTEMPT)
    assert second is not None
    assert second.is_shorter


@pytest.mark.parametrize(
    "code", ["quota", "unauthorised", "refused", "left_alone", "crowded", "altered_placeholder", "budget_day"]
)
def test_what_a_second_try_cannot_mend_is_not_tried(code: str) -> None:
    assert plan_second_try(fail(code), TIME, ATTEMPT) is None


@pytest.mark.parametrize("code", ["unavailable", "malformed", "context_too_long"])
def test_without_time_for_it_there_is_no_second_try(code: str) -> None:
    assert plan_second_try(fail(code), 2 * ENOUGH - timedelta(milliseconds=1), ATTEMPT) is None


def test_a_model_that_hung_is_asked_again_only_where_it_may_hang_again_and_the_next_still_has_its_time() -> None:
    assert plan_second_try(fail("timeout"), ATTEMPT, ATTEMPT) is None
    assert plan_second_try(fail("timeout"), 2 * ATTEMPT, ATTEMPT) is not None
