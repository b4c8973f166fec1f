"""Sessions of browsers and keys of machines: how an actor is found, and how that ends."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from db.people import Actor
from db.pool import Connection

Scope = Literal["read", "write", "manage"]
TOKEN_NAME = "ADMIN_TOKEN"  # noqa: S105 (what its holder is called, not the token)
TOKEN_HOLDER = Actor("token", None, TOKEN_NAME, "admin")


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody logged in with a browser."""

    id_hash: bytes
    browser: str | None
    created_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key that may be used now."""

    id: UUID
    name: str
    scopes: list[Scope]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the team's page lists it."""

    id: UUID
    prefix: str
    name: str
    scopes: list[Scope]
    created_by: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """What make_key stores: never the key itself."""

    name: str
    scopes: list[Scope]
    prefix: str
    key_hash: bytes
    days: int


async def find_session(
    conn: Connection, id_hash: bytes, token_hash: bytes | None, *, is_use: bool = True
) -> Actor | None:
    """Whose session this is; None when it is over. token_hash: keyed hash of the ADMIN_TOKEN in force.

    is_use: somebody did something, so that it lasts for another eight hours.
    """
    row = await conn.fetchrow("select id, name, role from find_session($1, $2, $3)", id_hash, token_hash, is_use)
    if row is None:
        return None
    return Actor("token" if row["id"] is None else "person", row["id"], row["name"], row["role"])


async def find_key(conn: Connection, key_hash: bytes) -> FoundKey | None:
    """The key with this hash; None when it is unknown, revoked or too old."""
    row = await conn.fetchrow("select id, name, scopes from find_key($1)", key_hash)
    return FoundKey(**row) if row else None


async def start_session(
    conn: Connection, who: Actor, id_hash: bytes, *, token_hash: bytes | None, browser: str | None, old: bytes | None
) -> None:
    """Log `who` in. token_hash: only for ADMIN_TOKEN. old: the session the browser had before, which ends."""
    token = token_hash if who.kind == "token" else None
    await conn.execute("select start_session($1, $2, $3, $4, $5)", who, id_hash, token, browser, old)


async def end_session(conn: Connection, who: Actor, id_hash: bytes, *, action: str) -> bool:
    """End one of the actor's own, noted as `action` (logout, session_ended); False when there is no such one."""
    return bool(await conn.fetchval("select end_session($1, $2, $3)", who, id_hash, action))


async def end_sessions(conn: Connection, who: Actor, person_id: UUID | None, *, keep: bytes | None = None) -> int:
    """End all of somebody's (None: of ADMIN_TOKEN) but `keep`; how many that were."""
    return int(await conn.fetchval("select end_sessions($1, $2, $3)", who, person_id, keep))


async def list_sessions(conn: Connection, person_id: UUID | None) -> list[Session]:
    """Those of somebody (None: of ADMIN_TOKEN) that are good now, last used first."""
    rows = await conn.fetch(
        """
        select id_hash, browser, created_at, last_seen_at from sessions
         where person_id is not distinct from $1 and ended_at is null and expires_at > now()
           and last_seen_at > now() - interval '8 hours'
         order by last_seen_at desc, created_at desc
        """,
        person_id,
    )
    return [Session(**row) for row in rows]


async def make_key(conn: Connection, who: Actor, key: NewKey) -> UUID:
    """Add an API key."""
    made: UUID = await conn.fetchval(
        "select make_key($1, $2, $3, $4, $5, $6)", who, key.name, key.scopes, key.prefix, key.key_hash, key.days
    )
    return made


async def revoke_key(conn: Connection, who: Actor, key_id: UUID) -> bool:
    """Take a key back; False when there is none that works."""
    return bool(await conn.fetchval("select revoke_key($1, $2)", who, key_id))


async def list_keys(conn: Connection) -> list[ApiKey]:
    """The keys that work, newest first."""
    rows = await conn.fetch(
        """
        select id, prefix, name, scopes, created_by, created_at, expires_at, last_used_at from api_keys
         where revoked_at is null and expires_at > now() order by id desc
        """
    )
    return [ApiKey(**row) for row in rows]
