"""From a customer's WhatsApp message to the answer on their phone, and back to what became of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import pytest

from app.access import make_status_url
from app.database import Database
from app.main import create_app, serve
from app.settings import Settings
from app.wiring import make_turn_runner, open_agent
from channels.base import OutgoingMessage
from channels.whatsapp import WhatsApp, open_whatsapp
from db.pool import Connection, Pool
from tests.app.desk import make_settings
from tests.e2e.desk import find_free_port
from tests.stand_ins.journal import Fault, Knobs
from tests.stand_ins.vendor import Vendor, running_vendor
from tests.stand_ins.webhooks import ACCOUNT, NUMBER, TOKEN
from worker.deliver import Deliver
from worker.loop import Worker, WorkerSettings

CUSTOMER = "+5511987654321"


def configure() -> Settings:
    port = str(find_free_port())
    return make_settings(
        PORT=port, PUBLIC_BASE_URL=f"http://127.0.0.1:{port}", TWILIO_ACCOUNT_SID=ACCOUNT, TWILIO_AUTH_TOKEN=TOKEN,
        TWILIO_WHATSAPP_FROM=NUMBER, EMBEDDINGS="off", DEBOUNCE_SECONDS_WHATSAPP="0.3",
    )  # fmt: skip


@asynccontextmanager
async def open_channel(settings: Settings, vendor: Vendor) -> AsyncIterator[WhatsApp]:
    assert settings.whatsapp_account is not None
    status_url = partial(make_status_url, settings, "whatsapp")
    async with open_whatsapp(
        settings.whatsapp_account, status_url, api_base=vendor.url, index_lag=timedelta(seconds=0.5)
    ) as channel:
        yield channel


@asynccontextmanager
async def running_desk(settings: Settings, database_url: str, pool: Pool, channel: WhatsApp) -> AsyncIterator[None]:
    """The web process and a worker with the offline model, in this loop."""
    app, stopping = create_app(settings, Database(database_url, database_url)), asyncio.Event()
    runner = replace(make_turn_runner(settings, pool, open_agent(settings)), channels={"whatsapp": channel})
    worker = Worker(
        pool=pool,
        handlers={"inbound": runner, "deliver": Deliver(pool, {"whatsapp": channel}, "TF")},
        settings=WorkerSettings(
            name="round-trip", concurrency=4, lease=timedelta(seconds=12), poll=timedelta(seconds=0.05)
        ),
    )
    tasks = [asyncio.create_task(serve(app, settings, stopping)), asyncio.create_task(worker.run())]
    try:
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", settings.port)
                    break
                except OSError:
                    await asyncio.sleep(0.02)
        writer.close()
        yield
    finally:
        worker.stop()
        stopping.set()
        await asyncio.gather(*tasks)


async def wait_until(conn: Connection, question: str) -> None:
    async with asyncio.timeout(30):
        while not await conn.fetchval(question):
            await asyncio.sleep(0.05)


async def test_burst_gets_one_answer_and_its_fate_is_known(database_url: str, pool: Pool, conn: Connection) -> None:
    settings = configure()
    async with running_vendor() as vendor, open_channel(settings, vendor) as channel:
        vendor.knobs.callbacks = ["delivered", "sent", "read"]
        async with running_desk(settings, database_url, pool, channel):
            for text in ("Hi", "I want to talk to a person", "please"):
                answer = await vendor.write(settings.public_base_url, CUSTOMER, text)
                assert answer.status == 204
            await wait_until(conn, "select count(*) > 0 from messages where delivery = 'read'")
            await wait_until(conn, "select count(*) = 0 from message_queue")
    turns = await conn.fetchval("select count(*) from turns where state = 'done'")
    assert turns == 1
    assert await conn.fetchval("select count(*) from messages where direction = 'inbound'") == 3
    sent = await conn.fetch("select idempotency_token, vendor_id, body from messages where direction = 'outbound'")
    taken = vendor.journal.list_to(CUSTOMER)
    assert [(one.send.token, one.id, one.send.body) for one in taken] == [
        (str(row["idempotency_token"]), row["vendor_id"], row["body"]) for row in sent
    ]
    assert set(vendor.journal.callbacks) == {"204"}
    known = await conn.fetchrow("select kind, value, proof from customer_identifiers")
    assert known is not None
    assert tuple(known) == ("phone", CUSTOMER, "provider")


def make_outgoing() -> OutgoingMessage:
    return OutgoingMessage(
        id=uuid4(), token=uuid4(), channel="whatsapp", thread_key=CUSTOMER, to=CUSTOMER, subject="",
        body="Olá 😀 & tchau", part=1, parts=1, tries=1, draft_id=None, first_try_at=datetime.now(UTC),
        in_reply_to=None,
    )  # fmt: skip


async def keep_no_draft(_: str) -> None:
    return


@pytest.mark.parametrize(
    ("fault", "is_taken"), [("drop", True), ("accept_500", True), ("lose", False), ("fail_500", False)]
)
async def test_try_nobody_knows_the_end_of_is_found_or_not_by_asking(fault: Fault, is_taken: bool) -> None:
    settings, message = configure(), make_outgoing()
    knobs = Knobs(script=[fault], callbacks=[], index_lag_seconds=0.3)
    async with running_vendor(knobs=knobs) as vendor, open_channel(settings, vendor) as channel:
        with pytest.raises(Exception) as caught:  # noqa: PT011 (which one does not matter)
            await channel.send(message, keep_no_draft)
        assert type(caught.value).__name__ not in ("NotSent", "Refused")
        assert await channel.look_up(message) is None, "the index lags"
        await asyncio.sleep(0.5)
        found = await channel.look_up(message)
        assert found == (vendor.journal.accepted[0].id if is_taken else None)
