"""Who of the team is told that a customer needs a person, and how far that got."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from db.pool import Connection
from db.queue import ClaimedLane, Job

MailState = Literal["sent", "skipped", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Notice:
    """That a customer needs a person, as it stands now."""

    conversation_id: UUID
    reason: str
    is_seen: bool
    """Somebody of the team has looked since."""
    reference: str | None
    channel: str
    customer: str | None
    due_at: datetime | None
    note: str
    """What the agent left for whoever takes over."""


@dataclass(frozen=True, slots=True)
class QueuedMail:
    """A mail to the team. Without a notice it is the daily list of who waits."""

    id: UUID
    recipients: tuple[str, ...]
    state: str
    draft_id: str | None
    made_at: datetime
    notice: Notice | None


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """One customer who waits, as the view inbox has it."""

    conversation_id: UUID | None
    """None before a turn has taken up their first message."""
    reference: str | None
    channel: str
    customer: str | None
    owner: str | None
    due_at: datetime | None
    is_overdue: bool


async def spread_notice(conn: Connection, lane: ClaimedLane, job: Job, *, base_url: str) -> bool:
    """Queue the mail and the webhooks that tell of it and finish the job. False when the lease was lost."""
    kept: bool = await conn.fetchval("select spread_notice($1, $2, $3, $4)", lane.lane, lane.token, job.id, base_url)
    return kept


async def queue_digest(conn: Connection, lane: ClaimedLane, job: Job) -> bool:
    """Queue the list of who waits, where somebody waits, and finish the job. False when the lease was lost."""
    kept: bool = await conn.fetchval("select queue_digest($1, $2, $3)", lane.lane, lane.token, job.id)
    return kept


async def find_mail(conn: Connection, mail_id: UUID) -> QueuedMail | None:
    """One mail to the team, with what it tells of."""
    row = await conn.fetchrow(
        """
        select m.id, m.recipients, m.state, m.draft_id, m.made_at, n.conversation_id, n.reason,
               n.seen_at is not null as is_seen, k.reference, c.channel, u.name as customer, k.person_due_at as due_at,
               coalesce(k.handoff_note, '') as note
          from team_mails m
          left join notices n on n.id = m.notice_id
          left join conversations c on c.id = n.conversation_id
          left join customers u on u.id = c.customer_id
          left join lateral (select * from tickets t where t.conversation_id = c.id
                              order by t.created_at desc limit 1) k on true
         where m.id = $1
        """,
        mail_id,
    )
    if row is None:
        return None
    notice = None if row["channel"] is None else Notice(**{name: row[name] for name in Notice.__slots__})
    return QueuedMail(row["id"], tuple(row["recipients"]), row["state"], row["draft_id"], row["made_at"], notice)


async def keep_draft(conn: Connection, lane: ClaimedLane, mail_id: UUID, draft_id: str) -> bool:
    """Store Gmail's draft before it is sent. False when the lease was lost: then it must not be sent."""
    kept: bool = await conn.fetchval("select keep_team_draft($1, $2, $3, $4)", lane.lane, lane.token, mail_id, draft_id)
    return kept


async def end_mail(
    conn: Connection,
    lane: ClaimedLane,
    mail_id: UUID,
    state: MailState,
    *,
    vendor_id: str | None = None,
    error: str | None = None,
    is_needless: bool = False,
) -> bool:
    """What became of it. is_needless: nobody misses it. False when the lease was lost."""
    ended = {
        "lane": lane.lane,
        "token": lane.token,
        "job_id": lane.jobs[0].id,
        "mail_id": mail_id,
        "state": state,
        "vendor_id": vendor_id,
        "error": error,
        "is_needless": is_needless,
    }
    kept: bool = await conn.fetchval("select end_team_mail($1)", ended)
    return kept


async def list_waiting(conn: Connection, *, limit: int) -> tuple[list[WaitingLine], int]:
    """Who waits, by due time, at most `limit`; and how many there are."""
    rows = await conn.fetch(
        """
        select conversation_id, reference, channel, customer, owner, due_at, is_overdue, count(*) over () as total
          from inbox order by due_at nulls last, waiting_since limit $1
        """,
        limit,
    )
    lines = [WaitingLine(**{name: row[name] for name in WaitingLine.__slots__}) for row in rows]
    return lines, rows[0]["total"] if rows else 0
