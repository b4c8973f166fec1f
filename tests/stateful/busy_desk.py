"""What workers make of the lanes they hold, turns and deliveries, and what the team does meanwhile."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from db import deliveries, escalations, handover, turns
from db.deliveries import Absence
from db.turns import StepRow, TurnEnd, TurnStart
from tests.stateful import promises
from tests.stateful.desk import LEASE, Desk
from tests.stateful.model import ARRIVED, UNSETTLED, Answer, Hand, Talk
from tests.stateful.snapshot import Snapshot

KINDS = ("answer", "clarifying_question", "acknowledgement", "refusal")


class BusyDesk(Desk):
    """A desk where work is done."""

    # What workers do with turns

    async def open_turn(self, hand: Hand) -> None:
        talk, lane = self.find_talk(hand.lane.lane), hand.lane
        first = lane.jobs[0].payload
        start = TurnStart(
            lane.lane, lane.token, lane.newest, talk.channel, talk.thread_key, first["subject"], first["trust"],
            first["customer"], [job.payload["external_id"] for job in lane.jobs],
        )  # fmt: skip
        hand.turn = await turns.open_turn(self.conn, start)
        assert (hand.turn is not None) == self.holds(hand)
        if hand.turn is None:
            return self.drop(hand)
        assert len(hand.turn.steps) == self.steps[hand.turn.turn_id], "a step that was paid for is gone"
        self.seen["turn resumed with its steps"] += bool(hand.turn.steps)
        hand.stage, hand.interventions = "open", talk.interventions
        return None

    async def record_step(self, hand: Hand) -> None:
        assert hand.turn is not None
        step = StepRow(self.steps[hand.turn.turn_id] + 1, "scripted", [], [], [], [], 1.0)
        written = await turns.record_step(self.conn, hand.turn.turn_id, hand.lane.token, step)
        assert written == self.holds(hand)
        if written:
            self.steps[hand.turn.turn_id] += 1
        else:
            self.drop(hand)

    async def commit(self, hand: Hand, ending: str, parts: int, *, with_ticket: bool, dead: str | None = None) -> None:
        """ending: a kind of reply, escalated, closed or silent."""
        talk = self.find_talk(hand.lane.lane)
        result = await turns.commit_turn(self.conn, await self.make_end(hand, talk, ending, parts, with_ticket, dead))
        self.seen[f"turn {result}"] += 1
        assert (result == "lost") == (not self.holds(hand)), result
        if result != "lost":
            assert result == self.foresee(hand, talk)
        self.free(hand)
        if result == "superseded":
            self.superseded[talk.lane] += 1
        elif result == "done":
            self.superseded[talk.lane] = 0
            await self.keep_answer(
                talk, ending, [talk.words.index(job.payload["external_id"]) for job in hand.lane.jobs]
            )
            if dead:
                self.call_for(hand)

    def foresee(self, hand: Hand, talk: Talk) -> str:
        """What has to become of a turn whose lease is good."""
        conversation = self.now.find_conversation(talk)
        assert hand.turn is not None
        assert conversation is not None
        if conversation["epoch"] != hand.turn.epoch:
            return "silenced"
        assert hand.interventions == talk.interventions, "the team spoke, and the epoch did not move"
        is_newer = any(row["id"] > hand.lane.newest for row in self.now.queue if row["lane"] == talk.lane)
        return "superseded" if is_newer and self.superseded[talk.lane] < 2 else "done"

    async def make_end(
        self, hand: Hand, talk: Talk, ending: str, parts: int, with_ticket: bool, dead: str | None
    ) -> TurnEnd:
        assert hand.turn is not None
        end = TurnEnd(
            hand.lane.lane, hand.lane.token, hand.turn.turn_id, hand.lane.job_ids,
            [
                {"external_id": j.payload["external_id"], "body": "", "sent_at": j.payload.get("sent_at", j.created_at)}
                for j in hand.lane.jobs
            ],
            {**dict(zip(KINDS, ("answered", "asked", "acknowledged", "refused"), strict=True))}.get(ending, ending),
            timings_ms={"waiting": 1, "thinking": 1}, dead_error=dead,
        )  # fmt: skip
        if ending in ("closed", "silent"):
            return end
        ticket = self.now.find_ticket(talk)
        route = await escalations.load_route(
            self.conn, "general", reference=ticket["reference"] if ticket else None, prefix="TF"
        )
        effects: list[dict[str, Any]] = []
        if ticket is None and (with_ticket or ending == "escalated"):
            effects.append(
                {"kind": "create_ticket", "reference": route.reference, "subject": "", "category": "general"}
            )
            effects[0] |= {"category": "general", "priority": 5, "priority_why": ""}
        if ending == "escalated":
            escalate = {"kind": "escalate", "reference": route.reference, "category": "general", "priority": 5}
            escalate |= {"priority_why": "", "reason": "policy", "handoff_note": "", "assignee": route.assignee}
            effects.append(escalate | {"team": route.team, "due_at": route.due_at})
        reply = {
            "bodies": [f"part {part}" for part in range(parts)],
            "kind": "handoff" if ending == "escalated" else ending,
            "delivery": "sent" if talk.is_page else "pending",
        }
        return replace(end, effects=effects, reply=reply)

    async def keep_answer(self, talk: Talk, ending: str, burst: list[int]) -> None:
        """What a turn that was kept says to the customer. burst: the places of the words that it took up."""
        known = set(talk.outbox)
        before = await self.observe()
        covers = max(talk.words.index(word) for word in talk.words if word in self.now.logged) + 1
        if ending == "closed" and self.owes_earlier(talk, before, burst):
            self.seen["thanks for something else"] += 1
        elif ending == "closed":
            talk.answers.append(Answer(covers, [], by_person=False, counts=True))
            talk.unread_at_stop.clear()
            talk.is_called = False
        elif ending == "escalated":
            talk.is_called = True
            for answer in talk.answers:
                if not answer.parts:  # nobody had to see to what was unread when they wrote STOP; now somebody does
                    answer.covers = min(answer.covers, *burst)
        elif ending in KINDS:
            parts = [message_id for message_id in talk.outbox if message_id not in known]
            talk.answers.append(Answer(covers, parts, by_person=False, counts=talk.is_page))

    def owes_earlier(self, talk: Talk, before: Snapshot, burst: list[int]) -> bool:
        """Whether a person had it and owed a word for what was taken up before: thanks for one thing do not end it."""
        conversation = before.find_conversation(talk)
        is_with_person = conversation is not None and conversation["handler"] == "human"
        taken_up = [place for place, word in enumerate(talk.words) if word in before.logged and place not in burst]
        on_its_way = (*ARRIVED, "pending", "sending")
        said = [
            answer.covers for answer in talk.answers
            if answer.by_person and all(before.outbound[part]["delivery"] in on_its_way for part in answer.parts)
        ]  # fmt: skip
        return is_with_person and max(taken_up, default=-1) >= max(promises.count_answered(talk, before), *said, 0)

    # What the team does

    def find_reference(self, talk: Talk) -> str:
        ticket = self.now.find_ticket(talk)
        assert ticket is not None
        return str(ticket["reference"])

    def silence(self, talk: Talk) -> None:
        talk.interventions += 1
        waiting = [m for m in self.now.list_outbound(talk) if m["author"] == "agent" and m["delivery"] in UNSETTLED]
        talk.silenced |= {message["id"] for message in waiting if message["kind"] != "opt_out"}

    async def take_over(self, talk: Talk) -> None:
        outcome = await handover.take_over(self.conn, self.find_reference(talk))
        self.seen[f"take over {outcome}"] += 1
        if outcome == "accepted":
            self.silence(talk)

    async def say(self, talk: Talk, parts: int, key: UUID) -> None:
        bodies = [f"part {part}" for part in range(parts)]
        outcome = await handover.add_person_message(self.conn, self.find_reference(talk), *bodies, idempotency=key)
        assert outcome == ("suppressed" if talk.is_stopped else "accepted")
        if talk.is_stopped:
            return
        self.silence(talk)
        known = set(talk.outbox)
        await self.observe()
        said = [message_id for message_id in talk.outbox if message_id not in known]
        talk.answers.append(Answer(len(talk.words), said, by_person=True, counts=talk.is_page))
        talk.is_called = talk.is_called and not talk.is_page
        again = await handover.add_person_message(self.conn, self.find_reference(talk), *bodies, idempotency=key)
        assert again == "repeated"

    async def hand_back(self, talk: Talk) -> None:
        outcome = await handover.hand_back(self.conn, self.find_reference(talk))
        self.seen[f"hand back {outcome}"] += 1
        if outcome == "accepted":
            unanswered = talk.words[promises.count_answered(talk, self.now) :]
            is_queued = all(f"{talk.channel}:{word}" in self.now.queued_keys for word in unanswered)
            is_let_go = not talk.is_called or is_queued or talk.is_stopped
            assert is_let_go, "handed back, and the customer is without a reply"
            talk.is_called = False  # a late message that waits is the agent's after all
            if talk.is_stopped:
                taken_up = [talk.words.index(word) for word in talk.words if word in self.now.logged]
                talk.answers.append(Answer(max(taken_up, default=-1) + 1, [], by_person=True, counts=True))
            talk.interventions += 1

    # What workers do with deliveries

    async def begin(self, hand: Hand, absence: Absence | None) -> None:
        talk, message_id = self.find_talk(hand.lane.lane), hand.message_id
        was = self.now.outbound[message_id]
        todo = await deliveries.begin_delivery(self.conn, hand.lane, UUID(message_id), lease=LEASE, absence=absence)
        assert (todo is not None) == self.holds(hand)
        if todo is None:
            return self.drop(hand)
        self.seen[f"delivery {todo.act}{' again' if was['tries'] else ''}"] += 1
        if todo.act == "send":
            assert message_id not in talk.silenced, f"a reply after a takeover, in try {todo.message['tries']}"
            assert (was["kind"] == "opt_out") == talk.is_stopped, f"{was['kind']} sent, stopped: {talk.is_stopped}"
            assert todo.message["is_late"] == talk.is_late
            self.seen["late"] += talk.is_late
            self.ended.discard(hand.lane.lane)
            hand.stage, hand.tried, hand.is_asleep = "sending", todo.message, False
        elif todo.act == "look_up" and talk.absence is not None:
            assert absence is None
            hand.stage, hand.tried = "asking", todo.message
        else:
            hand.stage, hand.outcome = "ending", "done" if todo.act == "done" else "parked"
        return None

    async def end(self, hand: Hand) -> None:
        """Keep what became of a try, and go on as the worker does."""
        settles = hand.outcome not in ("not_sent", "unknown")
        talk, was = self.find_talk(hand.lane.lane), self.now.outbound[hand.message_id]
        kept = await deliveries.end_delivery(
            self.conn, hand.lane, hand.lane.jobs[hand.place], UUID(hand.message_id), hand.outcome,
            vendor_id=hand.vendor_id, error="a reason", is_blocked=hand.is_blocked,
            is_last=settles and hand.is_at_last_job,
        )  # fmt: skip
        assert kept == self.holds(hand)
        if kept and hand.is_blocked and was["delivery"] in UNSETTLED:
            talk.is_stopped = True
            self.seen["blocked"] += 1
        self.seen[f"{'try' if kept else 'stale try'} ended: {hand.outcome}"] += 1
        if not kept:
            self.drop(hand)
        elif not settles:
            hand.stage = "ending"
            await self.release(hand, "in doubt", timedelta(seconds=30), is_try=False)
        elif hand.is_at_last_job:
            self.free(hand)
        else:
            hand.place += 1
            hand.stage, hand.vendor_id, hand.is_blocked = "ready", None, False

    async def give_up(self, hand: Hand) -> None:
        """After the last try: a person gets it."""
        if not hand.is_turn:
            await self.give_up_delivery(hand)
            return
        await self.open_turn(hand)
        await self.observe()
        if hand.turn is not None:
            ending = "silent" if hand.turn.handler == "human" else "escalated"
            await self.commit(hand, ending, 1, with_ticket=True, dead="the last try")

    async def give_up_delivery(self, hand: Hand) -> None:
        kept = await deliveries.end_delivery(
            self.conn,
            hand.lane,
            hand.lane.jobs[hand.place],
            UUID(hand.message_id),
            "given_up",
            error="the last try",
            is_last=True,
        )
        assert kept == self.holds(hand)
        self.free(hand)
