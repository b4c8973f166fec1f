"""The web application in the test's own loop, and a worker that says what the test wants."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2
from starlette.types import Receive, Scope, Send

from app.access import GuardedRoute
from app.database import Database
from app.main import create_app
from app.settings import Settings, read_settings
from db import queue, turns
from db.pool import Connection, Pool

ADMIN_TOKEN = "staff-token-of-the-tests"
APP_SECRET = "app-secret-of-the-tests"
STAFF = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}

FORM = {
    "name": "Ana Pérez",
    "email": "ana@example.com",
    "subject": "Prices",
    "message": "How much does Pro cost?",
    "plan": "pro",
    "category": "billing",
}


def make_settings(**environ: str) -> Settings:
    return read_settings({"ADMIN_TOKEN": ADMIN_TOKEN, "APP_SECRET": APP_SECRET} | environ)


@asynccontextmanager
async def open_desk(
    database_url: str, *, pool: Pool | None = None, settings: Settings | None = None, host: str = "127.0.0.1",
    more: Sequence[GuardedRoute] = (),
) -> AsyncIterator[httpx2.AsyncClient]:  # fmt: skip
    """A client of the whole application, its lifespan included. Crashes answer 500, as they do behind a server."""
    app = create_app(settings or make_settings(), Database(database_url, database_url), pool=pool)
    app.router.routes.extend(more)
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": {**(state or {})}}, receive, send)

        transport = httpx2.ASGITransport(with_state, raise_app_exceptions=False, client=(host, 5000))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
            yield client


async def find_conversation(desk: httpx2.AsyncClient, reference: str) -> str:
    """The address of a ticket's conversation, where the team's browser is led."""
    answer = await desk.get(f"/support/ticket/{reference}", headers=STAFF | HTML)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


@dataclass(frozen=True)
class Answer:
    """What the agent is to say, and what else the turn leaves."""

    body: str = "Pro costs $9 per member a month."
    kind: str = "answer"
    outcome: str = "answered"
    citations: list[dict[str, Any]] = field(default_factory=list)
    effects: list[dict[str, Any]] = field(default_factory=list)
    delivery: str = "sent"
    sentiment: float = 0.1
    thinking_ms: float = 800.0
    waiting_ms: float = 40.0
    resolves: bool = False


async def answer_waiting(conn: Connection, answer: Answer | None = None) -> int:
    """Claim every lane of customers that is due and commit one turn for each; how many there were."""
    answer = answer or Answer()
    claimed = await queue.claim_lanes(conn, worker="test", lanes=50, messages=50, lease=timedelta(seconds=30))
    lanes = [lane for lane in claimed if lane.jobs[0].kind == "inbound"]
    for lane in claimed:
        if lane not in lanes:
            await queue.release_lane(conn, lane)
    for lane in lanes:
        first = lane.jobs[0].payload
        turn = await turns.open_turn(
            conn,
            turns.TurnStart(
                lane=lane.lane, token=lane.token, newest=lane.jobs[-1].id, channel=first["channel"],
                thread_key=first["thread_key"], subject=first["subject"], trust=0, customer=first["customer"],
                covers_external=[job.payload["external_id"] for job in lane.jobs],
            ),
        )  # fmt: skip
        assert turn is not None
        end = turns.TurnEnd(
            lane=lane.lane, token=lane.token, turn_id=turn.turn_id, covers=lane.job_ids, outcome=answer.outcome,
            inbound=[{name: job.payload[name] for name in ("external_id", "body", "sent_at")} for job in lane.jobs],
            effects=[effect | {"reference": first["thread_key"]} for effect in answer.effects],
            reply={
                "bodies": [answer.body], "kind": answer.kind, "citations": answer.citations,
                "delivery": answer.delivery,
            },
            language="en", sentiment=answer.sentiment, model="scripted", resolves=answer.resolves,
            timings_ms={"waiting": answer.waiting_ms, "thinking": answer.thinking_ms},
        )  # fmt: skip
        assert await turns.commit_turn(conn, end) == "done"
    return len(lanes)
