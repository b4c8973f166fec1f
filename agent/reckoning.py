"""What follows by arithmetic from what is known and what the customer counts: totals, what is left, other units."""

import re
from collections.abc import Iterable
from decimal import Decimal
from itertools import combinations, product

from agent.fact_words import Fact
from agent.facts import CURRENCIES, SIZES

Index = frozenset[tuple[str, str, str]]
"""Facts as (kind, value, unit)."""
Amount = tuple[str, Decimal]
"""A base unit and how many of it."""
PLAIN_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,6})?")
CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
TIMES = {
    "second": ("second", 1), "minute": ("second", 60), "hour": ("second", 3600), "day": ("second", 86_400),
    "week": ("second", 604_800), "month": ("month", 1), "year": ("month", 12),
}  # fmt: skip
HALF_DAY = 12
UNITLESS = ("", "any")


def list_amounts(value: str, unit: str) -> list[Amount]:
    """What a number with a unit comes to in base units: seconds, months, bytes by thousands or by 1024, minutes of the
    day, or the unit itself. Empty for what is no number."""
    clock = read_clock(value, unit)
    if clock is not None:
        return [("clock", clock)]
    if not PLAIN_NUMBER.fullmatch(value):
        return []
    if unit in SIZES:
        return [(f"byte {step}", Decimal(value) * step ** SIZES.index(unit)) for step in (1000, 1024)]
    base, size = TIMES.get(unit, ("count" if unit in UNITLESS else unit, 1))
    return [(base, Decimal(value) * size)]


def read_clock(value: str, unit: str) -> Decimal | None:
    """Minutes since midnight of "18:00", "6 pm" or "6:30 pm"; None for what is no time of day."""
    match = CLOCK.fullmatch(value)
    if not match and not (unit in ("am", "pm") and PLAIN_NUMBER.fullmatch(value)):
        return None
    hour, minute = (Decimal(part) for part in match.groups()) if match else (Decimal(value), Decimal(0))
    if unit in ("am", "pm"):
        hour = hour % HALF_DAY + (HALF_DAY if unit == "pm" else 0)
    return hour * 60 + minute


def is_same_amount(fact: Fact, known: Index) -> bool:
    """Whether a number is known in another unit: two weeks for 14 days, 6 pm for 18:00."""
    told = set(list_amounts(fact.value, fact.unit))
    return any(not told.isdisjoint(list_amounts(value, unit)) for kind, value, unit in known if kind == "number")


def is_computed(fact: Fact, known: Index, claimed: Index) -> bool:
    """Whether a number is a total of what the customer counts, or counts what makes up their total."""
    told = set(list_amounts(fact.value, fact.unit))
    theirs, ours = measure_all(claimed), measure_all(known)
    counts = list_counts(theirs, ours)
    if fact.unit in CURRENCIES:
        return not told.isdisjoint(list_totals(fact.unit, counts, theirs, known))
    return fact.unit in UNITLESS and not told.isdisjoint(
        ("count", count) for count in counts - list_of(theirs, "count")
    )


def is_reckoned(fact: Fact, told: Iterable[Fact], claimed: Index) -> bool:
    """Whether a number is the sum, the difference or the product of two others told beside it, or of one of them and
    one of the customer's."""
    wanted = set(list_amounts(fact.value, fact.unit)) if fact.kind == "number" else set()
    others = {amount for other in told if other.kind == "number" for amount in list_amounts(other.value, other.unit)}
    pairs = (*combinations(others, 2), *product(others, measure_all(claimed)))
    return bool(wanted) and any(not wanted.isdisjoint(combine(one, other)) for one, other in pairs)


def combine(one: Amount, other: Amount) -> set[Amount]:
    """Sum and difference of two amounts of one kind, and the product with one that only counts."""
    (unit, value), (other_unit, other_value) = one, other
    results = {(unit, value + other_value), (unit, abs(value - other_value))} if unit == other_unit else set()
    if "count" in (unit, other_unit):
        results.add((other_unit if unit == "count" else unit, value * other_value))
    return results


def measure_all(index: Index) -> set[Amount]:
    return {amount for kind, value, unit in index if kind == "number" for amount in list_amounts(value, unit)}


def list_of(amounts: Iterable[Amount], base: str) -> set[Decimal]:
    return {value for unit, value in amounts if unit == base}


def list_counts(theirs: set[Amount], ours: set[Amount]) -> set[Decimal]:
    """How many the customer speaks of, one by one and together, and how many of a known size make up what they want."""
    counts = list_of(theirs, "count")
    return counts | {sum(counts, Decimal(0))} | {
        wanted / size
        for base, wanted in theirs
        for other, size in ours
        if base == other and base.startswith("byte") and size and not wanted % size
    }  # fmt: skip


def list_totals(unit: str, counts: set[Decimal], wanted: set[Amount], known: Index) -> set[Amount]:
    """Prices times what the customer counts, also for their months."""
    prices = list_of(measure_all(known), unit)
    monthly = list_rates(known, unit, "month")
    months = list_of(wanted, "month")
    once = {price * count for price in prices for count in counts}
    longer = {price * count * month for price in monthly for count in counts | {Decimal(1)} for month in months}
    return {(unit, total) for total in once | longer}


def list_rates(known: Index, unit: str, period: str) -> set[Decimal]:
    """The prices of a currency that are for a period."""
    priced = (value.split() for kind, value, per in known if kind == "rate" and per == period)
    return {Decimal(parts[0]) for parts in priced if parts[1:] == [unit] and PLAIN_NUMBER.fullmatch(parts[0])}
