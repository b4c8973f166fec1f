"""The hours in which the team works, what it promises by them, and who gets what is handed over."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from db.people import Actor
from db.pool import Connection

Kept = Literal["accepted", "unknown_zone", "unknown_calendar", "unknown_plan", "unknown_person"]
Dropped = Literal["accepted", "missing", "in_use", "needed"]


@dataclass(frozen=True, slots=True)
class Shift:
    """Open on a weekday, 1 Monday to 7 Sunday, from and until a local time, HH:MM; 24:00 is its end."""

    weekday: int
    opens: str
    closes: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """Open hours by name."""

    name: str
    timezone: str
    """IANA name, such as Europe/Berlin."""
    shifts: list[Shift]
    holidays: list[date]


@dataclass(frozen=True, slots=True)
class Target:
    """What a category and a plan are promised, in open time; None: any."""

    category: str | None
    plan: str | None
    first_response: timedelta
    resolution: timedelta
    calendar: str | None
    """None: every hour counts."""


@dataclass(frozen=True, slots=True)
class HandoverRoute:
    """Who gets what is handed over of a category, and within which open time they are to answer."""

    category: str
    team: str
    assignee: str | None
    respond_within: timedelta
    calendar: str | None
    notify: list[str]
    """E-mail addresses; empty: everybody of the team."""


@dataclass(frozen=True, slots=True)
class Hours:
    """All of it."""

    calendars: list[Calendar]
    targets: list[Target]
    routes: list[HandoverRoute]
    plans: list[str]
    warn_below: float
    """Share of the promised time; the team is warned when less is left."""


async def load_hours(conn: Connection) -> Hours:
    calendars = await conn.fetch("select name, show_calendar(name) as shown from calendars order by name")
    targets = await conn.fetch(
        """
        select category, plan, first_response, resolution, calendar from sla_targets
         order by category nulls first, plan nulls first
        """
    )
    routes = await conn.fetch(
        """
        select category, team, assignee, respond_within, calendar, notify from escalation_routes
         order by category <> 'general', category
        """
    )
    plans = await conn.fetch("select plan from plans order by rank, plan")
    return Hours(
        calendars=[read_calendar(row["name"], row["shown"]) for row in calendars],
        targets=[Target(**row) for row in targets],
        routes=[HandoverRoute(**row) for row in routes],
        plans=[row["plan"] for row in plans],
        warn_below=await conn.fetchval("select warn_below from sla_limits"),
    )


def read_calendar(name: str, shown: dict[str, Any]) -> Calendar:
    return Calendar(
        name=name,
        timezone=shown["timezone"],
        shifts=[Shift(**shift) for shift in shown["hours"]],
        holidays=[date.fromisoformat(day) for day in shown["holidays"]],
    )


async def keep_calendar(conn: Connection, calendar: Calendar, who: Actor) -> Kept:
    """Write a calendar in place of the one with its name. No due time that was given moves."""
    outcome: Kept = await conn.fetchval(
        "select keep_calendar($1, $2, $3, $4, $5)",
        calendar.name, calendar.timezone, calendar.shifts, calendar.holidays, who,
    )  # fmt: skip
    return outcome


async def drop_calendar(conn: Connection, name: str, who: Actor) -> Dropped:
    """in_use: a target or a route counts by it."""
    outcome: Dropped = await conn.fetchval("select drop_calendar($1, $2)", name, who)
    return outcome


async def keep_target(conn: Connection, target: Target, who: Actor) -> Kept:
    """Promise this from now on."""
    outcome: Kept = await conn.fetchval(
        "select keep_target($1, $2, $3, $4, $5, $6)",
        target.category, target.plan, target.first_response, target.resolution, target.calendar, who,
    )  # fmt: skip
    return outcome


async def drop_target(conn: Connection, category: str | None, plan: str | None, who: Actor) -> Dropped:
    outcome: Dropped = await conn.fetchval("select drop_target($1, $2, $3)", category, plan, who)
    return outcome


async def keep_route(conn: Connection, route: HandoverRoute, who: Actor) -> Kept:
    """Hand over so from now on."""
    wanted = {
        "team": route.team,
        "assignee": route.assignee,
        "respond_within": f"{route.respond_within.total_seconds()} seconds",
        "calendar": route.calendar,
        "notify": route.notify,
    }
    outcome: Kept = await conn.fetchval("select keep_route($1, $2, $3)", route.category, wanted, who)
    return outcome


async def drop_route(conn: Connection, category: str, who: Actor) -> Dropped:
    """needed: general is the way out for every category without its own."""
    outcome: Dropped = await conn.fetchval("select drop_route($1, $2)", category, who)
    return outcome


async def keep_warning(conn: Connection, share: float, who: Actor) -> None:
    """Warn when less than this share of the promised time is left; 0: never."""
    await conn.execute("select keep_warning($1, $2)", share, who)
