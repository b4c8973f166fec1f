"""The numbers for managers, each with its definition, and the gauges for machines."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import PlainTextResponse, Response

from app.access import metrics, staff
from app.problems import FieldError, Problem
from app.rendering import JsonResponse, prefers_html, render_page
from app.state import DeskRequest
from db.csat import Marks, count_marks
from db.metrics import ChannelMetrics, Gauge, list_channel_metrics, list_gauges
from db.pool import acquire
from db.sla import PromiseRates, list_promise_rates

MAX_HOURS = 8_760  # a year

DEFINITIONS = {
    "received": "Messages from customers that were accepted in the period, whether or not a turn has taken them up.",
    "answered": "Turns that ended in the period with an answer, a question, an acknowledgement, a refusal or a close.",
    "waiting": "Customers whose last word has no answer now, whatever the period.",
    "escalation_rate": "Share of the period's turns that handed over to a person. Turns in which the agent stayed"
    " silent because a person has the conversation do not count.",
    "latency_ms.queue": "From the acceptance of a turn's first message to its claim by a worker, including quiet time.",
    "latency_ms.thinking": "From the claim to the commit of the reply.",
    "latency_ms.delivery": "From the commit to the vendor's acceptance; 0 on the web form, where the commit delivers.",
    "latency_ms.total": "From the acceptance to the delivery.",
    "p50": "Half of the turns took less.",
    "p95": "95 of 100 turns took less.",
    "sentiment.average": "Mean mood of the customers' messages, from -1 (furious) to +1 (delighted).",
    "sentiment.change": "Mean change of mood from one turn of a conversation to the next; first turns do not count.",
    "cost_usd": "Sum of what the models charged, in US dollars; turns of unknown price do not count.",
    "resolution_rate": "Share of the conversations with a turn in the period that are resolved, or whose last turn was"
    " an answer of the agent that the customer has not come back on. A question back is not an answer.",
    "outcomes": "Turns of the period by how they ended.",
    "sla.first_response_met_rate": "Of the tickets opened in the period whose first response was given or is overdue,"
    " the share that had it in time. Business hours count as the target says.",
    "sla.resolution_met_rate": "Of the tickets opened in the period that were resolved or are overdue, the share that"
    " was resolved in time. The clock stands still while the customer owes a word.",
    "csat.agent": "Mean mark, 1 to 5, that customers gave in the period after answers of the assistant alone, and how"
    " many marks.",
    "csat.person": "The same where somebody of the team had answered.",
    "sla.n": "Tickets of the period of which either is known.",
    "n": "Finished turns of the period: what the rates, latencies and moods rest on.",
    "null": "No traffic to tell from. Test messages count nowhere.",
}
STAGES = ("queue", "thinking", "delivery", "total")

GAUGES = {
    "queue_messages": ("kind", "Messages and jobs that wait, by kind."),
    "queue_oldest_seconds": ("", "Age of the oldest of them."),
    "lanes_in_hand": ("", "Lanes under a live lease."),
    "dead_letters": ("", "Work that failed for good."),
    "workers": ("", "Workers heard of within 30 seconds."),
    "deliveries_in_doubt": ("", "Replies of which nobody knows whether the vendor took them."),
    "alarms": ("alarm", "What is wrong now, by name: see GET /health/detailed."),
    "alarms_for_a_person": ("", "Those that somebody must see to."),
    "customers_waiting": ("", "Customers whose last word has no answer."),
    "customers_unseen": ("", "Those whom nobody owns."),
    "customers_overdue": ("", "Those who wait longer than promised."),
    "provider_open": ("provider", "1 while a model provider is not asked because it failed."),
    "turns_last_day": ("outcome", "Turns finished within 24 hours, by outcome."),
    "spend_today_usd": ("", "Money spent on models since midnight UTC."),
}


async def show_channels(request: DeskRequest) -> Response:
    """GET /metrics/channels?hours=: JSON, or the page."""
    hours = read_hours(request)
    async with acquire(request.state["pool"]) as conn:
        rows = await list_channel_metrics(conn, hours=hours)
        promises = await list_promise_rates(conn, hours=hours)
        marks = await count_marks(conn, hours=hours)
    if prefers_html(request):
        return render_page(request, "metrics.html", make_page(rows, hours, promises) | {"marks": marks})
    shown = {
        row.channel: describe_channel(row, promises.get(row.channel)) | describe_marks(row.channel, marks)
        for row in rows
    }
    total = shown.pop("total")
    body = {"hours": hours, "channels": shown, "total": total, "definitions": DEFINITIONS}
    return JsonResponse(body, headers={"Vary": "Accept"})


def read_hours(request: DeskRequest) -> int:
    """Raises the 422 Problem for anything but a whole number from 1 to MAX_HOURS."""
    text = request.query_params.get("hours", "24")
    hours = int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0
    if not 1 <= hours <= MAX_HOURS:
        message = f"Please give a whole number from 1 to {MAX_HOURS}."
        raise Problem(422, message, [FieldError("hours", message)])
    return hours


def describe_channel(row: ChannelMetrics, promises: PromiseRates | None) -> dict[str, Any]:
    """One channel as GET /metrics/channels promises it."""
    return {
        "received": row.received,
        "answered": row.answered,
        "waiting": row.waiting,
        "escalation_rate": row.escalation_rate,
        "latency_ms": {
            stage: {part: round_ms(getattr(row, f"{stage}_{part}")) for part in ("p50", "p95")} for stage in STAGES
        },
        "sentiment": {"average": row.sentiment_average, "change": row.sentiment_change},
        "cost_usd": row.cost_usd,
        "resolution_rate": row.resolution_rate,
        "outcomes": row.outcomes,
        "sla": {
            "first_response_met_rate": promises.first_response_met_rate if promises else None,
            "resolution_met_rate": promises.resolution_met_rate if promises else None,
            "n": promises.n if promises else 0,
        },
        "n": row.n,
    }


def describe_marks(channel: str, marks: Mapping[tuple[str, str], Marks]) -> dict[str, Any]:
    return {"csat": {about: marks.get((channel, about), Marks()) for about in ("agent", "person")}}


def round_ms(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 1)


def make_page(rows: list[ChannelMetrics], hours: int, promises: Mapping[str, PromiseRates]) -> dict[str, Any]:
    """What the page shows: the same numbers, and bars on one scale for all channels."""
    longest = max((sum(getattr(row, f"{stage}_p95") or 0 for stage in STAGES[:-1]) for row in rows), default=0)
    return {
        "hours": hours,
        "rows": rows,
        "promises": promises,
        "bars": {row.channel: make_bars(row, longest) for row in rows if row.n and longest},
        "definitions": DEFINITIONS,
        "spans": {24: "day", 168: "week", 720: "month", 8760: "year"},
    }


def make_bars(row: ChannelMetrics, longest: float) -> list[dict[str, Any]]:
    """One bar for p50 and one for p95: its stages one after the other, in per mille of the longest."""
    bars = []
    for part in ("p50", "p95"):
        left, stages = 0.0, []
        for stage in STAGES[:-1]:
            width = 1000 * (getattr(row, f"{stage}_{part}") or 0) / longest
            stages.append({"name": stage, "left": round(left, 1), "width": round(min(width, 1000 - left), 1)})
            left = min(left + width, 1000)
        bars.append({"name": part, "stages": stages, "total": getattr(row, f"total_{part}")})
    return bars


async def show_gauges(request: DeskRequest) -> Response:
    """GET /metrics: Prometheus text."""
    async with acquire(request.state["pool"]) as conn:
        gauges = await list_gauges(conn)
    return PlainTextResponse(write_gauges(gauges), media_type="text/plain; version=0.0.4")


def write_gauges(gauges: list[Gauge]) -> str:
    """Prometheus text: each gauge with its meaning, also one that has no value now."""
    lines: list[str] = []
    for name, (label, meaning) in GAUGES.items():
        lines += [f"# HELP deskhand_{name} {meaning}", f"# TYPE deskhand_{name} gauge"]
        lines += [write_gauge(gauge, label) for gauge in gauges if gauge.name == name]
    return "\n".join(lines) + "\n"


def write_gauge(gauge: Gauge, label: str) -> str:
    value = gauge.label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    labels = f'{{{label}="{value}"}}' if label else ""
    return f"deskhand_{gauge.name}{labels} {gauge.value:.10g}"


ROUTES = [staff("/metrics/channels", show_channels), metrics("/metrics", show_gauges)]
