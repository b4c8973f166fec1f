"""The queue: work waits in lanes; a lane is claimed whole, held under a lease, and freed by the commit of its work."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import md5
from typing import Any

from db.pool import Connection

WORK_CHANNEL = "deskhand_work"
"""Notified when work was queued."""
REPLY_CHANNEL = "deskhand_reply"
"""Notified with the reference of a thread that changed."""


OURS = ("web", "out", "job", "notify", "mail", "hook", "draft")
"""How the names of lanes begin in which no customer's address stands."""


@dataclass(frozen=True, slots=True)
class NewWork:
    """One piece of work to be queued. `quiet`: it waits until nothing more came in for so long, at most `quiet_cap`."""

    lane: str
    kind: str
    payload: dict[str, Any]
    dedupe_key: str
    priority: int = 1
    """0 reply, 1 intake, 2 upkeep: lower goes first."""
    quiet: timedelta = timedelta(0)
    quiet_cap: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Job:
    """One row of message_queue that was claimed. `waited_ms` counts from its acceptance to the claim."""

    id: int
    kind: str
    payload: dict[str, Any]
    created_at: datetime
    waited_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class ClaimedLane:
    """A lane in our hands until its lease ends: what waits in it, oldest first, never empty. Each claim is its own."""

    lane: str
    token: int
    """Fencing token: whoever shows an older one changes nothing."""
    priority: int
    attempts: int
    """Claims since the last success, this one included."""
    failure: str | None
    """What went wrong the last time."""
    run_at: datetime
    newest: int
    """Id of the newest row in the lane, which may be beyond those that were claimed."""
    jobs: tuple[Job, ...]

    @property
    def label(self) -> str:
        """Its name for logs, where no customer's address may stand: of such a lane the md5, as psql shows it too."""
        channel, _, key = self.lane.partition(":")
        return self.lane if channel in OURS else f"{channel}:{md5(key.encode()).hexdigest()[:12]}"  # noqa: S324

    @property
    def waited(self) -> timedelta:
        """How long its oldest row had waited when it was claimed."""
        return timedelta(milliseconds=self.jobs[0].waited_ms)

    @property
    def job_ids(self) -> list[int]:
        return [job.id for job in self.jobs]


async def add_work(
    conn: Connection, lane: str, kind: str, payload: dict[str, Any], *, dedupe_key: str, priority: int = 1
) -> int | None:
    """Queue one piece of work and return its id; None when the same work waits, was done or is a dead letter."""
    new_id: int | None = await conn.fetchval(
        "select add_work($1, $2, $3, $4, $5)", lane, kind, priority, dedupe_key, payload
    )
    return new_id


async def add_many(conn: Connection, works: Sequence[NewWork]) -> list[int | None]:
    """Queue many pieces of work in one statement; each gets its id, in the order given within a lane, or None as above.

    Batches of several connections may share lanes and keys in any order: they never deadlock.
    """
    if not works:
        return []
    ids: list[int | None] = await conn.fetchval(
        "select add_many($1, $2, $3, $4, $5, $6, $7)",
        [work.lane for work in works],
        [work.kind for work in works],
        [work.priority for work in works],
        [work.dedupe_key for work in works],
        [work.payload for work in works],
        [work.quiet for work in works],
        [work.quiet_cap for work in works],
    )
    return ids


async def claim_lanes(
    conn: Connection, *, worker: str, lanes: int, messages: int, lease: timedelta, floor: datetime | None = None
) -> list[ClaimedLane]:
    """Lease up to `lanes` lanes: first those whose holder died, then by priority and age.

    messages: how many of a lane's messages one turn takes.
    floor: lanes due before it, and those of dead workers, are left for a later claim; None looks at all. Advancing it
    keeps a long-held snapshot (a dump, a report) from making every claim wade through dead index entries.
    """
    rows = await conn.fetch(
        "select * from claim_lanes($1, $2, $3, $4, coalesce($5, '-infinity'::timestamptz))",
        worker,
        lanes,
        messages,
        lease,
        floor,
    )
    claimed: dict[str, list[Any]] = {}
    for row in rows:
        claimed.setdefault(row["lane"], []).append(row)
    return [read_lane(lane_rows) for lane_rows in claimed.values()]


def read_lane(rows: list[Any]) -> ClaimedLane:
    first = rows[0]
    jobs = tuple(Job(row["id"], row["kind"], row["payload"], row["created_at"], row["waited_ms"]) for row in rows)
    return ClaimedLane(
        first["lane"],
        first["token"],
        first["priority"],
        first["attempts"],
        first["last_error"],
        first["run_at"],
        first["newest"] or rows[-1]["id"],
        jobs,
    )


async def extend_leases(
    conn: Connection, *, worker: str, held: list[ClaimedLane], lease: timedelta
) -> set[tuple[str, int]]:
    """Heartbeat: hold `held` (lane to token) for another `lease`, and say that the worker lives.

    Returns the lanes still ours with their tokens; what is missing was lost, and its work must be dropped.
    """
    rows = await conn.fetch(
        """
        with alive as (
          insert into workers (name, running) values ($1, cardinality($2::text[]))
          on conflict (name) do update set heartbeat_at = clock_timestamp(), running = excluded.running),
        ours as materialized (
          select lane, token from lanes join unnest($2::text[], $3::bigint[]) as h (lane, token) using (lane, token)),
        -- a lane that is locked is being committed by us, or taken from us: waiting for it could be a deadlock, and the
        -- next beat will know
        free as materialized (
          select lane from lanes where lane in (select lane from ours) for update skip locked),
        extended as (
          update lanes l set lease_until = clock_timestamp() + $4
            from free, unnest($2::text[], $3::bigint[]) as h (lane, token)
           where l.lane = free.lane and h.lane = l.lane and h.token = l.token)
        select lane, token from ours
        """,
        worker,
        [lane.lane for lane in held],
        [lane.token for lane in held],
        lease,
    )
    return {(row["lane"], row["token"]) for row in rows}


async def leave_fleet(conn: Connection, *, worker: str) -> None:
    """Say that the worker is gone, so that nobody is alarmed at its silence."""
    await conn.execute("delete from workers where name = $1", worker)


async def release_lane(
    conn: Connection,
    lane: ClaimedLane,
    *,
    pause: timedelta = timedelta(0),
    failure: str | None = None,
    tries: int | None = None,
    is_try: bool = True,
) -> bool:
    """Give a lane back undone, due after `pause`. False when the lease was lost.

    A `failure` counts as a try, or as `tries` when more of them will not help; without one, or when it is no try of
    ours (`is_try`), the claim is taken back.
    """
    released: bool = await conn.fetchval(
        "select release_lane($1, $2, $3, $4, $5, $6)", lane.lane, lane.token, pause, failure, tries, is_try
    )
    return released


async def has_more(conn: Connection, lane: ClaimedLane) -> bool:
    """Whether more waits in a lane than was claimed."""
    more: bool = await conn.fetchval(
        "select exists (select from message_queue where lane = $1 and id > $2)", lane.lane, lane.jobs[-1].id
    )
    return more


async def finish_work(conn: Connection, lane: ClaimedLane) -> bool:
    """Take a lane's done rows off the queue and free it. False when the lease was lost: then nothing changed."""
    finished: bool = await conn.fetchval("select finish_work($1, $2, $3)", lane.lane, lane.token, lane.job_ids)
    return finished


async def finish_lanes(conn: Connection, lanes: list[ClaimedLane]) -> set[ClaimedLane]:
    """Finish many lanes in one statement; returns those that were still ours. Nothing changed in the others."""
    places: list[int] = await conn.fetchval(
        "select finish_lanes($1, $2, $3, $4)",
        [lane.lane for lane in lanes],
        [lane.token for lane in lanes],
        [len(lane.jobs) for lane in lanes],
        [job.id for lane in lanes for job in lane.jobs],
    )
    return {lanes[place - 1] for place in places}


async def bury_work(conn: Connection, lane: ClaimedLane, *, error: str, only: Job | None = None) -> bool:
    """Make dead letters of rows that will never work, or of one of them, and free the lane. False when the lease was
    lost."""
    ids = lane.job_ids if only is None else [only.id]
    buried: bool = await conn.fetchval("select finish_work($1, $2, $3, $4)", lane.lane, lane.token, ids, error)
    return buried


async def add_scheduled(conn: Connection) -> list[str]:
    """Queue the upkeep whose time has come, once for all workers, and return its names."""
    rows = await conn.fetch(
        """
        with due as (
          -- at the hour it was set to, however late it is this time
          update schedules set next_run_at = next_run_at + every * (
                   1 + floor(extract(epoch from now() - next_run_at) / extract(epoch from every)))
           where next_run_at <= now() returning name)
        select name, add_work('job:' || name, name, 2, 'job:' || name, '{}') from due
        """
    )
    return [row["name"] for row in rows]


async def sweep_queue(conn: Connection, *, limit: int = 1000) -> int:
    """Forget lanes idle for a day, quotas untouched for a week, workers silent for an hour, and what machines wrote a
    month ago, of which only the row stays; returns lanes removed."""
    removed: int = await conn.fetchval(
        """
        with idle as (
          select lane from lanes where pending = 0 and lease_until is null and run_at < now() - interval '1 day'
           limit $1 for update skip locked),
        gone as (delete from lanes l using idle where l.lane = idle.lane returning 1),
        stale as (delete from quotas where updated_at < now() - interval '7 days'),
        silent as (delete from workers where heartbeat_at < now() - interval '1 hour'),
        fading as (
          select id from mails
           where verdict in ('robot', 'own') and raw is not null and arrived_at < now() - interval '30 days' limit $1),
        faded as (update mails set raw = null where id in (select id from fading))
        select count(*) from gone
        """,
        limit,
    )
    return removed


async def notify(conn: Connection, channel: str, payload: str = "") -> None:
    """A hint to whoever listens, not worth waiting for the disk.

    Never inside a transaction that wrote: there it would make all commits of the server queue up.
    """
    await conn.execute("select set_config('synchronous_commit', 'off', true), pg_notify($1, $2)", channel, payload)
