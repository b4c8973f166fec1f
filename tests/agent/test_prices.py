from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.models.base import Usage
from agent.prices import Price, cost_usd, read_price

PRICES = {"m": Price(Decimal("1.25"), Decimal(10), Decimal("0.125"), Decimal("1.5625"))}
PLAIN = {"m": Price(Decimal("1.25"), Decimal(10))}
tokens = st.integers(0, 10**7)


def test_unknown_model_and_unknown_usage_cost_none() -> None:
    assert cost_usd("other", Usage(1, 1), PRICES) is None
    assert cost_usd("m", None, PRICES) is None


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        (Usage(1_000_000, 0), "1.25"),
        (Usage(0, 1_000), "0.01"),
        (Usage(2_000, 100, 1_000), "0.002375"),
        (Usage(2_000, 0, 1_000, {"input_tokens_details": {"cache_write_tokens": 500}}), "0.00153125"),
        (Usage(2_000, 0, 1_000, {"prompt_tokens_details": {"cache_write_tokens": 500}}), "0.00153125"),
        (Usage(10, 0, 1_000_000), "0.00000125"),
        (Usage(0, 0), "0"),
    ],
)
def test_cached_and_written_tokens_have_their_own_price(usage: Usage, dollars: str) -> None:
    assert cost_usd("m", usage, PRICES) == Decimal(dollars)


def test_without_a_price_of_its_own_the_cache_costs_what_input_costs() -> None:
    usage = Usage(2_000, 0, 1_000, {"input_tokens_details": {"cache_write_tokens": 500}})
    assert cost_usd("m", usage, PLAIN) == cost_usd("m", Usage(2_000, 0), PLAIN) == Decimal("0.0025")


@settings(deadline=None)
@given(tokens, tokens, tokens, tokens)
def test_steps_cost_together_what_they_cost_apart(a: int, b: int, c: int, d: int) -> None:
    apart = [cost_usd("m", Usage(a, b), PRICES), cost_usd("m", Usage(c, d), PRICES)]
    assert cost_usd("m", Usage(a + c, b + d), PRICES) == sum(cost for cost in apart if cost is not None)


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("0.1/3", Price(Decimal("0.1"), Decimal(3))),
        ("1.25/10/0.125", Price(Decimal("1.25"), Decimal(10), Decimal("0.125"))),
        (" 1 / 2 / 0 / 1.5 ", Price(Decimal(1), Decimal(2), Decimal(0), Decimal("1.5"))),
    ],
)
def test_prices_are_read_exactly(text: str, price: Price) -> None:
    assert read_price(text) == price


@pytest.mark.parametrize("text", ["", "1", "1/2/3/4/5", "-1/2", "1/x", "1//2", "nan/1", "1/inf", "$1/$2"])
def test_price_that_cannot_be_meant_is_refused_with_its_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"input/output"):
        read_price(text)
