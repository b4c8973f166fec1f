"""The two kinds of process: a worker with one lane in hand at a time, and a web process."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import httpx2
import uvicorn

from app.access import make_status_url
from app.database import Database
from app.main import Server, create_app
from app.settings import Settings, read_settings
from app.wakeup import Announcer
from channels.base import Channel
from channels.twilio.account import WhatsAppAccount
from channels.whatsapp import TIMEOUT, WhatsApp
from db.pool import Pool
from tests.crash.life import LIFE, begin_life
from tests.crash.model import CaseModel
from tests.crash.world import World
from tests.fakes import make_runner
from tests.stand_ins.channels import DraftsChannel, MuteChannel
from tests.stand_ins.webhooks import ACCOUNT, NUMBER, TOKEN
from worker.deliver import Deliver
from worker.loop import Worker, WorkerSettings


class EagerWorker(Worker):
    """Looks for lost leases at every claim, not only every few seconds: the same, with less waiting."""

    def find_floor(self) -> datetime | None:
        return None


def make_settings(world: World) -> Settings:
    return read_settings(
        {
            "APP_SECRET": "secret-of-the-matrix",
            "DATABASE_URL": world.database_url,
            "PUBLIC_BASE_URL": world.public_url,
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "TWILIO_WHATSAPP_FROM": NUMBER,
            "DEBOUNCE_SECONDS_WHATSAPP": "0",
        }
    )


async def open_channels(world: World, stack: AsyncExitStack) -> dict[str, Channel]:
    """The vendors that cases are about, at the stand-in."""
    channels: list[Channel] = [DraftsChannel(world.vendor_url), MuteChannel(world.vendor_url)]
    if any(case.channel == "whatsapp" for case in world.cases):
        channels.append(await stack.enter_async_context(open_twilio(world)))
    return {channel.name: channel for channel in channels}


@asynccontextmanager
async def open_twilio(world: World) -> AsyncIterator[WhatsApp]:
    """As the product opens it, without the certificates, which take longer to read than a life lasts."""
    async with httpx2.AsyncClient(
        base_url=world.vendor_url, auth=(ACCOUNT, TOKEN), timeout=TIMEOUT, verify=False
    ) as client:
        account = WhatsAppAccount(ACCOUNT, TOKEN, NUMBER)
        yield WhatsApp(client, account, partial(choose_status_url, world), timedelta(seconds=world.index_lag))


def choose_status_url(world: World, token: UUID) -> str:
    """Each case has a web process of its own to report to."""
    life = LIFE.get()
    key = life.case.key if life is not None and life.case is not None else ""
    return make_status_url(make_settings(replace(world, port=world.ports.get(key, world.port))), "whatsapp", token)


def make_worker(world: World, pool: Pool, channels: dict[str, Channel]) -> Worker:
    announcer = Announcer(pool)
    runner = make_runner(pool, CaseModel(world), channels=list(channels.values()))
    return EagerWorker(
        pool=pool,
        handlers={
            "inbound": replace(runner, announce=announcer.announce),
            "deliver": Deliver(pool, channels, "TF", lease=world.lease_time),
        },
        settings=WorkerSettings(
            name=secrets.token_hex(8), concurrency=1, lease=world.lease_time, poll=timedelta(seconds=world.poll)
        ),
    )


async def live_as_worker(world: World, stopping: asyncio.Event) -> None:
    """Until it ends at a point, or is told to stop and has done what it had in hand."""
    async with begin_life(world) as (life, stack):
        assert life.pool is not None
        worker = make_worker(world, life.pool, await open_channels(world, stack))
        working = asyncio.create_task(worker.run())
        await wait_for_first(working, life.ended, stopping)
        if life.ended.is_set():
            await end_tasks(working, *worker.running.values())
        else:
            life.is_asleep = False
            worker.stop()
            await working


async def live_as_web(world: World, stopping: asyncio.Event) -> None:
    """Serve on the world's port until it ends at a point of its one case, or is told to stop."""
    async with begin_life(world, world.cases[0]) as (life, stack):
        app = create_app(make_settings(world), Database(world.database_url, world.database_url), pool=life.pool)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", world.port)))
        server = Server(uvicorn.Config(app, http="h11", access_log=False, log_config=None, ws="none"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await wait_for_first(serving, life.ended, stopping)
        await cut_off(server)
        await serving
        await server.lifespan.shutdown()  # what it had opened is closed; nothing of that reaches the database


async def cut_off(server: Server) -> None:
    """Whoever waits for an answer gets none."""
    for connection in list(server.server_state.connections):
        connection.transport.abort()
    await end_tasks(*server.server_state.tasks)
    server.should_exit = server.force_exit = True


async def wait_for_first(working: asyncio.Task[None], *events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait([working, *waiting], return_when=asyncio.FIRST_COMPLETED)
    await end_tasks(*waiting)


async def end_tasks(*tasks: "asyncio.Task[object]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
