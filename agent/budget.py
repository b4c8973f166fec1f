"""What a request will cost at most, reckoned before it is made."""

from dataclasses import dataclass
from decimal import Decimal

import orjson

from agent.journal import dump_item
from agent.models.base import Prompt
from agent.prices import MILLION, Price

LEAST_OUTPUT = 300
"""Tokens. With fewer a model cannot end its turn, so it is not asked."""
MOST_OUTPUT = 4096
"""Tokens. A ceiling against a model that does not stop, reasoning included; not a wish for the length of a reply."""
BYTES_PER_TOKEN = 3
"""Fewer than the four of English text: what is set aside shall rather be too much."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one request may use."""

    output_tokens: int
    usd: Decimal
    """What it costs when it uses all of that."""


def allow(request: Prompt, price: Price, left: Decimal) -> Allowance | None:
    """How much a model may say for `left` US dollars, the cost of reading included; None where that is too little."""
    reading = Decimal(count_input(request)) * max(price.input, price.cache_write or price.input) / MILLION
    affordable = (left - reading) * MILLION / price.output if price.output else Decimal(MOST_OUTPUT)
    if affordable < LEAST_OUTPUT:
        return None
    tokens = min(MOST_OUTPUT, int(affordable))
    return Allowance(tokens, reading + tokens * price.output / MILLION)


def count_input(request: Prompt) -> int:
    """Tokens of a request, estimated from above."""
    tools = [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in request.tools]
    sent = orjson.dumps([request.instructions, [dump_item(item) for item in request.items], tools])
    return len(sent) // BYTES_PER_TOKEN + 1
