"""What an exchange with a model cost. Prices are settings, not knowledge: an unknown model costs None, never 0."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from agent.models.base import Usage

MILLION = Decimal(1_000_000)
PRICE_FORM = "must be input/output or input/output/cached input in dollars for a million tokens, such as 1.25/10/0.125"


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens. What is None costs as much as plain input."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None


Prices = Mapping[str, Price]


def read_price(text: str) -> Price:
    """A price written as input/output, input/output/cached or input/output/cached/written, in US dollars for a million
    tokens, such as 1.25/10/0.125. Raises ValueError."""
    try:
        dollars = [Decimal(part.strip()) for part in text.split("/")]
    except InvalidOperation as error:
        raise ValueError(PRICE_FORM) from error
    if not 2 <= len(dollars) <= 4 or not all(one.is_finite() and one >= 0 for one in dollars):
        raise ValueError(PRICE_FORM)
    return Price(*dollars)


def cost_usd(model: str, usage: Usage | None, prices: Prices) -> Decimal | None:
    """US dollars of one exchange, exact. None when the model's price or the usage is not known."""
    price = prices.get(model)
    if price is None or usage is None:
        return None
    cached = min(usage.cached_tokens, usage.input_tokens)
    written = min(count_written(usage.raw), usage.input_tokens - cached)
    plain = usage.input_tokens - cached - written
    dollars = (
        plain * price.input
        + cached * (price.input if price.cached_input is None else price.cached_input)
        + written * (price.input if price.cache_write is None else price.cache_write)
        + usage.output_tokens * price.output
    )
    return dollars / MILLION


def count_written(raw: Mapping[str, Any]) -> int:
    """Input tokens written to the provider's cache, which some models charge more for."""
    details = raw.get("input_tokens_details") or raw.get("prompt_tokens_details")
    written = details.get("cache_write_tokens") if isinstance(details, dict) else None
    return written if isinstance(written, int) and written > 0 else 0
