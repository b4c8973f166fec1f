"""What a manager may send about hours: calendars, targets, routes and the warning."""

import re
from datetime import date, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from app.forms import Category, Count, SentForm, check_email, check_line, check_range, compose, drop_blank
from db.hours import Calendar, HandoverRoute, Shift, Target

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SHIFT = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*[-–]\s*(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
SPAN = re.compile(r"(\d{1,4}(?:\.\d{1,2})?)\s*(h|hours?|min|minutes?)?", re.IGNORECASE)
MAX_SPAN = timedelta(hours=2_000)
MAX_HOLIDAYS = 400


def read_shifts(value: object) -> list[tuple[str, str]]:
    """Local times such as 09:00-12:00, 13:00-17:00; nothing: closed."""
    shifts = []
    for part in split(value):
        if not (SHIFT.fullmatch(part)):
            raise ValueError("Please write times like 09:00-12:30, 13:30-17:00, or leave it empty for closed.")
        opens, closes = (end.strip() for end in re.split("[-–]", part))
        shifts.append((opens, closes))
    edges = [edge for shift in sorted(shifts) for edge in shift]
    if edges != sorted(edges) or any(opens == closes for opens, closes in shifts):
        raise ValueError("Please give times that end after they begin and do not overlap.")
    return sorted(shifts)


def read_holidays(value: object) -> list[date]:
    """Days such as 2026-12-25, each once."""
    try:
        days = sorted({date.fromisoformat(day) for day in split(value)})
    except ValueError:
        raise ValueError("Please write days like 2026-12-25, one on each line.") from None
    if len(days) > MAX_HOLIDAYS:
        raise ValueError(f"Please give at most {MAX_HOLIDAYS} days.")
    return days


def read_span(value: object) -> timedelta:
    """A length of open time such as 4 h, 1.5 or 30 min; a bare number is hours."""
    found = SPAN.fullmatch(str(value).strip())
    if found is None:
        raise ValueError("Please write a time like 4 h or 30 min.")
    in_minutes = (found.group(2) or "h").lower().startswith("m")
    amount = float(found.group(1))
    span = timedelta(minutes=amount) if in_minutes else timedelta(hours=amount)
    if not timedelta(minutes=1) <= span <= MAX_SPAN:
        raise ValueError(f"Please give at least a minute and at most {MAX_SPAN.total_seconds() / 3600:,.0f} hours.")
    return span


def read_addresses(value: object) -> list[str]:
    """E-mail addresses with commas or line ends between them, each once."""
    return list(dict.fromkeys(check_email(one) for one in split(value)))


def split(value: object) -> list[str]:
    """A list as it is; of a text the parts between commas and line ends."""
    if isinstance(value, list):
        return [str(one).strip() for one in value]
    if not isinstance(value, str):
        raise ValueError("Please send text.")
    return [part.strip() for part in re.split(r"[,\r\n]+", value) if part.strip()]


def say_span(span: timedelta) -> str:
    """As read_span takes it."""
    minutes = span.total_seconds() / 60
    return f"{minutes / 60:.0f} h" if minutes % 60 == 0 else f"{minutes:.0f} min"


Line = Annotated[str, BeforeValidator(compose), Field(max_length=80), AfterValidator(check_line)]
Named = Annotated[Line | None, BeforeValidator(drop_blank)]
Shifts = Annotated[list[tuple[str, str]], BeforeValidator(read_shifts), Field(default_factory=list)]
Span = Annotated[timedelta, BeforeValidator(read_span)]


class CalendarForm(SentForm):
    """A calendar."""

    name: Line
    timezone: Line
    monday: Shifts
    tuesday: Shifts
    wednesday: Shifts
    thursday: Shifts
    friday: Shifts
    saturday: Shifts
    sunday: Shifts
    holidays: Annotated[list[date], BeforeValidator(read_holidays), Field(default_factory=list)]

    def make(self) -> Calendar:
        shifts = [
            Shift(weekday, opens, closes)
            for weekday, name in enumerate(WEEKDAYS, start=1)
            for opens, closes in getattr(self, name)
        ]
        return Calendar(self.name, self.timezone, shifts, self.holidays)


class TargetKey(SentForm):
    """Which target; None: any."""

    category: Annotated[Category | None, BeforeValidator(drop_blank)] = None
    plan: Named = None


class TargetForm(TargetKey):
    """A target."""

    first_response: Span
    resolution: Span
    calendar: Named = None

    def make(self) -> Target:
        return Target(self.category, self.plan, self.first_response, self.resolution, self.calendar)


class RouteKey(SentForm):
    """Which route."""

    category: Category


class RouteForm(RouteKey):
    """A route."""

    team: Line
    assignee: Named = None
    respond_within: Span
    calendar: Named = None
    notify: Annotated[list[str], BeforeValidator(read_addresses), Field(default_factory=list)]

    def make(self) -> HandoverRoute:
        return HandoverRoute(self.category, self.team, self.assignee, self.respond_within, self.calendar, self.notify)


class CalendarKey(SentForm):
    """Which calendar."""

    name: Line


class WarningForm(SentForm):
    """From what share of the promised time on the team is warned."""

    percent: Annotated[Count, AfterValidator(lambda percent: check_range(percent, 0, 100))]


def show_calendar(calendar: Calendar) -> dict[str, str]:
    """As CalendarForm takes it."""
    by_day = {
        name: ", ".join(f"{shift.opens}-{shift.closes}" for shift in calendar.shifts if shift.weekday == weekday)
        for weekday, name in enumerate(WEEKDAYS, start=1)
    }
    days = "\n".join(day.isoformat() for day in calendar.holidays)
    return {"name": calendar.name, "timezone": calendar.timezone, **by_day, "holidays": days}


def show_target(target: Target) -> dict[str, str]:
    """As TargetForm takes it."""
    return {
        "category": target.category or "",
        "plan": target.plan or "",
        "first_response": say_span(target.first_response),
        "resolution": say_span(target.resolution),
        "calendar": target.calendar or "",
    }


def show_route(route: HandoverRoute) -> dict[str, str]:
    """As RouteForm takes it."""
    return {
        "category": route.category,
        "team": route.team,
        "assignee": route.assignee or "",
        "respond_within": say_span(route.respond_within),
        "calendar": route.calendar or "",
        "notify": ", ".join(route.notify),
    }


def gather_typed(values: dict[str, Any]) -> dict[str, str]:
    """What was typed, as text."""
    return {name: value for name, value in values.items() if isinstance(value, str)}
