"""What every request may reach: opened once by the lifespan, closed with it."""

from asyncio import Semaphore
from typing import NotRequired, TypedDict

from starlette.requests import Request

from app.channel_rules import RulesBook
from app.gathering import Gatherer
from app.inbox import InboxReader
from app.passwords import Passwords
from app.settings import Settings
from app.wakeup import ReplyHub, Waker
from channels.google_tokens import PushTokens
from channels.twilio.webhooks import WhatsAppWebhooks
from db.people import Actor
from db.pool import Pool


class DeskState(TypedDict):
    """Shared by all requests of a process."""

    settings: Settings
    pool: Pool
    waker: Waker
    hub: ReplyHub
    gatherer: Gatherer
    report_slots: Semaphore
    """Held by status reports: however long they wait for a conversation, connections are left for messages."""
    rules: RulesBook
    whatsapp: WhatsAppWebhooks | None
    """None while its settings are incomplete: the channel is off."""
    push_tokens: PushTokens | None
    """None while Google does not tell us of new mail: the mailbox is polled, or the channel is off."""
    passwords: Passwords
    inbox: InboxReader
    actor: NotRequired[Actor | None]
    """Who asks, of one request only: put there by the guard of a route of the team. See app.access.load_actor."""


DeskRequest = Request[DeskState]
