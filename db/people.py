"""The people of the team: who acts, and what each may."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from db.pool import Connection

Role = Literal["agent", "manager", "admin"]
ActorKind = Literal["person", "key", "token"]
ROLES: tuple[Role, ...] = ("agent", "manager", "admin")
"""Each may what those before it may."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks for something: a person, a machine with a key, or whoever holds ADMIN_TOKEN. SQL takes it as jsonb."""

    kind: ActorKind
    id: UUID | None
    """Of people or api_keys; None for ADMIN_TOKEN."""
    name: str
    """The e-mail of a person, the name of a key, or ADMIN_TOKEN."""
    role: Role

    def may(self, role: Role) -> bool:
        """Whether what takes this role is theirs to do."""
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the team, as the team's page lists them."""

    id: UUID
    email: str
    name: str
    role: Role
    is_active: bool
    has_totp: bool
    created_at: datetime
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody who may log in is asked for. Holds hashes and half of a secret: never show it."""

    id: UUID
    email: str
    role: Role
    password_hash: str
    totp_secret: str | None

    @property
    def actor(self) -> Actor:
        return Actor("person", self.id, self.email, self.role)


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that was not used yet."""

    email: str
    role: Role
    invited_by: str
    created_at: datetime
    expires_at: datetime


async def find_credentials(conn: Connection, email: str) -> Credentials | None:
    """Of the active person with this e-mail, lower-case."""
    row = await conn.fetchrow(
        "select id, email, role, password_hash, totp_secret from people where email = $1 and is_active", email
    )
    return Credentials(**row) if row else None


async def find_credentials_by_id(conn: Connection, person_id: UUID) -> Credentials | None:
    """Of the active person with this id."""
    row = await conn.fetchrow(
        "select id, email, role, password_hash, totp_secret from people where id = $1 and is_active", person_id
    )
    return Credentials(**row) if row else None


async def list_people(conn: Connection) -> list[Person]:
    """Everybody who ever was on the team: the active first, then by e-mail."""
    rows = await conn.fetch(
        """
        select id, email, name, role, is_active, totp_secret is not null as has_totp, created_at, last_seen_at
          from people order by not is_active, email
        """
    )
    return [Person(**row) for row in rows]


async def find_person(conn: Connection, person_id: UUID) -> Person | None:
    row = await conn.fetchrow(
        """
        select id, email, name, role, is_active, totp_secret is not null as has_totp, created_at, last_seen_at
          from people where id = $1
        """,
        person_id,
    )
    return Person(**row) if row else None


async def invite(conn: Connection, who: Actor, email: str, role: Role, token_hash: bytes) -> datetime:
    """Make the link by which somebody joins, or sets a new password; until when it works."""
    until: datetime = await conn.fetchval("select invite($1, $2, $3, $4)", who, email, role, token_hash)
    return until


async def withdraw_invitation(conn: Connection, who: Actor, email: str) -> bool:
    """A link stops working; False when there is none."""
    return bool(await conn.fetchval("select withdraw_invitation($1, $2)", who, email))


async def list_invitations(conn: Connection) -> list[Invitation]:
    """Links that still work, newest first."""
    rows = await conn.fetch(
        """
        select email, role, invited_by, created_at, expires_at from invitations
         where used_at is null and expires_at > now() order by created_at desc
        """
    )
    return [Invitation(**row) for row in rows]


async def find_invitation(conn: Connection, token_hash: bytes) -> Invitation | None:
    """The link with this hash, if it still works."""
    row = await conn.fetchrow(
        """
        select email, role, invited_by, created_at, expires_at from invitations
         where token_hash = $1 and used_at is null and expires_at > now()
        """,
        token_hash,
    )
    return Invitation(**row) if row else None


async def accept_invitation(conn: Connection, token_hash: bytes, *, name: str, password_hash: str) -> Actor | None:
    """Make the invited a person of the team, or give who is one a new password; None: the link does not work."""
    row = await conn.fetchrow(
        "select id, email, role from accept_invitation($1, $2, $3)", token_hash, name, password_hash
    )
    return Actor("person", row["id"], row["email"], row["role"]) if row and row["id"] else None


async def drop_old_invitations(conn: Connection, *, limit: int) -> int:
    """Forget links that were used, or stopped working, 30 days ago; how many."""
    dropped: int = await conn.fetchval(
        """
        with old as (
          select token_hash from invitations where coalesce(used_at, expires_at) < now() - interval '30 days'
           limit $1 for update skip locked),
        gone as (delete from invitations i using old where i.token_hash = old.token_hash returning 1)
        select count(*) from gone
        """,
        limit,
    )
    return dropped


async def change_role(conn: Connection, who: Actor, person_id: UUID, role: Role) -> str:
    """accepted, repeated (it is their role), last_admin (refused) or missing."""
    return str(await conn.fetchval("select change_role($1, $2, $3)", who, person_id, role))


async def deactivate_person(conn: Connection, who: Actor, person_id: UUID) -> str:
    """Log them out for good; what they had is nobody's. accepted, repeated, last_admin (refused) or missing."""
    return str(await conn.fetchval("select deactivate_person($1, $2)", who, person_id))


async def rename_person(conn: Connection, person_id: UUID, name: str) -> None:
    await conn.execute("update people set name = $2 where id = $1", person_id, name)


async def change_password(conn: Connection, who: Actor, password_hash: str, *, keep: bytes | None) -> None:
    """Set the actor's own; their sessions end but the one with the hash `keep`."""
    await conn.execute("select change_password($1, $2, $3)", who, password_hash, keep)


async def set_totp(conn: Connection, who: Actor, person_id: UUID, secret: str | None, step: int | None) -> bool:
    """Ask somebody for codes from now on (step: of the code that proved it works), or no longer (None)."""
    return bool(await conn.fetchval("select set_totp($1, $2, $3, $4)", who, person_id, secret, step))


async def win_totp_step(conn: Connection, person_id: UUID, step: int) -> bool:
    """Use up a code; False when it, or a later one, was used already."""
    return bool(await conn.fetchval("select win_totp_step($1, $2)", person_id, step))
