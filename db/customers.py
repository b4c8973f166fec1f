"""Customers, the addresses they are known by, and what we talked about with them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from db.pool import Connection

IdentifierKind = Literal["email", "phone", "whatsapp"]


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody who wrote to us."""

    id: UUID
    name: str | None
    plan: str | None
    language: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Identifier:
    """An address, with the best proof we have that it is theirs."""

    kind: str
    value: str
    proof: str
    proven_at: datetime | None


@dataclass(frozen=True, slots=True)
class ConversationLine:
    """A conversation as lists show it."""

    id: UUID
    channel: str
    subject: str
    status: str
    handler: str
    sentiment: float | None
    waiting_since: datetime | None
    created_at: datetime
    updated_at: datetime
    tickets: list[str]
    """References."""


async def find_customer(conn: Connection, kind: IdentifierKind, value: str) -> Customer | None:
    """Whose this address is. `value` is normalised: lower-case, or E.164."""
    row = await conn.fetchrow(
        """
        select c.id, c.name, c.plan, c.language, c.created_at
          from customer_identifiers i join customers c on c.id = i.customer_id
         where i.kind = $1 and i.value = $2
        """,
        kind,
        value,
    )
    return Customer(**row) if row else None


async def find_customer_by_id(conn: Connection, customer_id: UUID) -> Customer | None:
    row = await conn.fetchrow("select id, name, plan, language, created_at from customers where id = $1", customer_id)
    return Customer(**row) if row else None


async def list_identifiers(conn: Connection, customer_id: UUID) -> list[Identifier]:
    """All addresses of a customer, oldest first."""
    rows = await conn.fetch(
        """
        select kind, value, proof, proven_at from customer_identifiers where customer_id = $1
         order by created_at, kind, value
        """,
        customer_id,
    )
    return [Identifier(**row) for row in rows]


async def list_conversations(conn: Connection, customer_id: UUID, *, limit: int = 100) -> list[ConversationLine]:
    """The newest conversations of a customer, newest first."""
    rows = await conn.fetch(
        """
        select c.id, c.channel, c.subject, c.status, c.handler, c.sentiment, c.waiting_since, c.created_at,
               c.updated_at,
               array(select t.reference from tickets t where t.conversation_id = c.id order by t.created_at) as tickets
          from conversations c where c.customer_id = $1
         order by c.created_at desc limit $2
        """,
        customer_id,
        limit,
    )
    return [ConversationLine(**row) for row in rows]
