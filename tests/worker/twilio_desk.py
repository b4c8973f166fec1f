"""A desk with one number at Twilio, whose webhooks fail, driven by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from channels.twilio.message_list import MessageList
from channels.twilio.webhooks import WhatsAppWebhooks
from channels.whatsapp import WhatsApp, open_whatsapp
from db import queue
from db.pool import Connection, Pool
from tests.channels.twilio import ACCOUNT, CUSTOMER, PUBLIC
from tests.channels.twilio_records import Records, running_records
from worker.completer import Completer
from worker.jobs.whatsapp_sync import WhatsAppSync
from worker.loop import Handler

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def name_no_callback(token: UUID) -> str:
    raise AssertionError("nothing is sent here")


@dataclass
class Desk:
    """A desk with one number at Twilio, whose webhooks fail."""

    pool: Pool
    conn: Connection
    twilio: Records
    channel: WhatsApp

    @property
    def syncing(self) -> WhatsAppSync:
        listed = MessageList(self.channel.client, self.channel.account)
        webhooks = WhatsAppWebhooks(self.channel.account, PUBLIC)
        return WhatsAppSync(self.pool, Completer(self.pool), listed, webhooks, timedelta(0), "TF")

    async def sync(self, handler: Handler | None = None) -> None:
        """Read the list as the worker does."""
        await queue.add_work(self.conn, "job:whatsapp_sync", "whatsapp_sync", {}, dedupe_key=f"sync-{uuid4()}")
        await self.conn.execute("update lanes set run_at = now() where lane like 'job:%'")
        lanes = await queue.claim_lanes(self.conn, worker="w", lanes=9, messages=20, lease=MINUTE)
        for lane in lanes:
            if lane.lane != "job:whatsapp_sync":
                await queue.release_lane(self.conn, lane)
        [mine] = [lane for lane in lanes if lane.lane == "job:whatsapp_sync"]
        await (handler or self.syncing).run(mine)

    async def sql(self, statement: str, *values: Any) -> Any:
        return await self.conn.fetchval(statement, *values)

    async def list_bodies(self) -> list[str]:
        rows = await self.conn.fetch(
            "select payload->>'body' as body from message_queue where kind = 'inbound' order by id"
        )
        return [row["body"] for row in rows]

    async def began(self, ago: timedelta) -> None:
        """The channel was first read so long ago."""
        await self.conn.execute(
            "update channel_configs set cursor = extract(epoch from now() - $1::interval) where channel = 'whatsapp'",
            ago,
        )

    async def have_sent(self, sid: str, delivery: str = "sent", *, ago: timedelta = timedelta(hours=2)) -> None:
        """A reply that Twilio took so long ago."""
        await self.conn.execute(
            """
            with talk as (
              insert into conversations (channel, thread_key, trust) values ('whatsapp', $1, 3)
              on conflict (channel, thread_key) do update set trust = 3 returning id)
            insert into messages (conversation_id, channel, direction, author, body, delivery, idempotency_token,
                                  vendor_id, sent_at, first_try_at, last_try_at, reply_id)
            select id, 'whatsapp', 'outbound', 'agent', 'Here is how.', $2, new_id(), $3, now() - $4::interval,
                   now() - $4::interval, now() - $4::interval, new_id() from talk
            """,
            CUSTOMER, delivery, sid, ago,
        )  # fmt: skip


@asynccontextmanager
async def open_desk(pool: Pool, conn: Connection, token: str = ACCOUNT.auth_token) -> AsyncIterator[Desk]:
    account = replace(ACCOUNT, auth_token=token)
    async with running_records() as twilio, open_whatsapp(account, name_no_callback, api_base=twilio.url) as channel:
        yield Desk(pool, conn, twilio, channel)


def make_payload(sid: str) -> dict[str, Any]:
    who = {"kind": "phone", "value": CUSTOMER, "proof": "provider", "name": None, "plan": None}
    return {
        "version": 1, "channel": "whatsapp", "thread_key": CUSTOMER, "external_id": sid, "body": "Hello", "trust": 3,
        "sent_at": "2026-11-21T12:00:00+00:00", "subject": "", "category": None, "customer": who,
    }  # fmt: skip


async def is_suppressed(desk: Desk) -> bool:
    return bool(await desk.sql("select count(*) from customer_identifiers where suppressed_at is not null"))
