"""The numbers for managers, and the gauges for machines."""

from dataclasses import dataclass

from db.health import PATIENCE
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class ChannelMetrics:
    """One channel, or `total`. Times in milliseconds; None where there was no traffic to tell."""

    channel: str
    received: int
    answered: int
    waiting: int
    escalation_rate: float | None
    queue_p50: float | None
    queue_p95: float | None
    thinking_p50: float | None
    thinking_p95: float | None
    delivery_p50: float | None
    delivery_p95: float | None
    total_p50: float | None
    total_p95: float | None
    sentiment_average: float | None
    sentiment_change: float | None
    cost_usd: float | None
    resolution_rate: float | None
    outcomes: dict[str, int]
    n: int


@dataclass(frozen=True, slots=True)
class Gauge:
    """One number with the label it is told apart by; `label` is empty for a number that stands alone."""

    name: str
    label: str
    value: float


async def list_channel_metrics(conn: Connection, *, hours: int) -> list[ChannelMetrics]:
    """Every channel, then `total`, over the last so many hours."""
    rows = await conn.fetch(
        "select * from channel_metrics_since(now() - make_interval(hours => $1))", hours, timeout=PATIENCE
    )
    return [ChannelMetrics(**row) for row in rows]


async def list_gauges(conn: Connection) -> list[Gauge]:
    """What is worth an alarm: the queue, the workers, who waits, the breakers, and the turns of the last day."""
    rows = await conn.fetch(
        """
        with wrong as materialized (select alarm, needs_person from alarms)
        select 'queue_messages' as name, kind as label, waiting::float8 as value
          from (select kind, sum(waiting) as waiting from queue_overview group by kind) q
        union all select 'queue_oldest_seconds', '',
               coalesce(extract(epoch from now() - min(oldest)), 0)::float8 from queue_overview
        union all select 'lanes_in_hand', '', count(*) from lanes where lease_until > now()
        union all select 'dead_letters', '', count(*) from dead_letters
        union all select 'workers', '', count(*) from workers where heartbeat_at > now() - interval '30 seconds'
        union all select 'customers_waiting', '', count(*) from waiting_customers
        union all select 'customers_unseen', '', count(*) from waiting_customers where is_unseen
        union all select 'customers_overdue', '', count(*) from waiting_customers where is_overdue
        union all select 'deliveries_in_doubt', '', count(*) from messages where delivery = 'unknown'
        union all select 'alarms', alarm, count(*) from wrong group by alarm
        union all select 'alarms_for_a_person', '', count(*) from wrong where needs_person
        union all select 'provider_open', provider, (state = 'open')::int from provider_health
        union all select 'turns_last_day', outcome, count(*) from agent_metrics
                   where finished_at > now() - interval '1 day' and not is_test group by outcome
        union all select 'spend_today_usd', '', coalesce(sum(level), 0) from quotas
                   where key = spend_day(now())
        order by 1, 2
        """,
        timeout=PATIENCE,
    )
    return [Gauge(**row) for row in rows]
