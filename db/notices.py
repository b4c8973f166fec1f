"""Who of the team is told that a customer needs a person, and how far that got."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from db.pool import Connection
from db.queue import ClaimedLane, Job


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
class MailEnd:
    """What became of a mail to the team."""

    state: Literal["sent", "skipped", "failed", "unknown"]
    error: str | None = None
    vendor_id: str | None = None
    is_needless: bool = False
    """Nobody misses it."""


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


@dataclass(frozen=True, slots=True)
class Try:
    """How telling the team of one thing went."""

    made_at: datetime
    is_told: bool
    """By one way at least."""
    error: str | None
    """Why nobody was told, or not in one of the ways."""


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


async def end_mail(conn: Connection, lane: ClaimedLane, mail_id: UUID, end: MailEnd) -> bool:
    """What became of it. False when the lease was lost."""
    ended = {"lane": lane.lane, "token": lane.token, "job_id": lane.jobs[0].id, "mail_id": mail_id, **asdict(end)}
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


async def find_last_try(conn: Connection) -> Try | None:
    """The newest notice of which it is known whether anybody was told."""
    row = await conn.fetchrow(
        """
        select made_at, told_at is not null as is_told, error from notices
         where told_at is not null or error is not null order by id desc limit 1
        """
    )
    return Try(**row) if row else None


async def drop_old_mails(conn: Connection, *, limit: int) -> int:
    """Forget mails to the team of half a year ago, whose answers and bounces nobody expects any more; how many."""
    dropped: int = await conn.fetchval(
        """
        with old as (
          select id from team_mails where made_at < now() - interval '180 days' limit $1 for update skip locked),
        gone as (delete from team_mails m using old where m.id = old.id returning 1)
        select count(*) from gone
        """,
        limit,
    )
    return dropped


async def drop_old_notices(conn: Connection, *, limit: int) -> int:
    """Forget what the team was to be told half a year ago, unless nobody has looked and the customer still waits;
    how many that were. Notices with mails are left: whoever ends a mail locks it before its notice."""
    dropped: int = await conn.fetchval(
        """
        with old as (
          select n.id from notices n
           where n.made_at < now() - interval '180 days'
             and not exists (select from team_mails m where m.notice_id = n.id)
             and (n.seen_at is not null
                  or not exists (select from conversations c
                                  where c.id = n.conversation_id and c.waiting_since is not null))
           limit $1 for update skip locked),
        gone as (delete from notices n using old where n.id = old.id returning 1)
        select count(*) from gone
        """,
        limit,
    )
    return dropped
