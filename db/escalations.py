"""Who gets what the agent hands over, and by when."""

from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class Route:
    """Where an escalation goes. `due_at` counts the open hours of the route's calendar from now."""

    team: str
    assignee: str | None
    due_at: datetime
    reference: str
    """The ticket it is filed under: the given one, or a number newly drawn."""


async def load_route(conn: Connection, category: str, *, reference: str | None, prefix: str) -> Route:
    """The route of a category, or the general one; draws a ticket reference where none is given.

    A drawn number that is never used leaves a gap, which is harmless.
    """
    # the last branch: somebody emptied the table, and the work still needs an owner
    [row] = await conn.fetch(
        """
        select team, assignee, add_open_time(now(), respond_within, calendar) as due_at,
               coalesce($2, new_reference($3)) as reference
          from (select team, assignee, respond_within, calendar, category = $1 as fits, true as is_set
                  from escalation_routes where category in ($1, 'general')
                union all select 'support', null, interval '4 hours', null, false, false) routes
         order by is_set desc, fits desc limit 1
        """,
        category,
        reference,
        prefix,
    )
    return Route(**row)


@dataclass(frozen=True, slots=True)
class DrawnTicket:
    """A reference not used yet, and when the first response to it would be due."""

    reference: str
    first_response_due_at: datetime | None


async def draw_ticket(conn: Connection, *, prefix: str, category: str, plan: str | None) -> DrawnTicket:
    """Draw the next reference. A gap in the numbers, when the turn keeps nothing, is harmless."""
    [row] = await conn.fetch(
        """
        select new_reference($1) as reference,
               (select first_response_due_at from due_times($2, $3, now())) as first_response_due_at
        """,
        prefix,
        category,
        plan,
    )
    return DrawnTicket(**row)
