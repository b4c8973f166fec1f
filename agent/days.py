"""The days a text names or means: dates, weekdays, "Monday to Friday", "day and night"."""

import re
from collections.abc import Iterator

from agent.fact_words import SOURCE, Fact
from agent.words import fold

MONTHS = {fold(word): int(month) for month, words in SOURCE["months"].items() for word in words.split()}
WEEKDAYS = {fold(word): day for day, words in SOURCE["weekdays"].items() for word in words.split()}
ANY_DAY = "|".join(WEEKDAYS)
DAY_RANGE = re.compile(
    rf"\b({ANY_DAY}) ?(?:[-–]|to|through|until|till|bis|au|a|al|ate|tot|tot en met|t/m|do) ?({ANY_DAY})\b"
)
# "At weekends" is not among them: articles name the weekend to say that nobody is there.
IMPLIED_DAYS = [
    (days, re.compile(rf"\b(?:{'|'.join(re.escape(fold(words)) for words in phrases)})\b"))
    for days, phrases in SOURCE["implied_days"].items()
]
"""Which days, as their digits, and what means them."""
ALWAYS = re.compile(r"\b24 ?(?:/|x) ?7\b")
DAY_MONTH = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th|\.|er|º)?(?: de| di)? ([^\W\d_]{3,10})\b")
MONTH_DAY = re.compile(r"\b([^\W\d_]{3,10})\.? (\d{1,2})(?:st|nd|rd|th)?\b")
ISO_DAY = re.compile(r"\b\d{4}-(\d{2})-(\d{2})\b")


def list_dates(text: str) -> Iterator[Fact]:
    """Days of a month, as "month-day", and days of the week, 1 for Monday."""
    folded = fold(text)
    for match in DAY_MONTH.finditer(folded):
        if match.group(2) in MONTHS:
            yield Fact("date", f"{MONTHS[match.group(2)]}-{int(match.group(1))}", "", match.group())
    for match in MONTH_DAY.finditer(folded):
        if match.group(1) in MONTHS:
            yield Fact("date", f"{MONTHS[match.group(1)]}-{int(match.group(2))}", "", match.group())
    for match in ISO_DAY.finditer(folded):
        yield Fact("date", f"{int(match.group(1))}-{int(match.group(2))}", "", match.group())
    for word in re.findall(r"[^\W\d_]+", folded):
        if word in WEEKDAYS:
            yield Fact("weekday", WEEKDAYS[word], "", word)
    for match in ALWAYS.finditer(text):
        yield from (Fact("weekday", str(day), "", match.group()) for day in range(1, 8))


def list_implied(text: str) -> Iterator[Fact]:
    """The weekdays a text means without naming them: "Monday to Friday", "day and night"."""
    folded = fold(text)
    for match in DAY_RANGE.finditer(folded):
        first, last = (int(WEEKDAYS[day]) for day in match.groups())
        days = range(first, last + 1) if first <= last else (*range(first, 8), *range(1, last + 1))
        yield from (Fact("weekday", str(day), "", match.group()) for day in days)
    for days, pattern in IMPLIED_DAYS:
        yield from (Fact("weekday", day, "", match.group()) for match in pattern.finditer(folded) for day in days)
