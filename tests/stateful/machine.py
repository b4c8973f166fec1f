"""Everything that can happen at a desk, in any order."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from db import deliveries
from db.pool import Connection
from tests.stateful import promises
from tests.stateful.busy_desk import KINDS
from tests.stateful.chat_desk import ChatDesk
from tests.stateful.model import Acceptance, Hand, Talk
from tests.stateful.snapshot import Snapshot, forget_everything
from tests.stateful.work import Luck, go_on

VENDORS = {"whatsapp": "likely", "drafts": "certain", "mute": None}
"""The three kinds of vendor, by what a no means."""
WORKERS = st.integers(0, 2)
ANY = st.integers(0, 59)
"""Picks one of those there are."""
REPORTED = """
select exists (select from delivery_events e where e.status = 'failed' and (e.message_id = $1::uuid or e.vendor_id = $2
                  and (select coalesce(m.vendor_id = $2, true) from messages m where m.id = $1::uuid)))
"""
LUCK = st.builds(
    Luck,
    steps=st.integers(0, 2),
    ending=st.sampled_from([*KINDS, "answer", "escalated", "closed"]),
    parts=st.sampled_from([1, 1, 2, 3]),
    has_ticket=st.sampled_from([True, True, False]),
    send=st.sampled_from(["taken", "taken", "taken", "answer lost", "all lost", "busy", "refused", "blocked"]),
    index_lags=st.booleans(),
)


class DeskMachine(RuleBasedStateMachine):
    """Customers, a team, three workers and a vendor, around one database."""

    def __init__(self, runner: asyncio.Runner, conn: Connection, seen: Counter[str]) -> None:
        super().__init__()
        self.runner = runner
        self.desk = ChatDesk(conn, seen)

    def run(self, act: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(act)

    def teardown(self) -> None:
        self.run(forget_everything(self.desk.conn))

    def list_ticketed(self) -> list[Talk]:
        return [talk for talk in self.desk.talks if self.desk.now.find_ticket(talk) is not None]

    def list_interruptible(self) -> list[Talk]:
        making = {hand.lane.lane for hand in self.desk.hands if hand.stage == "open"}
        return [talk for talk in self.list_ticketed() if talk.lane in making]

    @initialize(
        vendors=st.lists(st.sampled_from(sorted(VENDORS)), min_size=1, max_size=2, unique=True),
        has_page=st.booleans(),
        begins=st.sampled_from(["hello", "hello", "sticker", "reaction", "stop"]),
    )
    def open_desk(self, vendors: list[str], has_page: bool, begins: str) -> None:
        self.desk.talks += [Talk(name, uuid4().hex, VENDORS[name]) for name in vendors]  # type: ignore[arg-type]
        for talk in self.desk.talks:
            if not talk.is_chat or begins == "hello":
                self.run(self.desk.write_vendor(talk, uuid4().hex, "hello", in_batch=False))
            elif begins == "stop":
                self.run(self.desk.stop(talk, has_farewell=True))
            else:
                self.run(self.desk.keep(talk, begins))
        if has_page:
            self.run(self.desk.begin_web())

    # Customers

    @rule(pick=ANY, in_batch=st.booleans())
    def customer_writes(self, pick: int, in_batch: bool) -> None:
        talk, key = self.desk.talks[pick % len(self.desk.talks)], uuid4().hex
        if talk.is_page:
            assert self.run(self.desk.write_web(talk, key, "hello")) == "accepted"
        else:
            assert self.run(self.desk.write_vendor(talk, key, "hello", in_batch=in_batch))

    @precondition(lambda self: any(talk.words for talk in self.desk.talks))
    @rule(pick=ANY, which=ANY, is_other=st.booleans(), in_batch=st.booleans())
    def message_comes_again(self, pick: int, which: int, is_other: bool, in_batch: bool) -> None:
        """The same one, or another body under the same id: a page can tell the customer, a vendor cannot."""
        talks = [talk for talk in self.desk.talks if talk.words]
        talk = talks[pick % len(talks)]
        word, text = talk.words[which % len(talk.words)], "another" if is_other else "hello"
        if not talk.is_page:
            assert not self.run(self.desk.write_vendor(talk, word, text, in_batch=in_batch))
        elif "-" in word:
            outcome = self.run(self.desk.write_web(talk, word.split("-")[0], text))
            assert outcome == ("mismatch" if is_other else "repeated")

    # What only a chat has

    @precondition(lambda self: self.list_chats())
    @rule(
        what=st.sampled_from(["stop", "stop", "start", "start", "pass"]),
        has_farewell=st.booleans(),
        hours=st.sampled_from([22.5, 25]),
    )
    def chat_goes_on(self, what: str, has_farewell: bool, hours: float) -> None:
        [talk] = self.list_chats()
        if what == "stop":
            self.run(self.desk.stop(talk, has_farewell=has_farewell))
        elif what == "start":
            self.run(self.desk.start(talk))
        elif not any(hand.lane.lane == talk.lane for hand in self.desk.hands):  # who has it in hand knows its times
            self.run(self.desk.pass_time(talk, timedelta(hours=hours)))

    @precondition(lambda self: self.list_chats())
    @rule(kind=st.sampled_from(["reaction", "sticker"]))
    def customer_reacts(self, kind: str) -> None:
        self.run(self.desk.keep(self.list_chats()[0], kind))

    @precondition(lambda self: self.list_chats())
    @rule(which=ANY, is_new=st.booleans(), is_late=st.booleans())
    def vendor_lists(self, which: int, is_new: bool, is_late: bool) -> None:
        [talk] = self.list_chats()
        is_new = is_new or not talk.words
        key = uuid4().hex if is_new else talk.words[which % len(talk.words)]
        assert self.run(self.desk.miss(talk, key, is_late=is_late)) == is_new

    @precondition(lambda self: any(talk.is_closing for talk in self.desk.talks))
    @rule()
    def team_is_reminded(self) -> None:
        self.run(self.desk.remind())

    def list_chats(self) -> list[Talk]:
        return [talk for talk in self.desk.talks if talk.is_chat]

    # Time

    @precondition(lambda self: any(lane["pending"] and not lane["is_due"] for lane in self.desk.now.lanes))
    @rule()
    def pauses_end(self) -> None:
        self.run(self.desk.conn.execute("update lanes set run_at = now() where run_at > now()"))

    @precondition(lambda self: self.desk.holders.keys() - self.desk.ended)
    @rule(pick=ANY)
    def lease_ends(self, pick: int) -> None:
        live = [lane for lane in self.desk.holders if lane not in self.desk.ended]
        lane = live[pick % len(live)]
        self.run(self.desk.conn.execute("update lanes set lease_until = now() - interval '1 s' where lane = $1", lane))
        self.desk.ended.add(lane)
        self.desk.holders[lane].is_asleep = True

    # Workers

    @rule(worker=WORKERS, lanes=st.integers(1, 3), messages=st.sampled_from([20, 1]))
    def worker_claims(self, worker: int, lanes: int, messages: int) -> None:
        self.run(self.desk.claim(worker, lanes, messages))

    @precondition(lambda self: self.desk.hands)
    @rule(pick=ANY, stages=st.integers(1, 3), luck=LUCK)
    def worker_goes_on(self, pick: int, stages: int, luck: Luck) -> None:
        """So many stages with one lane that is in hand, or was."""
        self.work(self.desk.hands[pick % len(self.desk.hands)], stages, luck)

    @rule(worker=WORKERS, stages=st.integers(1, 8), luck=LUCK)
    def worker_works(self, worker: int, stages: int, luck: Luck) -> None:
        """What it has in hand, or else what comes first."""
        if not any(hand.worker == worker for hand in self.desk.hands):
            self.run(self.desk.claim(worker, 1, 20))
        for hand in [hand for hand in self.desk.hands if hand.worker == worker]:
            self.work(hand, stages, luck)

    def work(self, hand: Hand, stages: int, luck: Luck) -> None:
        for _ in range(stages):
            if hand in self.desk.hands:
                self.run(go_on(self.desk, hand, luck))
                self.promises_are_kept()

    @precondition(lambda self: self.desk.hands)
    @rule(worker=WORKERS)
    def worker_beats(self, worker: int) -> None:
        self.run(self.desk.beat(worker))

    @precondition(lambda self: self.desk.hands)
    @rule(pick=ANY, what=st.sampled_from(["crash", "crash", "shutdown", "failure", "give up", "bury"]))
    def worker_fails(self, pick: int, what: str) -> None:
        hand = self.desk.hands[pick % len(self.desk.hands)]
        if what == "crash":
            self.desk.hands = [other for other in self.desk.hands if other.worker != hand.worker]
        elif what == "bury" and hand.stage in ("claimed", "ready"):
            self.run(self.desk.bury(hand))
        elif what == "give up" and hand.stage in ("claimed", "ready") and hand.place == 0:
            self.run(self.desk.give_up(hand))
        else:
            failure = None if what == "shutdown" else "Broken"
            self.run(self.desk.release(hand, failure, timedelta(seconds=30 if failure else 0)))

    # The team

    @precondition(lambda self: self.desk.now.dead)
    @rule(pick=ANY)
    def operator_requeues(self, pick: int) -> None:
        self.run(self.desk.requeue(self.desk.now.dead[pick % len(self.desk.now.dead)]))

    @precondition(lambda self: self.list_ticketed())
    @rule(pick=ANY, what=st.sampled_from(["take over", "write", "hand back"]), parts=st.sampled_from([1, 1, 2]))
    def person_acts(self, pick: int, what: str, parts: int) -> None:
        talks = self.list_ticketed()
        talk = talks[pick % len(talks)]
        if what == "take over":
            self.run(self.desk.take_over(talk))
        elif what == "write":
            self.run(self.desk.say(talk, parts, uuid4()))
        else:
            self.run(self.desk.hand_back(talk))

    @precondition(lambda self: self.list_interruptible())
    @rule(pick=ANY, writes=st.booleans(), luck=LUCK)
    def person_interrupts(self, pick: int, writes: bool, luck: Luck) -> None:
        """While a worker is making a reply, which must then not be kept."""
        talks = self.list_interruptible()
        talk = talks[pick % len(talks)]
        self.run(self.desk.say(talk, 1, uuid4()) if writes else self.desk.take_over(talk))
        self.promises_are_kept()
        for hand in [hand for hand in self.desk.hands if hand.lane.lane == talk.lane and hand.stage == "open"]:
            self.work(hand, 3, luck)

    # The vendor

    @precondition(lambda self: self.desk.vendor.taken)
    @rule(
        pick=ANY,
        status=st.sampled_from(["sending", "sent", "delivered", "read", "failed"]),
        has_token=st.booleans(),
        is_blocked=st.booleans(),
        times=st.integers(1, 2),
    )
    def vendor_reports(self, pick: int, status: str, has_token: bool, is_blocked: bool, times: int) -> None:
        one = self.desk.vendor.taken[pick % len(self.desk.vendor.taken)]
        for _ in range(times):
            self.run(self.report(one, status, has_token, is_blocked=is_blocked))
            self.promises_are_kept()

    async def report(self, one: Acceptance, status: str, has_token: bool, *, is_blocked: bool) -> None:
        is_blocked = is_blocked and status == "failed" and one.channel == "whatsapp"
        row, is_news = self.desk.now.outbound[one.message_id], await self.is_first_failure(one)
        known = await deliveries.record_status(
            self.desk.conn, channel=one.channel, vendor_id=one.vendor_id, token=UUID(one.token) if has_token else None,
            status=status, error="a reason" if status == "failed" else None, payload={}, is_blocked=is_blocked,
        )  # fmt: skip
        assert known == (has_token or row["vendor_id"] == one.vendor_id)
        if known and is_blocked and is_news:
            next(talk for talk in self.desk.talks if one.message_id in talk.outbox).is_stopped = True
        self.desk.seen[f"report {'known' if known else 'before the id'}"] += 1

    async def is_first_failure(self, one: Acceptance) -> bool:
        """Whether a failure of this message is news: what is only reported again undoes no START."""
        reported: bool = await self.desk.conn.fetchval(REPORTED, one.message_id, one.vendor_id)
        return not reported

    # Promises

    @invariant()
    def promises_are_kept(self) -> None:
        before = self.run(self.desk.observe())
        now: Snapshot = self.desk.now
        promises.check_lanes(now)
        promises.check_moves(before, now)
        promises.check_seen(now)
        for talk in self.desk.talks:
            promises.check_words(talk, now, self.desk.given_up)
            promises.check_acceptances(talk, now, self.desk.vendor, self.desk.requeued)
            promises.check_calls(talk, now)
        promises.check_waiting(self.desk.talks, now)
