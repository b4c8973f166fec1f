"""Customers who are one person: who may be, who said so, and what a person decided."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from db.people import Actor
from db.pool import Connection

MOST_CANDIDATES = 5
MOST_NAMESAKES = 20
"""Looked at, the newest; of them those with an address are shown."""
MOST_MERGES = 20
"""Listed, the newest."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Another customer who may be the same person."""

    name: str | None
    addresses: list[str]
    """Each with the proof that it is theirs where there is more than their word."""
    address: str
    """One of them, to propose a merge by."""
    because: Literal["mentioned", "name"]
    """mentioned: the customer named an address of theirs; name: both are called the same."""


@dataclass(frozen=True, slots=True)
class Merge:
    """What was said about two customers, as the page of one of them shows it."""

    id: UUID
    state: Literal["proposed", "merged", "undone", "declined"]
    is_kept: bool
    """Whether the customer whose page it is stays, and the other is merged into them."""
    name: str | None
    """Of the other."""
    addresses: list[str]
    """Of the other; of a merge in force those that moved."""
    reason: str
    proposed_by: str | None
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    undone_by: str | None
    undone_at: datetime | None
    conversations: int
    """How many moved."""


async def list_candidates(conn: Connection, customer_id: UUID, mentioned: list[str]) -> list[Candidate]:
    """Other customers who have one of these addresses (normalised), or are called the same.

    Not those about whom something was said already, however that ended.
    """
    rows = await conn.fetch(
        """
        with hits as (
          select customer_id, 'mentioned' as because from customer_identifiers
           where kind in ('email', 'phone', 'whatsapp') and value = any($2)
          union all
          (select o.id, 'name'
             from customers me join customers o on left(lower(o.name), 100) = left(lower(me.name), 100)
            where me.id = $1 and o.id <> $1 order by o.id desc limit $3)),
        others as (
          select h.customer_id, min(h.because) as because from hits h
           where h.customer_id <> $1
             and not exists (select from customer_merges m where m.kept_id = $1 and m.merged_id = h.customer_id)
             and not exists (select from customer_merges m where m.merged_id = $1 and m.kept_id = h.customer_id)
           group by h.customer_id)
        select u.name, o.because, known.addresses, known.address
          from others o join customers u on u.id = o.customer_id
          cross join lateral (
            select min(i.value) as address, array_agg(
                     i.value || case i.proof when 'claimed' then '' else ' (proven)' end order by i.kind, i.value)
                     as addresses
              from customer_identifiers i where i.customer_id = o.customer_id) known
         where known.address is not null
         order by o.because, u.id desc limit $4
        """,
        customer_id,
        mentioned,
        MOST_NAMESAKES,
        MOST_CANDIDATES,
    )
    return [Candidate(**row) for row in rows]


async def list_merges(conn: Connection, customer_id: UUID) -> list[Merge]:
    """What was said about this customer and others, newest first."""
    rows = await conn.fetch(
        """
        select m.id, m.state, m.kept_id = $1 as is_kept, u.name, m.reason, m.proposed_by, m.proposed_at,
               m.decided_by, m.decided_at, m.undone_by, m.undone_at, cardinality(m.conversations) as conversations,
               case when m.state = 'merged'
                    then array(select substr(one, strpos(one, ':') + 1) from unnest(m.identifiers) one order by one)
                    else array(select i.value || case i.proof when 'claimed' then '' else ' (proven)' end
                                 from customer_identifiers i where i.customer_id = u.id
                                order by i.kind, i.value) end as addresses
          from ((select * from customer_merges where kept_id = $1 order by id desc limit $2)
                union all (select * from customer_merges where merged_id = $1 order by id desc limit $2)) m
          join customers u on u.id = case when m.kept_id = $1 then m.merged_id else m.kept_id end
         order by m.id desc limit $2
        """,
        customer_id,
        MOST_MERGES,
    )
    return [Merge(**row) for row in rows]


async def propose_merge(conn: Connection, conversation_id: UUID, other: str, reason: str, who: Actor) -> dict[str, Any]:
    """Say that this conversation's customer and whoever has `other` (an address, or a ticket's reference) are one.

    {outcome, merge}: accepted, proposed (it was said before), same (they are one already), stranger (nobody has it),
    nobody (no turn has taken the conversation up yet), missing. reason: up to 500 characters, may be empty.
    """
    outcome: dict[str, Any] = await conn.fetchval(
        "select propose_merge($1, $2, $3, $4)", conversation_id, other, reason, who
    )
    return outcome


async def accept_merge(conn: Connection, conversation_id: UUID, merge_id: UUID, who: Actor) -> str:
    """All of the one is the other's from now on, and turns of both begin anew.

    accepted, decided (somebody was faster), outdated (one of them is part of somebody else by now), machine (only a
    person may), missing.
    """
    outcome: str = await conn.fetchval("select accept_merge($1, $2, $3)", conversation_id, merge_id, who)
    return outcome


async def decline_merge(conn: Connection, conversation_id: UUID, merge_id: UUID, who: Actor) -> str:
    """They are two. accepted, decided (somebody was faster) or missing."""
    outcome: str = await conn.fetchval("select decline_merge($1, $2, $3)", conversation_id, merge_id, who)
    return outcome


async def undo_merge(conn: Connection, conversation_id: UUID, merge_id: UUID, who: Actor) -> str:
    """What moved goes back, and what came since by the addresses that moved goes with them.

    accepted, decided (it is not in force), chained (whoever was kept was merged further: undo that first), missing.
    """
    outcome: str = await conn.fetchval("select undo_merge($1, $2, $3)", conversation_id, merge_id, who)
    return outcome
