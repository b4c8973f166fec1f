"""Whether the process serves, and whether the desk needs a person."""

import time
from dataclasses import asdict
from typing import Any

from starlette.responses import Response

from app.access import public, staff
from app.rendering import JsonResponse
from app.settings import Settings
from app.shortfalls import missing
from app.state import DeskRequest
from db.health import (
    ChannelState,
    count_waiting,
    list_alarms,
    list_channel_states,
    list_neglected,
    list_providers,
    list_queue,
    list_workers,
    load_footing,
)
from db.migrate import list_migrations
from db.pool import UNAVAILABLE, Connection, acquire


async def show_health(_: DeskRequest) -> Response:
    """GET /health: the process serves. The database is not asked, so that its failure does not restart us."""
    return JsonResponse({"status": "ok"})


async def show_details(request: DeskRequest) -> Response:
    """GET /health/detailed: everything a person on call asks first; 503 when something needs one."""
    settings = request.state["settings"]
    started = time.perf_counter()
    try:
        async with acquire(request.state["pool"]) as conn:
            body = await describe_desk(conn, settings)
    except UNAVAILABLE as error:
        problem = f"The database cannot be had ({type(error).__name__})."
        body = {"status": "down", "needs_attention": [problem], "database": {"ok": False}}
    body["database"]["ms"] = round((time.perf_counter() - started) * 1000, 1)
    return JsonResponse(body, 503 if body["needs_attention"] else 200)


async def describe_desk(conn: Connection, settings: Settings) -> dict[str, Any]:
    """The state of each part, and in `needs_attention` a sentence for each that a person must see to."""
    footing = await load_footing(conn)
    alarms = await list_alarms(conn)
    expected = list_migrations()[-1].version
    attention = [alarm.detail for alarm in alarms if alarm.needs_person]
    if footing.schema_version != expected:
        attention.append(f"The database has schema {footing.schema_version}, this code needs {expected}.")
    return {
        "status": "needs attention" if attention else "ok",
        "needs_attention": attention,
        "alarms": alarms,
        "database": {"ok": True, "vector": footing.vector_version},
        "schema": {"version": footing.schema_version, "expected": expected},
        "queue": {
            "depth": footing.queue_depth,
            "oldest_waiting_seconds": footing.queue_oldest_seconds,
            "due_seconds": footing.queue_due_seconds,
            "in_doubt": footing.in_doubt,
            "dead_letters": footing.dead_letters,
            "by_kind": await list_queue(conn),
        },
        "workers": await list_workers(conn),
        "channels": describe_channels(settings, await list_channel_states(conn)),
        "providers": await list_providers(conn),
        "embedder": {
            "wanted": settings.embeddings,
            "active": footing.embedding_model,
            "passages": footing.passages,
        },
        "waiting": await list_neglected(conn),
        "waiting_count": await count_waiting(conn),
        "settings": missing(settings),
    }


def describe_channels(settings: Settings, channels: list[ChannelState]) -> dict[str, Any]:
    """Each channel: whether it has its settings, and what the team configured, null before its first start."""
    known = {channel.channel: asdict(channel) for channel in channels}
    complete = {"web": True, "gmail": settings.has_gmail, "whatsapp": settings.has_whatsapp}
    return {
        name: {"is_on": is_complete and known.get(name, {}).get("is_on", True), "is_complete": is_complete}
        | {"config": known.get(name)}
        for name, is_complete in complete.items()
    }


ROUTES = [public("/health", show_health), staff("/health/detailed", show_details)]
