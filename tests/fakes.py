"""Stand-ins for what is outside of this project, and shorthand to drive what is inside."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from agent.assess import Assessor
from agent.models.base import Item, Model, ToolCall
from agent.prices import Prices
from agent.turn import Limits
from channels.base import Channel
from db import queue
from db.pool import Connection, Pool
from db.queue import ClaimedLane
from db.turns import Budgets
from tests.shipped import load_classifier
from worker.turn import TurnRunner

ASSESSOR = Assessor(load_classifier())


def call(name: str, **arguments: Any) -> list[Item]:
    """A model's step with one tool call in it."""
    return [ToolCall(f"call_{uuid4().hex[:8]}", name, json.dumps(arguments))]


def search_for(query: str) -> list[Item]:
    return call("search_knowledge_base", query=query, category=None)


def reply_with(
    body: str, citations: tuple[str, ...] = (), kind: str = "acknowledgement", language: str = "en"
) -> list[Item]:
    return call("send_response", body=body, citations=list(citations), kind=kind, resolves=False, language=language)


def hand_over(reason_code: str = "customer_request", category: str = "general") -> list[Item]:
    return call(
        "escalate_to_human",
        category=category,
        reason_code=reason_code,
        priority="high",
        handoff_note="The customer wants a person.",
        customer_message="A colleague takes over.",
    )


def make_runner(
    pool: Pool,
    *models: Model,
    limits: Limits | None = None,
    daily_budget: str = "5",
    prices: Prices | None = None,
    channels: Sequence[Channel] = (),
) -> TurnRunner:
    """The real turn runner with these models and channels, and no embedder."""

    async def tell_nobody(_: str) -> None:
        return None

    return TurnRunner(
        pool=pool,
        models=models,
        embedder=None,
        assessor=ASSESSOR,
        prices=prices or {},
        limits=limits or Limits(),
        company="Tidefern",
        ticket_prefix="TF",
        allowed_links=("localhost",),
        budgets=Budgets(day=Decimal(daily_budget), conversation=Decimal("0.5"), customer=Decimal(1)),
        announce=tell_nobody,
        channels={channel.name: channel for channel in channels},
    )


async def submit(conn: Connection, message: str, *, plan: str | None = "pro", email: str = "ana@example.com") -> str:
    """A web form sent in; returns the ticket's reference."""
    form = {
        "submission_key": uuid4().hex,
        "submission_hash": "00",
        "prefix": "TF",
        "plan": plan,
        "ip_key": uuid4().hex,
        "address_key": uuid4().hex,
        "subject": "A question",
        "category": None,
        "message": message,
        "external_id": uuid4().hex,
        "email": email,
        "name": "Ana Lima",
    }
    outcome = await conn.fetchval("select submit_form($1)", form)
    return str(outcome["reference"])


async def write_again(conn: Connection, reference: str, message: str) -> None:
    """What the customer adds on the ticket page."""
    added = {
        "reference": reference,
        "message": message,
        "external_id": uuid4().hex,
        "ip_key": uuid4().hex,
        "quiet_seconds": 0,
    }
    await conn.fetchval("select add_web_message($1)", added)


async def claim_one(pool: Pool, *, worker: str = "w", lease: timedelta = timedelta(minutes=1)) -> ClaimedLane:
    """The lane that goes first: a customer before any upkeep."""
    async with pool.acquire() as conn:
        [lane] = await queue.claim_lanes(conn, worker=worker, lanes=1, messages=20, lease=lease)
    return lane


async def claim_now(conn: Connection, like: str) -> ClaimedLane:
    """The lane whose name begins so, whenever it is due and whoever had it; the others are given back."""
    await conn.execute("update lanes set run_at = now(), lease_until = lease_until - interval '1 hour'")
    await conn.execute("update messages set held_until = now() where held_until > now()")
    lanes = await queue.claim_lanes(conn, worker="w", lanes=9, messages=20, lease=timedelta(minutes=1))
    for lane in lanes:
        if not lane.lane.startswith(like):
            await queue.release_lane(conn, lane)
    [wanted] = [lane for lane in lanes if lane.lane.startswith(like)]
    return wanted


async def list_replies(conn: Connection, reference: str) -> list[str]:
    """What the customer was told, oldest first."""
    rows = await conn.fetch(
        """
        select body from messages m join tickets t using (conversation_id)
         where t.reference = $1 and direction = 'outbound' order by m.sent_at, m.id
        """,
        reference,
    )
    return [row["body"] for row in rows]


async def write_on_a_channel_without_tickets(
    conn: Connection, text: str, *, number: str = "+4915112345678", channel: str = "whatsapp"
) -> str:
    """A message of a proven number on a channel whose conversations begin without a ticket; gives its lane."""
    await conn.execute(
        """
        insert into channel_configs (channel, max_chars, preferred_chars) values ($1, 1600, 300)
        on conflict (channel) do nothing
        """,
        channel,
    )
    who = {"kind": "phone", "value": number, "proof": "provider", "name": "Ana Lima", "plan": None}
    payload = {
        "version": 1,
        "channel": channel,
        "thread_key": number,
        "external_id": uuid4().hex,
        "body": text,
        "subject": "",
        "category": None,
        "trust": 3,
        "sent_at": datetime.now(UTC),
        "customer": who,
    }
    lane = f"{channel}:{number}"
    await queue.add_work(conn, lane, "inbound", payload, dedupe_key=f"{channel}:{payload['external_id']}")
    return lane
