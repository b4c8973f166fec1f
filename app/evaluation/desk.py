"""A desk of its own for one ticket: messages in, the worker's own steps, and what came of them."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from agent.models.base import Model
from app.database import Database
from app.evaluation.observed import Observed, Reply
from app.evaluation.posting import (
    ACCOUNT,
    Mailbox,
    find_identifier,
    post_again,
    post_chat,
    post_form,
    post_mail,
)
from app.evaluation.records import Ticket, Turn
from app.evaluation.vendors import HeardModel, KeptChannel
from app.settings import Settings
from app.wiring import Agent, make_worker
from db import conversations, scratch
from db.conversations import Message, Step
from db.pool import Connection, Pool, acquire
from worker.loop import Worker, WorkerSettings
from worker.turn import TurnRunner

LEASE = timedelta(minutes=10)  # nobody else claims here, and nobody extends it
ROUNDS = 40
"""How often what waits is looked at in a turn; a reply that is tried again and again ends at a person before that."""
MAILBOX = "support@tidefern.example"


async def tell_nobody(_: str) -> None:
    """Nobody looks at a page here."""


@dataclass
class Desk:
    """One database, one customer, and the vendors as far as they matter."""

    pool: Pool
    settings: Settings
    worker: Worker
    models: tuple[HeardModel, ...]
    mail: KeptChannel
    chat: KeptChannel
    box: Mailbox
    known: frozenset[UUID] = frozenset()
    """Conversations that were there before the ticket."""
    customer: UUID | None = None
    reference: str | None = None
    """Of the ticket that the web form opened."""
    said: list[str] = field(default_factory=list)
    replies: set[str] = field(default_factory=set)
    """Those seen in earlier turns."""
    turns: set[UUID] = field(default_factory=set)
    metrics: int = 0

    async def begin(self) -> None:
        async with acquire(self.pool) as conn:
            self.known = frozenset(talk.id for talk in await scratch.list_talks(conn))
            self.metrics = (await scratch.load_rest(conn)).metrics

    async def post(self, ticket: Ticket, turn: Turn) -> str | None:
        """What the customer writes comes in; the Message-ID of the last mail."""
        channel, subject = turn.channel or ticket.channel, turn.subject or ticket.subject
        message_id = None
        async with acquire(self.pool) as conn:
            await self.place_customer(conn, ticket, turn, channel)
            for text in turn.raw:
                if channel == "email":
                    raw = self.box.receive(text, ticket.customer, subject)
                    message_id = next(reversed(self.box.threads))
                    await post_mail(conn, self.settings, self.box, raw)
                elif channel == "whatsapp":
                    await post_chat(conn, self.settings, ticket.customer, text)
                elif self.reference is None:
                    self.reference = await post_form(conn, self.settings, ticket.customer, subject, text)
                else:
                    await post_again(conn, self.settings, self.reference, text)
        self.said += [subject or "", *turn.raw]
        return message_id

    async def place_customer(self, conn: Connection, ticket: Ticket, turn: Turn, channel: str) -> None:
        who = ticket.customer
        self.customer = await scratch.place_customer(
            conn, self.customer, name=who.name, plan=who.plan, identifier=find_identifier(channel, who, turn)
        )

    async def work(self) -> None:
        """All that waits is done, as a worker does it, without the pauses."""
        for _ in range(ROUNDS):
            async with acquire(self.pool) as conn:
                await scratch.skip_quiet_time(conn)
            self.worker.floor = None
            if not await self.worker.claim(self.worker.free_slots):
                return
            await asyncio.gather(*self.worker.running.values())

    async def play(self, ticket: Ticket, turn: Turn) -> Observed:
        """One turn from the customer's words to what came of them."""
        sent, asked = len(self.mail.sent), [len(model.briefs) for model in self.models]
        answers_id = await self.post(ticket, turn)
        began = time.perf_counter()
        await self.work()
        milliseconds = (time.perf_counter() - began) * 1000
        mails = tuple(self.mail.sent[sent:])
        for raw in mails:
            self.box.take_own(raw)
        briefs = [b for model, seen in zip(self.models, asked, strict=True) for b in model.briefs[seen:]]
        async with acquire(self.pool) as conn:
            observed = await self.observe(conn, turn.channel or ticket.channel)
        ours = observed.ticket
        return replace(
            observed,
            category=ours.category if ours else briefs[-1].assessment.category if briefs else None,
            account=(*observed.account, ticket.customer.plan or "", self.settings.company_name),
            name=ticket.customer.name,
            mails=mails,
            answers_id=answers_id,
            milliseconds=milliseconds,
        )

    async def observe(self, conn: Connection, channel: str) -> Observed:
        """The rows of this ticket, and which of them are new."""
        talks = [talk for talk in await scratch.list_talks(conn) if talk.id not in self.known]
        rest = await scratch.load_rest(conn)
        messages = [m for talk in talks for m in await conversations.list_messages(conn, talk.id)]
        turns = {turn.id: (talk, turn) for talk in talks for turn in await conversations.list_turns(conn, talk.id)}
        steps = await conversations.list_steps(conn, list(turns))
        new = [turns[one] for one in turns if one not in self.turns and turns[one][1].state == "done"]
        talk = new[-1][0] if new else talks[-1] if talks else None
        own = await conversations.list_tickets(conn, talk.id) if talk else []
        replies = group_replies(messages)
        wait = next((wait for wait in rest.waits if talk and wait.conversation_id == talk.id), None)
        observed = Observed(
            channel=channel,
            said=(*self.said, *(message.text for message in messages if message.direction == "inbound")),
            account=(*list_told(steps), *(ticket.reference for ticket in own)),
            replies=tuple(reply for key, reply in replies.items() if key not in self.replies),
            passages={row["passage"]: f"{row['title']}\n{row['text']}" for step in steps for row in step.passages},
            outcomes=tuple(turn.outcome or "" for _, turn in new),
            sentiment=talk.sentiment if talk else None,
            tickets=tuple(own),
            tools=tuple(name for step in steps if step.turn_id in {t.id for _, t in new} for name in list_tools(step)),
            waits_for=wait.waits_for if wait else None,
            is_unseen=wait is not None and wait.is_unseen,
            all_tickets=sum([len(await conversations.list_tickets(conn, one.id)) for one in talks]),
            all_replies=len(replies),
            metrics=rest.metrics - self.metrics,
            new_metrics=len(new),
            queued=rest.queued,
            dead=rest.dead,
            tokens=sum((t.input_tokens or 0) + (t.output_tokens or 0) for _, t in new),
        )
        self.replies |= set(replies)
        self.turns |= set(turns)
        return observed


def group_replies(messages: Sequence[Message]) -> dict[str, Reply]:
    """The agent's messages by the turn they belong to; the parts of one reply are one."""
    found: dict[str, Reply] = {}
    for message in messages:
        if message.direction == "outbound" and message.delivery != "cancelled":
            key = str(message.turn_id or message.id)
            parts = (*found[key].parts, message.text) if key in found else (message.text,)
            found[key] = Reply(parts, message.kind or "", tuple(message.citations))
    return found


def list_tools(step: Step) -> list[str]:
    return [str(item["name"]) for item in step.items if item["type"] == "tool_call"]


def list_told(steps: Sequence[Step]) -> list[str]:
    """What tools that know the account answered."""
    knows = {"get_customer_history", "create_ticket", "escalate_to_human"}
    names = {item["id"]: item["name"] for step in steps for item in step.items if item["type"] == "tool_call"}
    return [str(row["output"]) for step in steps for row in step.results if names.get(row["call_id"]) in knows]


def open_desk(settings: Settings, url: str, pool: Pool, agent: Agent, models: Sequence[Model]) -> Desk:
    """A desk on an open pool whose agent asks these models."""
    mailbox = settings.gmail_address or MAILBOX
    mail = KeptChannel("gmail", mailbox, settings.company_name)
    chat = KeptChannel("whatsapp", ACCOUNT.number, settings.company_name)
    heard = tuple(HeardModel(model) for model in models)
    channels: dict[str, Any] = {one.name: one for one in (mail, chat)}
    worker = make_worker(settings, Database(url, url), pool, replace(agent, models=heard), channels)
    inbound = worker.handlers["inbound"]
    assert isinstance(inbound, TurnRunner)  # noqa: S101 (for mypy)
    worker.handlers = {**worker.handlers, "inbound": replace(inbound, announce=tell_nobody)}
    worker.settings = WorkerSettings("evaluation", concurrency=8, lease=LEASE)
    return Desk(pool, settings, worker, heard, mail, chat, Mailbox(mailbox))
