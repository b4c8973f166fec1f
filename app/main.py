"""The web process: its routes, its error table, and what is opened once for all requests."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from socket import AF_INET, AF_INET6, create_server, socket

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from app.channel_rules import RulesBook
from app.database import Database
from app.edge import Edge
from app.error_table import ERROR_TABLE
from app.gathering import open_gatherer
from app.inbox import InboxReader
from app.passwords import Passwords
from app.rendering import load_templates
from app.routes import (
    account,
    articles,
    attachments,
    audit,
    autonomy,
    canned,
    channel_texts,
    conversations,
    customers,
    feedback,
    gmail,
    health,
    hours,
    inbox,
    invitations,
    knowledge,
    login,
    mail_html,
    merges,
    metrics,
    misled,
    outgoing,
    proposals,
    self_test,
    static,
    support,
    team,
    thread,
    webhooks,
)
from app.settings import Settings, SettingsError
from app.state import DeskState
from app.wakeup import open_hub, open_waker
from channels.google_tokens import PushTokens
from channels.twilio.webhooks import WhatsAppWebhooks
from db.pool import Pool, open_pool

log = logging.getLogger(__name__)

COMMAND_TIMEOUT = 2.0  # seconds; a visitor is told sooner than a worker that the database does not answer
POOL_SIZE = 10  # connections; a request holds one for milliseconds
MAX_HEADER_BYTES = 65_536
STOP_TIMEOUT = 5  # seconds that requests in hand may take once the process stops
ROOMS = (
    support,
    inbox,
    thread,
    merges,
    mail_html,
    autonomy,
    canned,
    channel_texts,
    knowledge,
    proposals,
    misled,
    webhooks,
    gmail,
    articles,
    attachments,
    conversations,
    customers,
    feedback,
    hours,
    metrics,
    outgoing,
    self_test,
    health,
    login,
    invitations,
    account,
    team,
    audit,
    static,
)

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[DeskState]]


def create_app(settings: Settings, database: Database, *, pool: Pool | None = None) -> Starlette:
    """The web application; its lifespan opens the pool, unless one is given, which the caller then closes.

    Every route is an app.access.GuardedRoute and says who may use it. Raises SettingsError without APP_SECRET.
    """
    if settings.app_secret is None:
        raise SettingsError("APP_SECRET: must be set, to any long random text that stays the same")
    load_templates()
    app = Starlette(
        routes=[route for room in ROOMS for route in room.ROUTES],
        middleware=[Middleware(Edge)],
        exception_handlers=ERROR_TABLE,
        lifespan=make_lifespan(settings, database, pool),
    )
    app.router.redirect_slashes = False  # it would send visitors wherever the Host header says
    return app


def make_lifespan(settings: Settings, database: Database, given: Pool | None) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[DeskState]:
        async with AsyncExitStack() as stack:
            pool = given
            if pool is None:
                opened = open_pool(database.query_url, size=POOL_SIZE, command_timeout=COMMAND_TIMEOUT)
                pool = await stack.enter_async_context(opened)
            waker = await stack.enter_async_context(open_waker(pool))
            hub = await stack.enter_async_context(open_hub(database.listen_url))
            yield DeskState(
                settings=settings,
                pool=pool,
                waker=waker,
                hub=hub,
                gatherer=await stack.enter_async_context(open_gatherer(pool, waker)),
                report_slots=asyncio.Semaphore(POOL_SIZE // 2),
                rules=RulesBook(pool),
                whatsapp=open_webhooks(settings),
                push_tokens=open_push_tokens(settings),
                passwords=Passwords(),
                inbox=InboxReader(pool),
            )

    return lifespan


def open_webhooks(settings: Settings) -> WhatsAppWebhooks | None:
    """What reads Twilio's webhooks; None without the settings it takes."""
    account = settings.whatsapp_account
    return WhatsAppWebhooks(account, settings.public_base_url) if account else None


def open_push_tokens(settings: Settings) -> PushTokens | None:
    """What checks Google's pushes; None without the settings it takes."""
    push = settings.gmail_push
    return PushTokens(push.audience, push.service_account, push.certs_url) if push else None


class Server(uvicorn.Server):
    """Uvicorn that leaves signals to the command and ends event streams before it waits for requests in hand."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        self.lifespan.state["hub"].close()
        await super().shutdown(sockets)


async def serve(app: Starlette, settings: Settings, stopping: asyncio.Event) -> None:
    """Serve on HOST and PORT until `stopping` is set; then finish what is in hand, within STOP_TIMEOUT.

    Raises SettingsError when the address cannot be listened on.
    """
    listener = open_socket(settings)
    config = uvicorn.Config(
        app,
        http="h11",  # httptools takes headers of any size
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        proxy_headers=True,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=STOP_TIMEOUT,
        lifespan="on",
        ws="none",
    )
    server = Server(config)
    stop = asyncio.create_task(stop_server(server, stopping))
    try:
        log.info("serving", extra={"host": settings.host, "port": settings.port})
        await server.serve(sockets=[listener])
    finally:
        stop.cancel()
        await asyncio.wait([stop])


def open_socket(settings: Settings) -> socket:
    family = AF_INET6 if ":" in settings.host else AF_INET
    try:
        return create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise SettingsError(f"PORT: {settings.host}:{settings.port} cannot be listened on: {reason}") from error


async def stop_server(server: Server, stopping: asyncio.Event) -> None:
    await stopping.wait()
    server.should_exit = True
