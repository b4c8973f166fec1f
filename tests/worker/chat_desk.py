"""A desk that answers on WhatsApp, driven by hand: each step is one that a process takes."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import httpx2

from agent.models.base import Item, Model
from agent.models.scripted import ScriptedModel
from app.access import make_status_url
from app.settings import Settings
from channels.base import Attached, FetchedFile
from channels.whatsapp import WhatsApp, open_whatsapp
from db import queue
from db.errors import RetryLater
from db.pool import Connection, Pool
from db.queue import ClaimedLane
from tests.app.desk import make_settings, open_desk
from tests.fakes import claim_now, make_runner
from tests.stand_ins.journal import Accepted, Knobs
from tests.stand_ins.vendor import Vendor, running_vendor
from tests.stand_ins.webhooks import ACCOUNT, INBOUND_PATH, NUMBER, TOKEN, make_inbound, make_status, sign
from worker.deliver import Deliver

CUSTOMER = "+5511987654321"


@dataclass
class Pictures:
    """Where the vendor has its files: whatever is asked for is a picture."""

    asked: list[str] = field(default_factory=list)
    """The addresses."""
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(3))

    async def fetch(self, attached: Attached) -> FetchedFile:
        self.asked.append(attached.url)
        return FetchedFile(b"\xff\xd8\xff\xe0", "image/jpeg", None)


@dataclass
class ChatDesk:
    """One team with one number. The vendor reports nothing by itself, and its lists do not lag."""

    pool: Pool
    conn: Connection
    settings: Settings
    vendor: Vendor
    channel: WhatsApp
    web: httpx2.AsyncClient
    media: Pictures = field(default_factory=Pictures)

    async def write(self, text: str = "How do I export a board?", *, sender: str = CUSTOMER, **fields: str) -> str:
        """A customer's message comes in, with further fields of the webhook by name; gives its SID."""
        sid = "SM" + uuid4().hex
        form = make_inbound(sender=sender, body=text, sid=sid) | fields
        await self.post(self.settings.public_base_url + INBOUND_PATH, form)
        return sid

    async def report(self, taken: Accepted, status: str, **fields: str) -> None:
        """The vendor says what became of a message."""
        assert taken.send.status_callback is not None
        await self.post(taken.send.status_callback, make_status(taken, status) | fields)

    async def post(self, url: str, form: Mapping[str, str]) -> None:
        """A signed webhook, which the web process has to acknowledge."""
        answer = await self.web.post(url, data=dict(form), headers=sign(url, form))
        assert answer.status_code == 204, answer.text

    async def claim(self, like: str) -> ClaimedLane:
        return await claim_now(self.conn, like)

    async def turn(self, *replies: list[Item]) -> None:
        """The agent answers what waits."""
        await self.think(ScriptedModel(replies))

    async def think(self, model: Model) -> None:
        """The same with a model of the test's own."""
        runner = make_runner(self.pool, model, channels=[self.channel])
        runner = replace(runner, media={"whatsapp": self.media})
        await runner.run(await self.claim("whatsapp:"))

    async def deliver(self) -> None:
        """Send what waits to be sent."""
        lane = await self.claim("out:")
        try:
            await Deliver(self.pool, {"whatsapp": self.channel}, "TF").run(lane)
        except RetryLater as error:
            await queue.release_lane(self.conn, lane, pause=error.delay, failure=str(error), is_try=False)

    @property
    def taken(self) -> list[Accepted]:
        """What the vendor has taken from us, oldest first."""
        return self.vendor.journal.accepted

    async def sql(self, statement: str, *values: Any) -> Any:
        return await self.conn.fetchval(statement, *values)


@asynccontextmanager
async def open_chat_desk(database_url: str, pool: Pool, conn: Connection, **environ: str) -> AsyncIterator[ChatDesk]:
    """A desk for the length of the block. environ: settings by name, over those every such desk has."""
    settings = make_settings(
        TWILIO_ACCOUNT_SID=ACCOUNT, TWILIO_AUTH_TOKEN=TOKEN, TWILIO_WHATSAPP_FROM=NUMBER,
        DEBOUNCE_SECONDS_WHATSAPP="5", **environ,
    )  # fmt: skip
    assert settings.whatsapp_account is not None
    status_url = partial(make_status_url, settings, "whatsapp")
    async with (
        running_vendor(knobs=Knobs(callbacks=[])) as vendor,
        open_whatsapp(
            settings.whatsapp_account,
            status_url,
            api_base=vendor.url,
            index_lag=timedelta(0),
            template_sid=settings.twilio_template_sid,
        ) as channel,
        open_desk(database_url, pool=pool, settings=settings) as web,
    ):
        yield ChatDesk(pool, conn, settings, vendor, channel, web)
