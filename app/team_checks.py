"""What doctor asks about the team: who gets in, and whether anybody is told when a customer needs a person."""

from collections.abc import AsyncIterator, Iterator, Sequence
from urllib.parse import urlsplit

from app.findings import Finding
from app.settings import Settings
from db.hours import HandoverRoute, load_hours
from db.notices import Try, find_last_try
from db.people import Person, list_people
from db.pool import Connection
from db.webhooks import Webhook, list_webhooks

ROUTES = "fill escalation_routes.notify on the page /hours"


async def check_team(settings: Settings, conn: Connection) -> AsyncIterator[Finding]:
    """Who gets in, who is told, and how that went the last time."""
    people = [person for person in await list_people(conn) if person.is_active]
    routes = (await load_hours(conn)).routes
    hooks = await list_webhooks(conn)
    yield say_people(settings, people)
    for finding in say_ways(settings, people, routes, hooks):
        yield finding
    last = await find_last_try(conn)
    if last and last.error:
        yield say_last(last, last.error)
    for hook in hooks:
        for finding in say_hook(hook):
            yield finding


def say_people(settings: Settings, people: Sequence[Person]) -> Finding:
    admins = [person for person in people if person.role == "admin"]
    if admins:
        team = f"{count(len(people), 'person is', 'people are')} on the team"
        return Finding("ok", f"{team}, of them {count(len(admins), 'admin', 'admins')}")
    token = "" if settings.admin_token else "set ADMIN_TOKEN (the default command draws one), "
    how = f"{token}log in with {'it' if token else 'ADMIN_TOKEN'} at {settings.public_base_url}/login"
    return Finding("warn", f"the team has no admin yet: {how} and invite one in /team")


def say_ways(
    settings: Settings, people: Sequence[Person], routes: Sequence[HandoverRoute], hooks: Sequence[Webhook]
) -> Iterator[Finding]:
    """By mail to whoever of the team has it, to the addresses of its route or to everybody; and by webhook."""
    told = [hook for hook in hooks if hook.is_on and "person_needed" in hook.events]
    silent = [] if people else [route.category for route in routes if not route.notify]
    has_readers = len(silent) < len(routes)
    by_mail = settings.has_gmail and has_readers
    if not by_mail and not told:
        steps = [] if settings.has_gmail else ["set Gmail up"]
        steps += [] if has_readers else [f"invite people in /team or {ROUTES}"]
        todo = f"{' and '.join(steps)}, or add a webhook in /webhooks"
        yield Finding("warn", f"nobody is told when a customer needs a person: {todo}")
        return
    ways = ["whoever is to answer gets a mail"] if by_mail else []
    ways += [f"{count(len(told), 'webhook is', 'webhooks are')} told"] if told else []
    yield Finding("ok", f"when a customer needs a person, {' and '.join(ways)}")
    if by_mail and silent:
        named = ", ".join(silent)
        yield Finding(
            "warn", f"nobody gets a mail of what is handed over as {named}: invite people in /team, or {ROUTES}"
        )


def say_last(last: Try, error: str) -> Finding:
    reached = "not everybody was told" if last.is_told else "nobody was told"
    when = f"{last.made_at:%Y-%m-%d %H:%M %Z}"
    where = "docs/operating.md, Telling people"
    return Finding("warn", f"the last time a customer needed a person {reached} ({when}: {error}): {where}")


def say_hook(hook: Webhook) -> Iterator[Finding]:
    """Only the host of its address is shown: the rest may be a secret."""
    name = f"a webhook at {urlsplit(hook.url).hostname}"
    if hook.is_on and hook.failures:
        tries = count(hook.failures, "time", "times")
        yield Finding("warn", f"{name} has failed {tries} in a row ({hook.last_error}): see /webhooks")
    elif not hook.is_on:
        last = f", last {hook.last_error}" if hook.last_error else ""
        yield Finding("off", f"{name} is switched off{last}: see /webhooks")


def count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
