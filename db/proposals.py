"""Articles, and changes of articles, that wait for somebody who may publish them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from db.errors import NotFound
from db.people import Actor
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class NewProposal:
    """What somebody proposes. `slug`: the article it changes; `based_on`: the version whose text was edited, None
    where the text is to be added; `source_message`: what it was made from.

    fields: category, visibility, plan, language and supersedes, where they were chosen.
    """

    title: str
    body: str
    slug: str | None = None
    based_on: int | None = None
    questions: tuple[str, ...] = ()
    fields: dict[str, Any] | None = None
    source_message: UUID | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal as it is kept."""

    id: UUID
    slug: str | None
    based_on: int | None
    title: str
    body: str
    questions: list[str]
    fields: dict[str, Any]
    source_message: UUID | None
    source_conversation: UUID | None
    state: Literal["proposed", "published", "declined"]
    proposed_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Source:
    """A message that a proposal may be made from, and what must not travel with it unseen.

    names: what the customer is called; addresses: theirs, as they are normalised.
    """

    message_id: UUID
    conversation_id: UUID
    author: Literal["customer", "agent", "person"]
    text: str
    subject: str
    language: str | None
    names: str
    addresses: list[str]


async def propose_article(conn: Connection, who: Actor, new: NewProposal) -> UUID:
    """Keep a proposal; its id."""
    made: UUID = await conn.fetchval(
        "select propose_article($1, $2, $3, $4, $5, $6, $7, $8)",
        who, new.slug, new.based_on, new.title, new.body, new.questions, new.fields or {}, new.source_message,
    )  # fmt: skip
    return made


async def decide_proposal(
    conn: Connection, who: Actor, proposal_id: UUID, state: Literal["published", "declined"]
) -> str:
    """accepted, repeated, decided (in the other way already) or missing."""
    return str(await conn.fetchval("select decide_proposal($1, $2, $3)", who, proposal_id, state))


async def list_proposals(conn: Connection, *, limit: int) -> list[Proposal]:
    """What waits, oldest first."""
    rows = await conn.fetch(
        """
        select id, slug, based_on, title, body, questions, fields, source_message, source_conversation, state,
               proposed_by, created_at
          from article_proposals where state = 'proposed' order by created_at limit $1
        """,
        limit,
    )
    return [Proposal(**row) for row in rows]


async def load_proposal(conn: Connection, proposal_id: UUID) -> Proposal:
    """Raises NotFound."""
    row = await conn.fetchrow(
        """
        select id, slug, based_on, title, body, questions, fields, source_message, source_conversation, state,
               proposed_by, created_at
          from article_proposals where id = $1
        """,
        proposal_id,
    )
    if row is None:
        raise NotFound(f"no proposal {proposal_id}")
    return Proposal(**row)


async def load_source(conn: Connection, message_id: UUID) -> Source:
    """The message, whole where it was sent in parts. Raises NotFound."""
    row = await conn.fetchrow(
        """
        select m.id as message_id, m.conversation_id, m.author,
               (select string_agg(part.body, E'\\n\\n' order by part.part) from messages part
                 where part.id = m.id or part.reply_id = m.reply_id) as text,
               c.subject, c.language, coalesce(u.name, '') as names,
               array(select value from customer_identifiers i where i.customer_id = c.customer_id order by value)
                 as addresses
          from messages m join conversations c on c.id = m.conversation_id left join customers u on u.id = c.customer_id
         where m.id = $1
        """,
        message_id,
    )
    if row is None:
        raise NotFound(f"no message {message_id}")
    return Source(**row)
