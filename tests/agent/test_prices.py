import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.models.base import Usage
from agent.prices import Price, cost_usd, load_prices

PRICES = {"m": Price(Decimal("1.25"), Decimal(10), Decimal("0.125"), Decimal("1.5625"))}
PLAIN = {"m": Price(Decimal("1.25"), Decimal(10))}
tokens = st.integers(0, 10**7)


def write_prices(path: Path, **models: object) -> Path:
    file = path / "prices.json"
    file.write_text(json.dumps({"models": models}))
    return file


def test_shipped_table_knows_no_price_so_every_cost_is_unknown() -> None:
    assert load_prices() == {}
    assert cost_usd("m", Usage(1, 1), load_prices()) is None


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


def test_prices_are_read_exactly(tmp_path: Path) -> None:
    file = write_prices(tmp_path, m={"input": 0.1, "output": 3, "cached_input": 0.01})
    assert load_prices(file) == {"m": Price(Decimal("0.1"), Decimal(3), Decimal("0.01"))}


@pytest.mark.parametrize(
    "wrong",
    [{"input": -1, "output": 1}, {"input": "1", "output": 1}, {"input": 1}, {"input": 1, "output": 1, "x": 1}, 3],
)
def test_wrong_price_is_refused_by_the_name_of_its_model(tmp_path: Path, wrong: object) -> None:
    with pytest.raises(ValueError, match="price of m"):
        load_prices(write_prices(tmp_path, m=wrong))


def test_file_without_models_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text('{"gpt": 1}')
    with pytest.raises(ValueError, match="models"):
        load_prices(file)
