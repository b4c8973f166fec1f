"""Everything that can happen at a desk, in any order."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from db import deliveries
from db.pool import Connection
from tests.stateful import promises
from tests.stateful.desk import KINDS, Desk
from tests.stateful.model import Hand, Stage, Talk
from tests.stateful.snapshot import Snapshot, forget_everything

VENDORS = {"whatsapp": "likely", "drafts": "certain", "mute": None}
"""The three kinds of vendor, by what a no means."""
WORKERS = st.integers(0, 2)
ANY = st.integers(0, 59)
"""Picks one of those there are."""


class DeskMachine(RuleBasedStateMachine):
    """Customers, a team, three workers and a vendor, around one database."""

    def __init__(self, runner: asyncio.Runner, conn: Connection, seen: Counter[str]) -> None:
        super().__init__()
        self.runner = runner
        self.desk = Desk(conn, seen)

    def run(self, act: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(act)

    def teardown(self) -> None:
        self.run(forget_everything(self.desk.conn))

    def list_hands(self, *stages: Stage, is_turn: bool | None = None) -> list[Hand]:
        hands = [hand for hand in self.desk.hands if hand.stage in stages]
        return [hand for hand in hands if is_turn is None or hand.is_turn == is_turn]

    def list_ticketed(self) -> list[Talk]:
        return [talk for talk in self.desk.talks if self.desk.now.find_ticket(talk) is not None]

    def pick_hand(self, pick: int, *stages: Stage) -> Hand:
        hands = self.list_hands(*stages)
        return hands[pick % len(hands)]

    @initialize(vendors=st.lists(st.sampled_from(sorted(VENDORS)), min_size=1, max_size=2, unique=True), has_page=st.booleans())
    def open_desk(self, vendors: list[str], has_page: bool) -> None:
        self.desk.talks += [Talk(name, uuid4().hex, VENDORS[name]) for name in vendors]  # type: ignore[arg-type]
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

    @precondition(lambda self: any(talk.words for talk in self.desk.talks if not talk.is_page))
    @rule(pick=ANY, which=ANY, text=st.sampled_from(["hello", "another body"]), in_batch=st.booleans())
    def vendor_repeats_itself(self, pick: int, which: int, text: str, in_batch: bool) -> None:
        talks = [talk for talk in self.desk.talks if talk.words and not talk.is_page]
        talk = talks[pick % len(talks)]
        assert not self.run(self.desk.write_vendor(talk, talk.words[which % len(talk.words)], text, in_batch=in_batch))

    @precondition(lambda self: bool(self.desk.submissions))
    @rule(which=ANY, is_other=st.booleans())
    def customer_clicks_again(self, which: int, is_other: bool) -> None:
        sent = list(self.desk.submissions.values())[which % len(self.desk.submissions)]
        talk = next(talk for talk in self.desk.talks if talk.thread_key == sent.reference)
        text = "another body" if is_other else sent.message
        outcome = self.run(self.desk.write_web(talk, sent.submission_key, text))
        assert outcome == ("mismatch" if is_other else "repeated")

    # Time

    @precondition(lambda self: any(lane["pending"] and not lane["is_due"] for lane in self.desk.now.lanes))
    @rule()
    def pauses_end(self) -> None:
        self.run(self.desk.conn.execute("update lanes set run_at = now() where run_at > now()"))

    @precondition(lambda self: self.desk.holders.keys() - self.desk.ended)
    @rule(pick=ANY)
    def lease_ends(self, pick: int) -> None:
        live = sorted(self.desk.holders.keys() - self.desk.ended, key=list(self.desk.holders).index)
        lane = live[pick % len(live)]
        self.run(self.desk.conn.execute("update lanes set lease_until = now() - interval '1 s' where lane = $1", lane))
        self.desk.ended.add(lane)
        self.desk.holders[lane].is_asleep = True

    # Workers and lanes

    @rule(worker=WORKERS, lanes=st.integers(1, 3), messages=st.sampled_from([20, 1]))
    def worker_claims(self, worker: int, lanes: int, messages: int) -> None:
        self.run(self.desk.claim(worker, lanes, messages))

    @precondition(lambda self: self.desk.hands)
    @rule(worker=WORKERS)
    def worker_beats(self, worker: int) -> None:
        self.run(self.desk.beat(worker))

    @precondition(lambda self: self.desk.hands)
    @rule(worker=WORKERS)
    def worker_crashes(self, worker: int) -> None:
        self.desk.hands = [hand for hand in self.desk.hands if hand.worker != worker]

    @precondition(lambda self: self.desk.hands)
    @rule(pick=ANY, has_failed=st.booleans())
    def worker_gives_back(self, pick: int, has_failed: bool) -> None:
        hand = self.desk.hands[pick % len(self.desk.hands)]
        pause = timedelta(seconds=30 if has_failed else 0)
        self.run(self.desk.release(hand, "Broken" if has_failed else None, pause))

    @precondition(lambda self: self.list_hands("claimed", "ready"))
    @rule(pick=ANY)
    def worker_buries(self, pick: int) -> None:
        self.run(self.desk.bury(self.pick_hand(pick, "claimed", "ready")))

    @precondition(lambda self: self.desk.now.dead)
    @rule(pick=ANY)
    def operator_requeues(self, pick: int) -> None:
        self.run(self.desk.requeue(self.desk.now.dead[pick % len(self.desk.now.dead)]))

    # Turns

    @precondition(lambda self: self.list_hands("claimed"))
    @rule(pick=ANY)
    def turn_opens(self, pick: int) -> None:
        self.run(self.desk.open_turn(self.pick_hand(pick, "claimed")))

    @precondition(lambda self: self.list_hands("open"))
    @rule(pick=ANY)
    def model_takes_a_step(self, pick: int) -> None:
        self.run(self.desk.record_step(self.pick_hand(pick, "open")))

    @precondition(lambda self: self.list_hands("open"))
    @rule(
        pick=ANY,
        ending=st.sampled_from([*KINDS, "answer", "escalated", "closed"]),
        parts=st.sampled_from([1, 1, 2, 3]),
        with_ticket=st.booleans(),
    )
    def turn_commits(self, pick: int, ending: str, parts: int, with_ticket: bool) -> None:
        hand = self.pick_hand(pick, "open")
        assert hand.turn is not None
        if hand.turn.handler == "human" and ending != "closed":
            ending = "silent"
        self.run(self.desk.commit(hand, ending, parts, with_ticket=with_ticket))

    @precondition(lambda self: self.list_hands("open"))
    @rule(pick=ANY)
    def turn_gives_up(self, pick: int) -> None:
        hand = self.pick_hand(pick, "open")
        assert hand.turn is not None
        ending = "silent" if hand.turn.handler == "human" else "escalated"
        self.run(self.desk.commit(hand, ending, 1, with_ticket=True, dead="the last try"))

    # The team

    @precondition(lambda self: self.list_ticketed())
    @rule(pick=ANY)
    def person_takes_over(self, pick: int) -> None:
        talks = self.list_ticketed()
        self.run(self.desk.take_over(talks[pick % len(talks)]))

    @precondition(lambda self: self.list_ticketed())
    @rule(pick=ANY, parts=st.sampled_from([1, 1, 2]))
    def person_writes(self, pick: int, parts: int) -> None:
        talks = self.list_ticketed()
        self.run(self.desk.say(talks[pick % len(talks)], parts, uuid4()))

    @precondition(lambda self: self.list_ticketed())
    @rule(pick=ANY)
    def person_hands_back(self, pick: int) -> None:
        talks = self.list_ticketed()
        self.run(self.desk.hand_back(talks[pick % len(talks)]))

    # Delivery

    @precondition(lambda self: self.list_hands("ready"))
    @rule(pick=ANY)
    def delivery_begins(self, pick: int) -> None:
        self.run(self.desk.begin(self.pick_hand(pick, "ready"), None))

    @precondition(lambda self: self.list_hands("sending"))
    @rule(pick=ANY, becomes=st.sampled_from(["taken", "taken", "taken", "answer lost", "all lost", "busy", "refused"]))
    def vendor_is_given_a_message(self, pick: int, becomes: str) -> None:
        hand = self.pick_hand(pick, "sending")
        talk = self.desk.find_talk(hand.lane.lane)
        if hand.is_asleep:  # it looks at the clock before it sends
            becomes = "busy"
        if becomes in ("taken", "answer lost"):
            vendor_id = self.desk.vendor.take(talk.channel, hand.tried)
            hand.vendor_id = vendor_id if becomes == "taken" else None
        in_doubt = "unknown" if talk.absence else "parked"
        outcomes: dict[str, Any] = {"taken": "sent", "busy": "not_sent", "refused": "failed"}
        hand.stage, hand.outcome = "ending", outcomes.get(becomes, in_doubt)

    @precondition(lambda self: self.list_hands("asking"))
    @rule(pick=ANY, lags=st.booleans())
    def vendor_is_asked(self, pick: int, lags: bool) -> None:
        hand = self.pick_hand(pick, "asking")
        talk, taken = self.desk.find_talk(hand.lane.lane), self.desk.vendor.find(hand.message_id)
        if taken is not None and not (lags and talk.absence == "likely"):
            hand.stage, hand.outcome, hand.vendor_id = "ending", "sent", taken.vendor_id
        else:
            self.run(self.desk.begin(hand, talk.absence))

    @precondition(lambda self: self.list_hands("ending"))
    @rule(pick=ANY)
    def delivery_ends(self, pick: int) -> None:
        self.run(self.desk.end(self.pick_hand(pick, "ending")))

    @precondition(lambda self: any(hand.place == 0 for hand in self.list_hands("ready")))
    @rule(pick=ANY)
    def delivery_is_given_up(self, pick: int) -> None:
        hands = [hand for hand in self.list_hands("ready") if hand.place == 0]
        self.run(self.desk.give_up_delivery(hands[pick % len(hands)]))

    @precondition(lambda self: self.desk.vendor.taken)
    @rule(
        pick=ANY,
        status=st.sampled_from(["sending", "sent", "delivered", "read", "failed"]),
        has_token=st.booleans(),
        times=st.integers(1, 2),
    )
    def vendor_reports(self, pick: int, status: str, has_token: bool, times: int) -> None:
        one = self.desk.vendor.taken[pick % len(self.desk.vendor.taken)]
        for _ in range(times):
            self.run(self.report(one, status, has_token))

    async def report(self, one: Any, status: str, has_token: bool) -> None:
        row = self.desk.now.outbound[one.message_id]
        known = await deliveries.record_status(
            self.desk.conn, channel=one.channel, vendor_id=one.vendor_id, token=one.token if has_token else None,
            status=status, error="a reason" if status == "failed" else None, payload={},
        )  # fmt: skip
        assert known == (has_token or row["vendor_id"] == one.vendor_id)
        self.desk.seen[f"report {'known' if known else 'before the id'}"] += 1

    # Promises

    @invariant()
    def promises_are_kept(self) -> None:
        before = self.run(self.desk.observe())
        now: Snapshot = self.desk.now
        promises.check_lanes(now)
        promises.check_moves(before, now)
        for talk in self.desk.talks:
            promises.check_words(talk, now, self.desk.given_up)
            promises.check_acceptances(talk, now, self.desk.vendor, self.desk.requeued)
            promises.check_calls(talk, now)
        promises.check_waiting(self.desk.talks, now)
