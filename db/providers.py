"""What all workers know together about the models behind a network: which one is left alone, and what it cannot do."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class ProviderHealth:
    """A row of provider_health."""

    provider: str
    state: str
    """closed: in use; open: left alone until opened_until."""
    failures: int
    """In a row."""
    opened_until: datetime | None
    not_before: datetime | None
    caps: frozenset[str]
    """Optional features of a request that it does not know."""
    is_refused: bool
    """Whether it is left alone because it refused our key, the model's name or the account."""
    read_at: datetime
    """The database's clock when this was read: the times above are to be held against it."""


async def list_health(conn: Connection) -> dict[str, ProviderHealth]:
    """By provider; one that never failed has no row."""
    rows = await conn.fetch(
        "select provider, state, failures, opened_until, not_before, caps, now() as read_at, "
        "state = 'open' and last_error in ('unauthorised', 'quota') as is_refused from provider_health"
    )
    return {row["provider"]: ProviderHealth(**{**row, "caps": frozenset(row["caps"])}) for row in rows}


async def note_failure(
    conn: Connection, provider: str, kind: str, *, wait: timedelta | None, is_final: bool, patience: int
) -> str:
    """Count a failure; the state it leaves the provider in.

    wait: how long it asked us to wait, which makes it busy and not broken. is_final: no waiting will mend it. patience:
    failures in a row after which it is left alone.
    """
    state: str = await conn.fetchval(
        "select state from note_failure($1, $2, $3, $4, $5)", provider, kind, wait, is_final, patience
    )
    return state


async def note_answer(conn: Connection, provider: str) -> None:
    """It answered: in use again."""
    await conn.execute("select note_answer($1)", provider)


async def win_probe(conn: Connection, provider: str, *, worker: str, for_at_most: timedelta) -> bool:
    """Whether this worker may try a provider that was left alone; the next one may after `for_at_most`."""
    won: bool = await conn.fetchval("select win_probe($1, $2, $3)", provider, worker, for_at_most)
    return won


async def forgive_refusals(conn: Connection) -> None:
    """Try models again whose key, name or account was refused: the settings may be others now."""
    await conn.execute("select forgive_refusals()")


async def note_refused_feature(conn: Connection, provider: str, feature: str) -> None:
    """Remember for all workers what it does not know."""
    await conn.execute("select note_refused_feature($1, $2)", provider, feature)
