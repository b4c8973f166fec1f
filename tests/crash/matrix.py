"""A run of the matrix: customers write, processes die where they are told to, and the vendor's journal is read."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from uuid import uuid4

from db import queue, tickets
from db.pool import Connection
from tests.crash.model import ANSWER, STEPS
from tests.crash.points import Case
from tests.crash.world import World
from tests.fakes import submit
from tests.stand_ins.vendor import Vendor

SETTLE_SECONDS = 60


@dataclass(slots=True)
class Desk:
    """One team's database and vendor, and who wrote to it."""

    conn: Connection
    vendor: Vendor
    world: World
    references: dict[str, str] = field(default_factory=dict)
    """Key of a case on the page to the reference of its ticket."""

    async def write(self, cases: Iterable[Case]) -> None:
        """Each of these customers sends one message."""
        await self.conn.execute(
            """
            insert into channel_configs (channel, max_chars, preferred_chars) values ('drafts', 2000, 300), ('mute', 2000, 300)
            on conflict (channel) do nothing
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
            "sent_at": "2026-11-20T12:00:00+00:00",
            "customer": who,
        }
        lane = f"{case.channel}:{address}"
        await queue.add_work(self.conn, lane, "inbound", payload, dedupe_key=f"{case.channel}:{payload['external_id']}")
        return lane

    async def settle(self) -> None:
        """Until nothing waits and everything that was to happen has happened. AssertionError after a minute."""
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                while not await self.is_settled():
                    await asyncio.sleep(0.1)
        except TimeoutError:
            left = [case.name for case in self.world.cases if self.world.find_next(case)]
            rows = await self.conn.fetch("select * from lanes where pending > 0 or lease_until is not null")
            raise AssertionError(f"not settled; never reached: {left}; lanes: {[dict(row) for row in rows]}") from None

    async def is_settled(self) -> bool:
        """This only says when to look; what is right is read at the vendor."""
        if any(self.world.find_next(case) for case in self.world.cases) or self.is_somebody_asleep():
            return False
        return bool(
            await self.conn.fetchval(
                """
                select not exists (select from lanes where pending > 0 and run_at < now() + interval '1 hour')
                   and not exists (select from lanes where lease_until > now())
                """
            )
        )

    def is_somebody_asleep(self) -> bool:
        """Who was stopped is awake again two leases later, and has found out that it was."""
        slept = (
            self.world.hit_file(case, number).stat().st_mtime
            for case in self.world.cases
            for number, hit in enumerate(case.hits)
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
        answers = await self.list_answers(case)
        waiting = await self.conn.fetchrow(
            """
            select waits_for, is_unseen, owner is not null and due_at is not null as is_owned from waiting_customers
             where channel || ':' || conversation_id = $1 || ':' || (select id from conversations where channel || ':' || thread_key = $2)
            """,
            case.channel,
            next(lane for lane, key in self.world.lanes.items() if key == case.key),
        )
        flagged = await self.is_flagged(case)
        asked = self.world.count_asked(case)
        story = f"{case.name}: answered {len(answers)} times, waits for {waiting and waiting['waits_for']}, flagged {flagged}"
        if any(answer != ANSWER for answer in answers):
            return f"{story}: somebody else's answer"
        if len(answers) > 1 and not (case.may_be_doubled and flagged and len(answers) == 2):
            return f"{story}: told twice"
        if not answers and not (case.may_end_silent and waiting):
            return f"{story}: lost"
        if waiting and not case.may_be_parked:
            return f"{story}: still waits"
        if waiting and (waiting["waits_for"] != "person" or waiting["is_unseen"] or not waiting["is_owned"]):
            return f"{story}: unseen"
        if asked > STEPS + len(case.hits):
            return f"{story}: the model was asked {asked} times"
        return None

    async def is_flagged(self, case: Case) -> bool:
        lane = next(lane for lane, key in self.world.lanes.items() if key == case.key)
        flagged: bool = await self.conn.fetchval(
            """
            select coalesce(bool_or(possible_duplicate), false) from messages m join conversations c on c.id = m.conversation_id
             where c.channel || ':' || c.thread_key = $1
            """,
            lane,
        )
        return flagged

    async def judge_all(self) -> list[str]:
        """All that is wrong."""
        found = [await self.judge(case) for case in self.world.cases]
        return [wrong for wrong in found if wrong]


def address_of(case: Case) -> str:
    """Where this customer is reached; `to` of what the vendor is given."""
    number = int(case.key.removeprefix("case"))
    return f"+49151{number:08}" if case.channel == "whatsapp" else f"{case.key}@example.com"
