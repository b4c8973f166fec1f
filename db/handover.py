"""What somebody of the team does with a conversation: takes it, answers it, gives it back, puts it aside."""

from datetime import datetime, timedelta
from uuid import UUID

from db.people import Actor
from db.pool import Connection


async def find_reference(conn: Connection, conversation_id: UUID, *, prefix: str) -> str | None:
    """The ticket by which people see to a conversation, opened where there is none; None without the conversation."""
    reference: str | None = await conn.fetchval("select ticket_of($1, $2)", conversation_id, prefix)
    return reference


async def add_person_message(
    conn: Connection,
    reference: str,
    *parts: str,
    idempotency: UUID,
    who: Actor | None = None,
    seen: int | None = None,
    hold: timedelta = timedelta(0),
) -> str:
    """What somebody of the team answers, in as many parts as the channel needs; the agent is silent from then on.

    seen: how many messages of the conversation they had before them; hold: how long it may be taken back.
    accepted, repeated, missing; or, with nothing stored, suppressed (they want no more of us there) or conflict
    (something was said that was not seen).
    """
    outcome: str = await conn.fetchval(
        "select add_person_message($1, $2, $3, $4, $5, $6)", reference, parts, idempotency, who, seen, hold
    )
    return outcome


async def take_back(conn: Connection, reference: str, reply_id: UUID, who: Actor) -> str:
    """Keep an answer from being sent. accepted, late (it may be with the vendor) or missing."""
    outcome: str = await conn.fetchval("select take_back($1, $2, $3)", reference, reply_id, who)
    return outcome


async def load_taken_back(conn: Connection, conversation_id: UUID, reply_id: UUID | None) -> str:
    """The text of an answer that was taken back; empty when there is none."""
    text: str = await conn.fetchval(
        """
        select coalesce(string_agg(body, E'\n\n' order by part), '') from messages
         where conversation_id = $1 and reply_id = $2 and sent_by is not null and delivery = 'cancelled'
        """,
        conversation_id,
        reply_id,
    )
    return text


async def take_over(conn: Connection, reference: str, who: Actor | None = None) -> str:
    """Silence the agent: somebody of the team answers. accepted, repeated (it is theirs already) or missing."""
    outcome: str = await conn.fetchval("select take_over($1, $2)", reference, who)
    return outcome


async def hand_back(conn: Connection, reference: str, who: Actor | None = None) -> str:
    """Let the agent answer again. accepted, repeated, missing, or waiting: the customer is owed a word first."""
    outcome: str = await conn.fetchval("select hand_back($1, $2)", reference, who)
    return outcome


async def settle_elsewhere(
    conn: Connection, reference: str, who: Actor | None = None, *, seen: int | None = None
) -> str:
    """Nothing more is owed in this conversation: it is solved, or was in another way, or cannot be.

    seen: how many messages they had before them. accepted, repeated, conflict (there are others) or missing.
    """
    outcome: str = await conn.fetchval("select settle_elsewhere($1, $2, $3)", reference, who, seen)
    return outcome


async def assign(conn: Connection, reference: str, assignee: str | None, who: Actor) -> str:
    """Give the ticket to a person by e-mail, or to nobody.

    accepted, repeated, missing, or unknown: there is no such person.
    """
    outcome: str = await conn.fetchval("select assign_ticket($1, $2, $3)", reference, assignee, who)
    return outcome


async def snooze(
    conn: Connection, reference: str, until: datetime | None, who: Actor, *, seen: int | None = None
) -> str:
    """Show it elsewhere until then, or again now. accepted, conflict, missing, or idle: nobody waits there."""
    outcome: str = await conn.fetchval("select snooze($1, $2, $3, $4)", reference, until, who, seen)
    return outcome


async def sort_ticket(
    conn: Connection, reference: str, *, category: str, priority: int, tags: list[str], who: Actor
) -> str:
    """Say what it is about, how much it matters (1 to 10) and its tags. accepted or missing."""
    outcome: str = await conn.fetchval(
        "select sort_ticket($1, $2, $3, $4, $5)", reference, category, priority, tags, who
    )
    return outcome


async def add_note(conn: Connection, conversation_id: UUID, body: str, who: Actor) -> None:
    """Write down what only the team reads."""
    await conn.execute("select add_note($1, $2, $3)", conversation_id, body, who)
