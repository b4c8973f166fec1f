"""The hands of the machine: every step of a desk, taken through the functions the product takes it through."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from db import dead_letters, queue, tickets
from db.pool import Connection
from db.queue import NewWork
from db.tickets import NewTicket, NewWebMessage
from tests.stateful.model import Hand, Row, Talk, Vendor
from tests.stateful.snapshot import Snapshot, take_snapshot

LEASE = timedelta(hours=1)


class Desk:
    """One database, the customers, the workers and the vendor around it."""

    def __init__(self, conn: Connection, seen: Counter[str]) -> None:
        self.conn = conn
        self.seen = seen
        """How often what came about, so that a test that reaches nothing is noticed."""
        self.vendor = Vendor()
        self.talks: list[Talk] = []
        self.hands: list[Hand] = []
        self.holders: dict[str, Hand] = {}
        """Whoever claimed a lane last and has not given it back."""
        self.ended: set[str] = set()
        """Lanes in hand whose lease has run out."""
        self.superseded: Counter[str] = Counter()
        self.steps: Counter[UUID] = Counter()
        self.given_up: set[str] = set()
        self.requeued: set[str] = set()
        self.now = Snapshot([], [], [], [], [], [], [])

    def holds(self, hand: Hand) -> bool:
        return self.holders.get(hand.lane.lane) is hand

    def free(self, hand: Hand) -> None:
        """The lane is given back; whether it was still ours the caller has checked."""
        if self.holds(hand):
            del self.holders[hand.lane.lane]
            self.ended.discard(hand.lane.lane)
        self.drop(hand)

    def drop(self, hand: Hand) -> None:
        """The worker forgets a lane; the lease goes on until it ends."""
        self.hands.remove(hand)

    def find_talk(self, lane: str) -> Talk:
        """Whose messages wait in a lane, or whose replies."""
        return next(talk for talk in self.talks if lane in (talk.lane, self.find_out_lane(talk)))

    def find_out_lane(self, talk: Talk) -> str | None:
        conversation = self.now.find_conversation(talk)
        return f"out:{conversation['id']}" if conversation else None

    async def observe(self) -> Snapshot:
        """Read the database; what was seen before is returned."""
        before, self.now = self.now, await take_snapshot(self.conn)
        for talk in self.talks:
            for message in self.now.list_outbound(talk):
                self.notice(talk, before, message)
        return before

    def notice(self, talk: Talk, before: Snapshot, message: Row) -> None:
        """What the customer and the team know now that they did not know before."""
        if message["id"] not in talk.outbox:
            talk.outbox.append(message["id"])
        was = before.outbound.get(message["id"])
        self.seen[f"delivery {message['delivery']}"] += was is None or was["delivery"] != message["delivery"]
        failed = message["delivery"] == "failed" and (was is None or was["delivery"] != "failed")
        parked = self.now.is_parked(message) and (was is None or not before.is_parked(was))
        has_come = message["vendor_id"] is not None and (was is None or was["vendor_id"] is None)
        if has_come and message["part"] == message["parts"]:
            self.end_wait(talk, before, message)
        # nobody is owed what was written before they said STOP, and nobody is called for the farewell
        if (failed or parked) and message["id"] not in talk.outbox_at_stop and message["kind"] != "opt_out":
            talk.is_called = True
            self.seen["failed" if failed else "parked"] += 1

    def end_wait(self, talk: Talk, before: Snapshot, message: Row) -> None:
        conversation = before.find_conversation(talk)
        for answer in talk.answers:
            if message["id"] in answer.parts:
                answer.counts = answer.by_person or (conversation is not None and conversation["handler"] == "agent")
                talk.is_called = talk.is_called and not answer.by_person

    # What customers do

    async def begin_web(self) -> None:
        key = uuid4().hex
        form = NewTicket("Ana", "ana@example.com", "A question", "Hello", None, None, key, "00", key, key, key, "TF")
        taken = await tickets.submit_form(self.conn, form)
        assert taken.reference is not None
        self.talks.append(Talk("web", taken.reference, None, words=[key]))

    async def write_web(self, talk: Talk, key: str, text: str) -> str:
        assert talk.is_page
        message = NewWebMessage(talk.thread_key, text, key, f"{key}-{text}", uuid4().hex, 0)
        outcome = (await tickets.add_web_message(self.conn, message)).outcome
        if outcome == "accepted":
            talk.words.append(message.external_id)
        return outcome

    async def write_vendor(self, talk: Talk, key: str, text: str, *, in_batch: bool) -> bool:
        """Whether it was new."""
        payload = self.write_payload(talk, key, text)
        work = NewWork(talk.lane, "inbound", payload, f"{talk.channel}:{key}")
        if in_batch:  # as it comes when a vendor sends everything twice
            first, second = await queue.add_many(self.conn, [work, work])
            assert second is None
        else:
            first = await queue.add_work(self.conn, work.lane, work.kind, work.payload, dedupe_key=work.dedupe_key)
        if first is not None:
            talk.words.append(key)
            self.hear(talk)
        return first is not None

    def write_payload(self, talk: Talk, key: str, text: str) -> Row:
        """A message as it waits on the queue."""
        who = {"kind": "phone", "value": talk.thread_key, "proof": "provider", "name": "Ana Lima", "plan": None}
        payload = {"version": 1, "channel": talk.channel, "thread_key": talk.thread_key, "external_id": key}
        payload |= {"body": text, "subject": "", "category": None, "trust": 3, "customer": who}
        return payload | {"sent_at": datetime.now(UTC)}

    def hear(self, talk: Talk) -> None:
        talk.unheard_for = timedelta(0)

    # What workers do with lanes

    async def claim(self, worker: int, lanes: int, messages: int) -> None:
        for lane in await queue.claim_lanes(
            self.conn, worker=f"w{worker}", lanes=lanes, messages=messages, lease=LEASE
        ):
            assert lane.lane not in self.holders or lane.lane in self.ended, "two live leases"
            self.ended.discard(lane.lane)
            hand = Hand(worker, lane, "claimed" if lane.jobs[0].kind == "inbound" else "ready")
            self.holders[lane.lane] = hand
            self.hands.append(hand)
            self.seen["claimed"] += 1

    async def beat(self, worker: int) -> None:
        mine = [hand for hand in self.hands if hand.worker == worker]
        kept = await queue.extend_leases(self.conn, worker=f"w{worker}", held=[h.lane for h in mine], lease=LEASE)
        assert kept == {(hand.lane.lane, hand.lane.token) for hand in mine if self.holds(hand)}
        self.ended -= {lane for lane, _ in kept}
        for hand in mine:
            if (hand.lane.lane, hand.lane.token) not in kept:
                self.seen["lease lost at the heartbeat"] += 1
                self.drop(hand)

    async def release(self, hand: Hand, failure: str | None, pause: timedelta, *, is_try: bool = True) -> None:
        kept = await queue.release_lane(self.conn, hand.lane, pause=pause, failure=failure, is_try=is_try)
        assert kept == self.holds(hand)
        self.free(hand)

    async def bury(self, hand: Hand) -> None:
        kept = await queue.bury_work(self.conn, hand.lane, error="cannot be done")
        assert kept == self.holds(hand)
        if kept:
            self.seen["buried"] += 1
            self.superseded[hand.lane.lane] = 0
            if hand.is_turn:
                self.call_for(hand)
        self.free(hand)

    def call_for(self, hand: Hand) -> None:
        """What was given up is in the log too, and a person has it."""
        self.given_up |= {job.payload["external_id"] for job in hand.lane.jobs}
        self.find_talk(hand.lane.lane).is_called = True

    async def requeue(self, letter: Row) -> None:
        """The letter is queued again; where a person was only called for it, the agent has the conversation again."""
        assert await dead_letters.revive_dead(self.conn, letter["id"])
        self.seen["requeued"] += 1
        before = await self.observe()
        if letter["kind"] == "deliver":
            self.requeued.add(letter["payload"]["message_id"])
            return
        talk = self.find_talk(letter["lane"])
        was, conversation = before.find_conversation(talk), self.now.find_conversation(talk)
        if was and conversation and (was["handler"], conversation["handler"]) == ("human", "agent"):
            talk.is_called, talk.interventions = False, talk.interventions + 1
            self.seen["revived"] += 1
