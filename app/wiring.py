"""Settings into a worker: the models, the embedder, the handlers. Only commands that need a worker import this."""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cache, partial
from urllib.parse import urlsplit

from agent.assess import Assessor
from agent.embeddings import Embedder, LocalEmbedder, PrivateEmbedder, find_local_embedder, open_openai_embedder
from agent.learning import Learner
from agent.models.base import Model
from agent.models.connections import open_http_client
from agent.models.offline import OfflineModel
from agent.models.openai import ModelEndpoint, open_openai_model
from agent.models.private import PrivateModel
from agent.models.provider import Board, Gate, Provider
from agent.prices import Prices, read_price
from agent.privacy import choose_kinds
from agent.turn import Limits
from app.access import make_status_url
from app.collector import spare_collector
from app.database import Database
from app.feedback_link import make_feedback_url
from app.settings import Settings, SettingsError
from app.wakeup import Announcer
from channels.base import Channel, MediaSource
from channels.gmail import Gmail, open_gmail
from channels.outgoing import Teller
from channels.twilio.media import TwilioMedia
from channels.twilio.message_list import MessageList
from channels.twilio.webhooks import WhatsAppWebhooks
from channels.whatsapp import WhatsApp, open_whatsapp
from db.listen import listen
from db.pool import Pool
from db.queue import WORK_CHANNEL
from db.turns import Budgets
from worker.completer import Completer
from worker.deliver import Deliver
from worker.jobs.draft import WriteDraft
from worker.jobs.feedback import AskFeedback
from worker.jobs.gmail_sync import GmailSync, GmailWatch, poll_mailbox
from worker.jobs.notify import Digest, MailTeam, Notify
from worker.jobs.post import Post
from worker.jobs.promises import Promises
from worker.jobs.summary import Summarise
from worker.jobs.upkeep import Autonomy, Drop, IndexArticle, Remind, Sweep
from worker.jobs.whatsapp_sync import WhatsAppSync
from worker.loop import Handler, Worker, WorkerSettings
from worker.schedule import run_schedule
from worker.turn import TurnRunner


def list_endpoints(settings: Settings) -> dict[str, ModelEndpoint]:
    """The models behind a network in the order they are asked, by what their settings begin with."""
    endpoints = {}
    if settings.has_model:
        key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else ""
        model = settings.openai_model or ""
        endpoints["OPENAI"] = ModelEndpoint(settings.openai_base_url, key, model, settings.openai_wire)
    if settings.has_fallback:
        key = settings.fallback_api_key.get_secret_value() if settings.fallback_api_key else ""
        endpoints["FALLBACK"] = ModelEndpoint(settings.fallback_base_url, key, settings.fallback_model or "")
    return endpoints


def open_models(settings: Settings, pool: Pool) -> tuple[Model, ...]:
    """The chain a turn goes down: primary, second provider, offline. The last needs no key and always answers."""
    endpoints = list_endpoints(settings)
    if not endpoints:
        return (OfflineModel(),)
    shared, board = open_http_client(settings.worker_concurrency), Board(pool, name_worker())
    kinds = choose_kinds(hide_contacts=settings.hide_contacts == "on")
    models = (open_openai_model(endpoint, http_client=shared) for endpoint in endpoints.values())
    remote = (Provider(model, board, Gate(settings.worker_concurrency)) for model in models)
    return (*(PrivateModel(model, kinds) for model in remote), OfflineModel())


def read_prices(settings: Settings) -> Prices:
    """What the models of these settings cost, as far as they say it; of one model at two providers the dearer price."""
    given = ((settings.openai_model, settings.openai_price), (settings.fallback_model, settings.fallback_price))
    known = [(model, read_price(price)) for model, price in given if model and price]
    return dict(sorted(known, key=lambda pair: pair[1].output))


def read_budgets(settings: Settings) -> Budgets:
    """What these settings allow to be spent in a UTC day."""
    return Budgets(
        day=Decimal(str(settings.daily_budget_usd)),
        conversation=Decimal(str(settings.conversation_budget_usd)),
        customer=Decimal(str(settings.customer_budget_usd)),
    )


@cache
def name_worker() -> str:
    """This process, among all that work on the same database."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"


def open_embedder(settings: Settings) -> Embedder | None:
    """Where vectors come from; None where text search alone must do. SettingsError for a choice that cannot be."""
    wish, key = settings.embeddings, settings.openai_api_key
    if wish == "off":
        return None
    if wish == "openai" or (wish == "auto" and key is not None and settings.openai_base_url is None):
        if key is None:
            raise SettingsError("EMBEDDINGS: openai needs OPENAI_API_KEY")
        remote = open_openai_embedder(
            api_key=key.get_secret_value(), base_url=settings.openai_base_url, model=settings.embedding_model
        )
        return PrivateEmbedder(remote, choose_kinds(hide_contacts=settings.hide_contacts == "on"))
    local = find_local_embedder()
    if local is None and wish == "local":
        raise SettingsError("EMBEDDINGS: local needs the packages of requirements-local.txt, run make install")
    return local


@dataclass(frozen=True, slots=True)
class Agent:
    """What answers: made once per process, shared by all turns."""

    models: tuple[Model, ...]
    embedder: Embedder | None
    assessor: Assessor
    learner: Learner | None = None
    """What keeps the assessor as fresh as the examples; None: it stays as it is."""


async def open_agent(settings: Settings, pool: Pool) -> Agent:
    """The models, the embedder and the pre-pass of these settings."""
    embedder = open_embedder(settings)
    learner = Learner(pool, embedder if isinstance(embedder, LocalEmbedder) else None)
    assessor = await learner.open_assessor()
    assessor.assess(["Hello"], previous=(), language=None, category_hint=None)  # reads all rules before anybody waits
    return Agent(open_models(settings, pool), embedder, assessor, learner)


@asynccontextmanager
async def open_channels(settings: Settings) -> AsyncIterator[dict[str, Channel]]:
    """The vendors that replies are handed to, by channel; those whose settings are incomplete are left out."""
    async with AsyncExitStack() as stack:
        channels: list[Channel] = []
        if settings.whatsapp_account is not None:
            lag = timedelta(seconds=settings.twilio_index_lag_seconds)
            status_url = partial(make_status_url, settings, "whatsapp")
            opened = open_whatsapp(
                settings.whatsapp_account,
                status_url,
                api_base=settings.twilio_api_base,
                index_lag=lag,
                template_sid=settings.twilio_template_sid,
            )
            channels.append(await stack.enter_async_context(opened))
        if settings.gmail_account is not None:
            channels.append(await stack.enter_async_context(open_gmail(settings.gmail_account, settings.company_name)))
        yield {channel.name: channel for channel in channels}


def make_turn_runner(
    settings: Settings,
    pool: Pool,
    agent: Agent,
    announcer: Announcer | None = None,
    channels: Mapping[str, Channel] | None = None,
) -> TurnRunner:
    """What answers inbound messages. Whoever gives an announcer flushes it at the end."""
    host = urlsplit(settings.public_base_url).hostname
    return TurnRunner(
        pool=pool,
        models=agent.models,
        embedder=agent.embedder,
        assessor=agent.assessor,
        prices=read_prices(settings),
        limits=Limits(usd=Decimal(str(settings.turn_budget_usd)), early_search=len(agent.models) > 1),
        company=settings.company_name,
        ticket_prefix=settings.ticket_prefix,
        allowed_links=(host,) if host else (),
        budgets=read_budgets(settings),
        announce=(announcer or Announcer(pool)).announce,
        channels=channels or {},
        media=open_media(settings),
    )


def open_media(settings: Settings) -> dict[str, MediaSource]:
    """Where the files that come with messages are fetched from, by channel."""
    account = settings.whatsapp_account
    return {"whatsapp": TwilioMedia(account, api_base=settings.twilio_api_base)} if account else {}


def make_worker(
    settings: Settings, database: Database, pool: Pool, agent: Agent, channels: Mapping[str, Channel]
) -> Worker:
    """A worker over an open pool. Run it with `await worker.run()`; `worker.stop()` ends it."""
    announcer, completer = Announcer(pool), Completer(pool)
    lease = timedelta(seconds=settings.worker_lease_seconds)
    runner = make_turn_runner(settings, pool, agent, announcer, channels)
    worker = Worker(
        pool=pool,
        handlers={
            "inbound": runner,
            "draft": WriteDraft(pool, completer, runner),
            "deliver": Deliver(pool, channels, settings.ticket_prefix, lease),
            "index_article": IndexArticle(pool, completer, agent.embedder),
            "summarise": make_summarise(settings, pool, completer, agent),
            "sweep": Sweep(pool, completer),
            "remind": Remind(pool, completer),
            "autonomy": Autonomy(pool, completer),
            "promises": Promises(pool, completer),
            "csat": AskFeedback(pool, completer, partial(make_feedback_url, settings)),
            **make_telling_handlers(settings, pool, completer, channels.get("gmail")),
            **make_mail_handlers(settings, pool, completer, channels.get("gmail")),
            **make_whatsapp_handlers(settings, pool, completer, channels.get("whatsapp")),
        },
        settings=WorkerSettings(
            name=name_worker(),
            concurrency=settings.worker_concurrency,
            lease=lease,
            poll=timedelta(seconds=settings.poll_seconds),
        ),
    )
    worker.side_tasks = (
        partial(listen, database.listen_url, WORK_CHANNEL, lambda _: worker.wake.set()),
        partial(run_schedule, pool),
        announcer.flush_at_the_end,
    )
    if agent.learner is not None:
        worker.side_tasks += (partial(agent.learner.follow, agent.assessor),)
    if "gmail" in channels:
        worker.side_tasks += (partial(poll_mailbox, pool, timedelta(seconds=settings.gmail_poll_seconds)),)
    return worker


def make_summarise(settings: Settings, pool: Pool, completer: Completer, agent: Agent) -> Summarise:
    """What keeps long conversations in short, with the first model behind a network if there is one."""
    first = agent.models[0] if isinstance(agent.models[0], PrivateModel) else None
    usd = Decimal(str(settings.turn_budget_usd))
    return Summarise(pool, completer, first, read_prices(settings), read_budgets(settings), usd)


def make_telling_handlers(
    settings: Settings, pool: Pool, completer: Completer, gmail: Channel | None
) -> Mapping[str, Handler]:
    """What tells the team and its programs that a customer needs a person."""
    base_url = settings.public_base_url
    return {
        "notify": Notify(pool, completer, base_url),
        "digest": Digest(pool, completer),
        "team_mail": MailTeam(pool, gmail if isinstance(gmail, Gmail) else None, base_url),
        "post": Post(pool, Teller(settings.webhook_test_origin)),
    }


def make_mail_handlers(
    settings: Settings, pool: Pool, completer: Completer, gmail: Channel | None
) -> Mapping[str, Handler]:
    """What reads the mailbox and keeps Google telling us of it; without one, what was queued for it is dropped."""
    if not isinstance(gmail, Gmail):
        return dict.fromkeys(("gmail_sync", "gmail_watch"), Drop(pool, completer, "gmail"))
    quiet = timedelta(seconds=settings.debounce_seconds_email)
    push = settings.gmail_push
    return {
        "gmail_sync": GmailSync(pool, completer, gmail.api, quiet, settings.ticket_prefix),
        "gmail_watch": GmailWatch(pool, completer, gmail.api, push.topic if push else None),
    }


def make_whatsapp_handlers(
    settings: Settings, pool: Pool, completer: Completer, whatsapp: Channel | None
) -> Mapping[str, Handler]:
    """What holds our rows against Twilio's list; without Twilio, what was queued for it is dropped."""
    if not isinstance(whatsapp, WhatsApp):
        return {"whatsapp_sync": Drop(pool, completer, "whatsapp")}
    listed = MessageList(whatsapp.client, whatsapp.account)
    webhooks = WhatsAppWebhooks(whatsapp.account, settings.public_base_url)
    quiet = timedelta(seconds=settings.debounce_seconds_whatsapp)
    return {"whatsapp_sync": WhatsAppSync(pool, completer, listed, webhooks, quiet, settings.ticket_prefix)}


@asynccontextmanager
async def running_worker(worker: Worker) -> AsyncIterator[asyncio.Task[None]]:
    """The worker at work for the length of the block; it is stopped and waited for at the end."""
    spare_collector()
    task = asyncio.create_task(worker.run())
    try:
        yield task
    finally:
        worker.stop()
        await task
