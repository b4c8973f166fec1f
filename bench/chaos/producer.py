"""The customers and their vendors: every message is posted until somebody acknowledges it, some of them twice."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from urllib.parse import urlsplit

from bench.chaos.plan import Burst, CustomerMessage, Plan
from tests.stand_ins.http import Answer, NoAnswer, NoConnection, call
from tests.stand_ins.webhooks import INBOUND_PATH, make_inbound, post_webhook

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0  # seconds between tries
FOR_LATER = (408, 425, 429)


@dataclass(slots=True)
class Producer:
    """Posts the bursts of a plan to the web processes in turn, as a load balancer would."""

    plan: Plan
    public_url: str
    targets: Sequence[str]
    """Origins of the web processes; those that are down are tried all the same."""
    backlog: Callable[[], int]
    sent: list[CustomerMessage] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    """Tries by how they ended: status code, no connection, no answer."""
    refused: list[tuple[int, CustomerMessage]] = field(default_factory=list)
    """Answered with a no that no further try would change."""
    acked: int = 0
    duplicates: int = 0
    last_ack: tuple[float, float] = (0.0, 0.0)
    """When the try that was acknowledged last began, and when its answer came."""
    rng: random.Random = field(default_factory=random.Random)
    turns: "cycle[str]" = field(default_factory=lambda: cycle(()))

    def __post_init__(self) -> None:
        self.rng, self.turns = random.Random(self.plan.seed + 1), cycle(self.targets)

    async def run(self, bursts: Sequence[Burst]) -> None:
        """Returns once every message was acknowledged or refused."""
        free = asyncio.Semaphore(self.plan.bursts_at_once)
        async with asyncio.TaskGroup() as tasks:
            for burst in bursts:
                while self.backlog() > self.plan.backlog:
                    await asyncio.sleep(0.1)
                await asyncio.sleep(self.rng.expovariate(self.plan.rate / len(burst.messages)))
                await free.acquire()
                tasks.create_task(self.post_burst(burst)).add_done_callback(lambda _: free.release())

    async def post_burst(self, burst: Burst) -> None:
        async with asyncio.TaskGroup() as tasks:
            for message, pause in zip(burst.messages, burst.pauses, strict=True):
                await asyncio.sleep(pause)
                self.sent.append(message)
                tasks.create_task(self.post_message(message))

    async def post_message(self, message: CustomerMessage) -> None:
        """Until acknowledged; then perhaps once more, as vendors do."""
        again = self.rng.random() < self.plan.duplicate_share
        at_once = again and self.rng.random() < 0.5
        tries = [self.insist(message)] + ([self.insist(message)] if at_once else [])
        await asyncio.gather(*tries)
        if again and not at_once:
            await asyncio.sleep(self.rng.random() * 2)
            await self.insist(message)
        self.duplicates += again

    async def insist(self, message: CustomerMessage) -> None:
        pause = FIRST_PAUSE
        message.tried_at = message.tried_at or time.time()
        while not await self.try_once(message):
            await asyncio.sleep(pause * (0.5 + self.rng.random() / 2))
            pause = min(LONGEST_PAUSE, pause * 2)

    async def try_once(self, message: CustomerMessage) -> bool:
        """Post once. Whether that is the end of it."""
        message.tries += 1
        began = time.time()
        try:
            answer = await (self.post_form if message.is_form else self.post_chat)(message)
        except (NoConnection, NoAnswer) as error:
            self.answers[type(error).__name__] += 1
            return False
        self.answers[str(answer.status)] += 1
        if 200 <= answer.status < 300:
            self.note_ack(message, answer, began)
            return True
        if 400 <= answer.status < 500 and answer.status not in FOR_LATER:
            self.refused.append((answer.status, message))
            return True
        return False

    def note_ack(self, message: CustomerMessage, answer: Answer, began: float) -> None:
        self.last_ack = (began, time.time())
        if message.acked_at is None:
            message.acked_at = time.time()
            self.acked += 1
        if message.is_form:
            url = urlsplit(answer.read_json()["status_url"])
            message.page = f"{url.path}?{url.query}"

    async def post_chat(self, message: CustomerMessage) -> Answer:
        form = make_inbound(sender=message.customer, body=message.body, sid=message.sid)
        return await post_webhook(self.public_url + INBOUND_PATH, form, target=next(self.turns))

    async def post_form(self, message: CustomerMessage) -> Answer:
        """Each from an address of its own: the limit per address is not what is tried here."""
        digits = [int(message.sid[at : at + 2], 16) for at in (0, 2, 4)]
        headers = {
            "Idempotency-Key": message.sid,
            "Accept": "application/json",
            "X-Forwarded-For": ".".join(map(str, (10, *digits))),
        }
        fields = {"name": "Ana Lima", "email": message.customer, "subject": "Question", "message": message.body}
        return await call("POST", f"{next(self.turns)}/support/submit", headers=headers, json_body=fields)

    async def read_page(self, message: CustomerMessage) -> Answer:
        """The ticket page of a form, as its customer sees it."""
        headers = {"Accept": "application/json"}
        return await call("GET", f"{next(self.turns)}{message.page}", headers=headers)
