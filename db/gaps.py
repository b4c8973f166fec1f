"""Questions that the articles had no answer to."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.pool import Connection

MOST = 500
"""The newest are looked at."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question of the last 30 days that nothing was found for, or that went to a person for want of an answer.

    stems: its words without their endings, each once. reply: what a person said after it, "" where nobody did.
    is_proposed: an article was proposed for it, and not declined.
    """

    message_id: UUID
    conversation_id: UUID
    text: str
    asked_at: datetime
    language: str
    stems: list[str]
    reply: str
    is_proposed: bool


async def list_unanswered(conn: Connection, *, limit: int = MOST) -> list[Unanswered]:
    """Newest first, one for each turn of the agent.

    That is: the agent handed it over as no_answer; or every search of its turn came back with nothing sure enough, and
    it asked back, refused or handed over.
    """
    rows = await conn.fetch(
        r"""
        with missed as materialized (
          select t.id, t.conversation_id, t.started_at from turns t
           where t.state = 'done' and t.outcome in ('asked', 'escalated', 'refused')
             and t.started_at > now() - interval '30 days'
             and (exists (select from turn_steps s, jsonb_array_elements(s.effects) e
                           where s.turn_id = t.id and e->>'kind' = 'escalate' and e->>'reason' = 'no_answer')
                  or (select bool_and(r->>'output' ~ '"confidence": ?"none"')
                        from turn_steps s, jsonb_array_elements(s.results) r
                       where s.turn_id = t.id and r->>'output' like '{"results":%'))
           order by t.started_at desc limit $1),
        asked as (
          select missed.id, missed.conversation_id, missed.started_at, max(m.sent_at) as asked_at,
                 (array_agg(m.id order by m.sent_at desc))[1] as message_id,
                 string_agg(m.body, E'\n' order by m.sent_at) as text
            from missed join messages m on m.turn_id = missed.id and m.conversation_id = missed.conversation_id
             and m.direction = 'inbound'
           group by missed.id, missed.conversation_id, missed.started_at)
        select a.message_id, a.conversation_id, a.text, a.asked_at, coalesce(left(c.language, 2), 'en') as language,
               tsvector_to_array(to_tsvector(search_config(coalesce(left(c.language, 2), 'en')), a.text)) as stems,
               coalesce((select m.body from messages m
                          where m.conversation_id = a.conversation_id and m.author = 'person' and m.sent_at > a.asked_at
                            and m.delivery not in ('cancelled', 'failed')
                          order by m.sent_at limit 1), '') as reply,
               exists (select from article_proposals p
                        where p.source_conversation = a.conversation_id and p.source_message = a.message_id
                          and p.state <> 'declined') as is_proposed
          from asked a join conversations c on c.id = a.conversation_id and not c.is_test
         order by a.started_at desc
        """,
        limit,
    )
    return [Unanswered(**row) for row in rows]
