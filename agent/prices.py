"""What an exchange with a model cost. Prices are settings, not knowledge: an unknown model costs None, never 0."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from agent.models.base import Usage

PRICES_FILE = Path(__file__).with_name("prices.json")
MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens. What is None costs as much as plain input."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None


Prices = Mapping[str, Price]


def load_prices(path: Path = PRICES_FILE) -> Prices:
    """The price table in a JSON file shaped like agent/prices.json. ValueError names the model that is wrong."""
    table = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal, parse_int=Decimal)
    models = table.get("models") if isinstance(table, dict) else None
    if not isinstance(models, dict):
        raise ValueError(f'{path.name}: there must be an object "models" in it')
    return {model: read_price(model, fields) for model, fields in models.items()}


def read_price(model: str, fields: object) -> Price:
    if not isinstance(fields, dict):
        raise ValueError(f"price of {model}: must be an object")
    wrong = [name for name, value in fields.items() if not isinstance(value, Decimal) or value < 0]
    if wrong:
        raise ValueError(f"price of {model}: {', '.join(wrong)} must be a number, 0 or more")
    try:
        return Price(**fields)
    except TypeError as error:
        raise ValueError(f"price of {model}: give input and output, perhaps cached_input and cache_write") from error


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
