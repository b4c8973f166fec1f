"""A whole desk with WhatsApp on: the web process and a worker with the offline model, in the test's own loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial

from app.access import make_status_url
from app.database import Database
from app.main import create_app, serve
from app.settings import Settings
from app.wiring import make_turn_runner, open_agent
from channels.whatsapp import WhatsApp, open_whatsapp
from db.pool import Connection, Pool
from tests.app.desk import make_settings
from tests.e2e.desk import find_free_port
from tests.stand_ins.webhooks import ACCOUNT, NUMBER, TOKEN
from worker.deliver import Deliver
from worker.loop import Worker, WorkerSettings

CUSTOMER = "+5511987654321"
INDEX_LAG = timedelta(seconds=0.5)


def configure(token: str = TOKEN, *, quiet_seconds: float = 0.3) -> Settings:
    """Settings of a desk on a free port of this machine. quiet_seconds: more than any two messages of a burst are
    apart, however busy the machine is."""
    port = str(find_free_port())
    return make_settings(
        PORT=port, PUBLIC_BASE_URL=f"http://127.0.0.1:{port}", TWILIO_ACCOUNT_SID=ACCOUNT, TWILIO_AUTH_TOKEN=token,
        TWILIO_WHATSAPP_FROM=NUMBER, EMBEDDINGS="off", DEBOUNCE_SECONDS_WHATSAPP=str(quiet_seconds),
    )  # fmt: skip


@asynccontextmanager
async def open_channel(settings: Settings, api_base: str, *, token: str = TOKEN) -> AsyncIterator[WhatsApp]:
    """The channel to a vendor that stands there; `token` is what it shows to the vendor."""
    assert settings.whatsapp_account is not None
    account = replace(settings.whatsapp_account, auth_token=token)
    status_url = partial(make_status_url, settings, "whatsapp")
    async with open_whatsapp(account, status_url, api_base=api_base, index_lag=INDEX_LAG) as channel:
        yield channel


@asynccontextmanager
async def running_desk(settings: Settings, database_url: str, pool: Pool, channel: WhatsApp) -> AsyncIterator[None]:
    """Web and worker for the length of the block."""
    app, stopping = create_app(settings, Database(database_url, database_url)), asyncio.Event()
    worker = await make_worker(settings, pool, channel)
    tasks = [asyncio.create_task(serve(app, settings, stopping)), asyncio.create_task(worker.run())]
    try:
        await wait_for_port(settings.port)
        yield
    finally:
        worker.stop()
        stopping.set()
        await asyncio.gather(*tasks)


async def make_worker(settings: Settings, pool: Pool, channel: WhatsApp) -> Worker:
    agent = await open_agent(settings, pool)
    runner = replace(make_turn_runner(settings, pool, agent), channels={"whatsapp": channel})
    return Worker(
        pool=pool,
        handlers={"inbound": runner, "deliver": Deliver(pool, {"whatsapp": channel}, "TF")},
        settings=WorkerSettings(name="chat", concurrency=4, lease=timedelta(seconds=12), poll=timedelta(seconds=0.05)),
    )


async def wait_for_port(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


async def wait_until(conn: Connection, question: str) -> None:
    """Until the database says yes."""
    async with asyncio.timeout(30):
        while not await conn.fetchval(question):
            await asyncio.sleep(0.05)
