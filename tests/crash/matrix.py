"""A run of the matrix: customers write, processes die where they are told to, and the vendor's journal is read."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

from asyncpg import Record

from channels.splitting import split_for
from db import queue, tickets
from db.pool import Connection
from tests.crash.model import ANSWER, LONG_ANSWER, STEPS
from tests.crash.points import Case
from tests.crash.world import World
from tests.fakes import submit
from tests.stand_ins.channels import split_words
from tests.stand_ins.vendor import Vendor

LOOK_SECONDS = 0.1
LOOKS = 15
"""So often nothing waited, and yet something that was to happen has not: it never will."""
PART_SIZE = 2000  # of the two small channels


@dataclass(slots=True)
class Desk:
    """One team's database and vendor, and who wrote to it."""

    conn: Connection
    vendor: Vendor
    world: World
    patience: float = 60
    """Seconds after which it is said that it never settled."""
    unsettled: str | None = None
    references: dict[str, str] = field(default_factory=dict)
    """Key of a case on the page to the reference of its ticket."""

    async def write(self, cases: Iterable[Case]) -> None:
        """Each of these customers sends one message."""
        await self.conn.execute(
            """
            insert into channel_configs (channel, max_chars, preferred_chars)
            values ('drafts', 5000, 300), ('mute', 5000, 300), ('whatsapp', 5000, 300)
            on conflict (channel) do update set max_chars = excluded.max_chars
            """
        )
        lanes = {await self.write_one(case): case.key for case in cases}
        self.world = replace(self.world, cases=(*self.world.cases, *cases), lanes=self.world.lanes | lanes)

    async def write_one(self, case: Case) -> str:
        """Returns the lane."""
        text = f"Something about my boards ({case.key})"
        if case.channel == "web":
            reference = await submit(self.conn, text, email=f"{case.key}@example.com")
            self.references[case.key] = reference
            return f"web:{reference}"
        address = address_of(case)
        kind = "phone" if case.channel == "whatsapp" else "email"
        who = {"kind": kind, "value": address, "proof": "provider", "name": "Ana Lima", "plan": None}
        payload = {
            "version": 1,
            "channel": case.channel,
            "thread_key": address,
            "external_id": uuid4().hex,
            "body": text,
            "subject": "",
            "category": None,
            "trust": 3,
            "sent_at": datetime.now(UTC),
            "customer": who,
        }
        lane = f"{case.channel}:{address}"
        await queue.add_work(self.conn, lane, "inbound", payload, dedupe_key=f"{case.channel}:{payload['external_id']}")
        return lane

    async def settle(self) -> None:
        """Until nothing waits any more, or patience is at its end: then no case ends well.

        This only says when to look; what is right is read at the vendor.
        """
        quiet = 0
        for _ in range(int(self.patience / LOOK_SECONDS)):
            quiet = quiet + 1 if await self.is_quiet() else 0
            if quiet > (LOOKS if any(self.world.find_next(case) for case in self.world.cases) else 0):
                return
            await asyncio.sleep(LOOK_SECONDS)
        rows = await self.conn.fetch("select * from lanes where pending > 0 or lease_until is not null")
        self.unsettled = f"never settled: {[dict(row) for row in rows]}"

    async def is_quiet(self) -> bool:
        if self.is_somebody_asleep():
            return False
        return not await self.conn.fetchval(
            "select exists (select from lanes where pending > 0 or lease_until > now())"
        )

    def is_somebody_asleep(self) -> bool:
        """Who was stopped is awake again two leases later, and has found out that it was."""
        slept = (
            self.world.hit_file(case, number).stat().st_mtime
            for case in self.world.cases
            for number, hit in enumerate(case.hits[: self.world.count_hits(case)])
            if hit.way in ("stop", "sleep")
        )
        return time.time() < max(slept, default=0) + self.world.lease * 2 + 0.5

    async def list_answers(self, case: Case) -> list[str]:
        """What reached the customer: the vendor's own journal, or what the ticket page shows."""
        if case.channel == "web":
            messages = await tickets.list_ticket_messages(self.conn, self.references[case.key])
            return [message.text for message in messages if message.direction == "outbound"]
        return [one.send.body.strip() for one in self.vendor.journal.list_to(address_of(case))]

    async def judge(self, case: Case) -> str | None:
        """What is wrong about how the case ended; None when all is as promised."""
        if self.unsettled:
            return f"{case.name}: {self.unsettled}"
        answers = await self.list_answers(case)
        waiting = await self.find_waiting(case)
        flagged = await self.is_flagged(case)
        waits_for = waiting and waiting["waits_for"]
        story = f"{case.name}: answered {len(answers)} times, waits for {waits_for}, flagged {flagged}"
        if self.world.find_next(case):
            return f"{case.name}: only {self.world.count_hits(case)} of {len(case.hits)} happened"
        asked, claims = self.world.count(case, "asked"), self.world.count(case, "claimed")
        told = [part.strip() for part in split_answer(case)]
        if answers != told:
            if set(answers) - set(told):
                return f"{story}: not what was meant for them"
            if len(answers) > len(told) and not (case.may_be_doubled and flagged and answers == told * 2):
                return f"{story}: told twice"
            if len(answers) < len(told) and not (case.may_end_silent and waiting):
                return f"{story}: lost"
        if waiting and not case.may_be_parked:
            return f"{story}: still waits"
        if waiting and (waiting["waits_for"] != "person" or waiting["is_unseen"] or not waiting["is_owned"]):
            return f"{story}: unseen"
        if asked > STEPS + max(len(case.hits), claims - 1):  # a busy machine may cost a lease, and that a claim
            return f"{story}: the model was asked {asked} times"
        return None

    async def find_waiting(self, case: Case) -> Record | None:
        """The customer's row among those who wait."""
        return await self.conn.fetchrow(
            """
            select waits_for, is_unseen, owner is not null and due_at is not null as is_owned
              from waiting_customers join conversations c on c.id = conversation_id
             where c.channel || ':' || c.thread_key = $1
            """,
            self.lane_of(case),
        )

    async def is_flagged(self, case: Case) -> bool:
        """Whether somebody is told that the customer may have got something twice."""
        flagged: bool = await self.conn.fetchval(
            """
            select coalesce(bool_or(possible_duplicate), false)
              from messages m join conversations c on c.id = m.conversation_id
             where c.channel || ':' || c.thread_key = $1
            """,
            self.lane_of(case),
        )
        return flagged

    def lane_of(self, case: Case) -> str:
        return next(lane for lane, key in self.world.lanes.items() if key == case.key)

    async def judge_all(self) -> list[str]:
        """All that is wrong."""
        found = [await self.judge(case) for case in self.world.cases]
        return [wrong for wrong in found if wrong]


def split_answer(case: Case) -> list[str]:
    """What the customer is to get, one vendor message each."""
    if case.parts == 1:
        return [ANSWER]
    return split_for("whatsapp", LONG_ANSWER) if case.channel == "whatsapp" else split_words(LONG_ANSWER, PART_SIZE)


def address_of(case: Case) -> str:
    """Where this customer is reached; `to` of what the vendor is given."""
    number = int(case.key.removeprefix("case"))
    return f"+49151{number:08}" if case.channel == "whatsapp" else f"{case.key}@example.com"
