"""Nobody waits unseen: every state a conversation can be in, and who is on the list of those who wait."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from agent.models.base import Item
from agent.models.scripted import ScriptedModel
from channels.base import KeepDraft, NotSent, OutgoingMessage, Refused
from db import dead_letters, deliveries, handover, queue
from db.pool import Connection, Pool
from db.queue import ClaimedLane
from tests.fakes import claim_one, hand_over, make_runner, reply_with, submit, write_again
from tests.fakes import write_on_a_channel_without_tickets as write
from worker.deliver import Deliver
from worker.loop import Worker, WorkerSettings

NUMBER = "+4915112345678"
TAKEN = "taken"


@dataclass
class Vendor:
    """A vendor that does what the test says: the outcome of each send, in order; then it takes everything."""

    outcomes: list[str | Exception] = field(default_factory=list)
    index_lag: timedelta | None = timedelta(minutes=1)
    absence_is_proof: bool = True
    name: str = "whatsapp"

    def split(self, body: str) -> list[str]:
        return body.split("\n")

    async def send(self, message: OutgoingMessage, keep_draft: KeepDraft) -> str:
        outcome = self.outcomes.pop(0) if self.outcomes else TAKEN
        if isinstance(outcome, Exception):
            raise outcome
        return f"{outcome}-{message.token}"

    async def look_up(self, message: OutgoingMessage) -> str | None:
        return None


@dataclass
class Desk:
    """A desk in somebody's hands: each method is one thing that can happen to it."""

    pool: Pool
    conn: Connection
    vendor: Vendor = field(default_factory=Vendor)

    async def work(self, *replies: list[Item], lane: ClaimedLane | None = None) -> None:
        """One lane goes through the worker, as it would in production; the model says `replies`."""
        handlers: dict[str, Any] = {
            "inbound": make_runner(self.pool, ScriptedModel(replies), channels=[self.vendor]),
            "deliver": Deliver(self.pool, {"whatsapp": self.vendor}, "TF"),
        }
        worker = Worker(pool=self.pool, handlers=handlers, settings=WorkerSettings("w"))
        await worker.run_lane(lane or await claim_one(self.pool))

    async def sql(self, statement: str, *values: Any) -> Any:
        return await self.conn.fetchval(statement, *values)

    async def reference(self) -> str:
        return str(await self.sql("select reference from tickets order by id desc limit 1"))

    async def person_says(self) -> None:
        said = await handover.add_person_message(self.conn, await self.reference(), "Jane here.", idempotency=uuid4())
        assert said == "accepted"

    async def web_escalated(self) -> None:
        await submit(self.conn, "Let me talk to a person")
        await self.work(hand_over())

    async def pending(self, body: str = "Here you are.") -> None:
        """A reply to a chat message is committed and waits to be sent."""
        await write(self.conn, "Hello", number=NUMBER)
        await self.work(reply_with(body))

    async def chat_with_a_person(self) -> None:
        """A person has the chat, which is at rest."""
        await write(self.conn, "Let me talk to a person", number=NUMBER)
        await self.work(hand_over())
        await self.work()  # the word that goes with a handover
        await self.person_says()
        await self.work()


async def queued(desk: Desk) -> None:
    await submit(desk.conn, "Hello")


async def queued_chat(desk: Desk) -> None:
    await write(desk.conn, "Hello")


async def queued_burst(desk: Desk) -> None:
    for text in ("Hello", "are you", "there?"):
        await write(desk.conn, text)


async def quiet_time(desk: Desk) -> None:
    await desk.sql(
        "select add_work('whatsapp:+49151', 'inbound', 1, 'whatsapp:1', '{\"channel\": \"whatsapp\"}', '1 h', '1 h')"
    )


async def in_hand(desk: Desk) -> None:
    await submit(desk.conn, "Hello")
    await claim_one(desk.pool)


async def in_hand_chat(desk: Desk) -> None:
    await write(desk.conn, "Hello")
    await claim_one(desk.pool)


async def worker_dead(desk: Desk) -> None:
    await submit(desk.conn, "Hello")
    await claim_one(desk.pool, lease=timedelta(0))


async def backing_off(desk: Desk) -> None:
    await submit(desk.conn, "Hello")
    await queue.release_lane(desk.conn, await claim_one(desk.pool), pause=timedelta(hours=1), failure="Broken")


async def superseded(desk: Desk) -> None:
    reference = await submit(desk.conn, "Hello")
    lane = await claim_one(desk.pool)
    await write_again(desk.conn, reference, "One more thing")
    await desk.work(reply_with("Hello."), lane=lane)
    assert await desk.sql("select state from turns") == "superseded"


async def answered(desk: Desk) -> None:
    await submit(desk.conn, "Hello")
    await desk.work(reply_with("Hello."))


async def asked(desk: Desk) -> None:
    await submit(desk.conn, "Hello")
    await desk.work(reply_with("Which plan are you on?", kind="clarifying_question"))


async def resolved(desk: Desk) -> None:
    await answered(desk)
    await desk.sql("update conversations set status = 'resolved'")


async def closed_by_thanks(desk: Desk) -> None:
    reference = await submit(desk.conn, "Hello")
    await desk.work(reply_with("Here you are.", kind="acknowledgement"))
    await write_again(desk.conn, reference, "Thank you!")
    await desk.work()
    assert await desk.sql("select status from conversations") == "resolved"


async def escalated(desk: Desk) -> None:
    await desk.web_escalated()


async def escalated_without_owner(desk: Desk) -> None:
    await desk.web_escalated()
    await desk.sql("update tickets set team = null, assignee = null")


async def escalated_without_due_time(desk: Desk) -> None:
    await desk.web_escalated()
    await desk.sql("update tickets set person_due_at = null")


async def escalated_chat(desk: Desk) -> None:
    await write(desk.conn, "Let me talk to a person")
    await desk.work(hand_over())


async def taken_over(desk: Desk) -> None:
    reference = await submit(desk.conn, "Hello")
    assert await desk.sql("select take_over($1)", reference) == "accepted"


async def taken_over_and_taken_up(desk: Desk) -> None:
    await taken_over(desk)
    await desk.work()


async def taken_over_before_sending(desk: Desk) -> None:
    await desk.pending()
    await open_ticket(desk)
    assert await desk.sql("select take_over($1)", await desk.reference()) == "accepted"
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "cancelled"


async def open_ticket(desk: Desk) -> None:
    """As the tool create_ticket does; a chat begins without one."""
    await desk.sql("insert into tickets (reference, conversation_id) select new_reference('TF'), id from conversations")


async def answered_by_a_person(desk: Desk) -> None:
    await desk.web_escalated()
    await desk.person_says()


async def answered_by_a_person_while_queued(desk: Desk) -> None:
    await submit(desk.conn, "Hello")
    await desk.person_says()


async def back_to_a_person(desk: Desk) -> None:
    await answered_by_a_person(desk)
    await write_again(desk.conn, await desk.reference(), "And now?")


async def back_to_a_person_and_taken_up(desk: Desk) -> None:
    await back_to_a_person(desk)
    await desk.work()


async def back_to_a_person_nobody_called(desk: Desk) -> None:
    """Somebody answered unasked, so there is no owner and no due time yet; the worker is about to set both."""
    await answered(desk)
    await desk.person_says()
    await write_again(desk.conn, await desk.reference(), "And now?")


async def back_to_a_person_nobody_called_and_taken_up(desk: Desk) -> None:
    await back_to_a_person_nobody_called(desk)
    await desk.work()


async def back_to_a_person_by_chat(desk: Desk) -> None:
    await desk.chat_with_a_person()
    await write(desk.conn, "And now?", number=NUMBER)


async def back_to_a_person_by_chat_and_taken_up(desk: Desk) -> None:
    await back_to_a_person_by_chat(desk)
    await desk.work()


async def handed_back(desk: Desk) -> None:
    await answered_by_a_person(desk)
    assert await desk.sql("select hand_back($1)", await desk.reference()) == "accepted"


async def back_after_hand_back(desk: Desk) -> None:
    await handed_back(desk)
    await write_again(desk.conn, await desk.reference(), "And now?")


async def back_to_the_agent(desk: Desk) -> None:
    await sent(desk)
    await write(desk.conn, "And now?", number=NUMBER)


async def pending(desk: Desk) -> None:
    await desk.pending()


async def sending(desk: Desk) -> None:
    await desk.pending()
    lane = await claim_one(desk.pool)
    message = UUID(lane.jobs[0].payload["message_id"])
    begun = await deliveries.begin_delivery(desk.conn, lane, message, lease=timedelta(seconds=12))
    assert begun is not None
    assert begun.act == "send"


async def worker_died_sending(desk: Desk) -> None:
    await sending(desk)
    await desk.sql("update lanes set lease_until = now() - interval '1 s' where lane like 'out:%'")


async def not_sent(desk: Desk) -> None:
    await desk.pending()
    desk.vendor.outcomes = [NotSent("429", delay=timedelta(minutes=1))]
    await desk.work()


async def unknown(desk: Desk) -> None:
    await desk.pending()
    desk.vendor.outcomes = [ConnectionResetError()]
    await desk.work()


async def parked(desk: Desk) -> None:
    desk.vendor.index_lag = None
    await unknown(desk)
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "unknown"


async def failed(desk: Desk) -> None:
    await desk.pending()
    desk.vendor.outcomes = [Refused("63016")]
    await desk.work()


async def sent(desk: Desk) -> None:
    await desk.pending()
    await desk.work()


async def report(desk: Desk, status: str) -> None:
    known = await deliveries.record_status(
        desk.conn, channel="whatsapp", token=None, status=status, error=None, payload={},
        vendor_id=await desk.sql("select vendor_id from messages where vendor_id is not null"),
    )  # fmt: skip
    assert known


async def delivered(desk: Desk) -> None:
    await sent(desk)
    await report(desk, "delivered")


async def failed_after_all(desk: Desk) -> None:
    await sent(desk)
    await report(desk, "failed")


async def second_part_pending(desk: Desk) -> None:
    await desk.pending("Here you are.\nAnd the rest.")
    desk.vendor.outcomes = [TAKEN, NotSent("429", delay=timedelta(minutes=1))]
    await desk.work()
    said = await desk.conn.fetch("select delivery from messages where direction = 'outbound' order by part")
    assert [row["delivery"] for row in said] == ["sent", "pending"]


async def both_parts_sent(desk: Desk) -> None:
    await desk.pending("Here you are.\nAnd the rest.")
    await desk.work()


async def person_pending(desk: Desk) -> None:
    await escalated_chat(desk)
    await desk.work()
    await desk.person_says()


async def person_sent(desk: Desk) -> None:
    await person_pending(desk)
    await desk.work()


async def thanked_while_a_persons_word_was_on_its_way(desk: Desk) -> None:
    """ "Thank you!" is taken up before the vendor has taken what was written before it: nothing is owed for it."""
    await person_pending(desk)
    replying = await claim_one(desk.pool)
    await write(desk.conn, "Thank you!")
    await desk.work()
    assert await desk.sql("select outcome from turns order by started_at desc limit 1") == "closed"
    await desk.work(lane=replying)


async def person_failed(desk: Desk) -> None:
    await person_pending(desk)
    desk.vendor.outcomes = [Refused("63016")]
    await desk.work()


async def reply_lost_from_the_queue(desk: Desk) -> None:
    await desk.pending()
    await desk.sql("delete from message_queue")
    await desk.sql("update lanes set pending = 0")


async def in_doubt_without_a_person(desk: Desk) -> None:
    await unknown(desk)
    await desk.sql("delete from message_queue")
    await desk.sql("update lanes set pending = 0")


async def message_lost_from_the_queue(desk: Desk) -> None:
    await submit(desk.conn, "Hello")
    await desk.sql("delete from message_queue")
    await desk.sql("update lanes set pending = 0")


async def given_up(desk: Desk) -> None:
    await submit(desk.conn, "Hello")
    await make_runner(desk.pool, ScriptedModel([])).give_up(await claim_one(desk.pool), "TimeoutError")


async def dead_letter(desk: Desk) -> None:
    await submit(desk.conn, "Hello")
    await queue.bury_work(desk.conn, await claim_one(desk.pool), error="cannot be read")


async def dead_letter_of_a_chat(desk: Desk) -> None:
    await write(desk.conn, "Hello")
    await queue.bury_work(desk.conn, await claim_one(desk.pool), error="cannot be read")


async def dead_letter_nobody_was_called_for(desk: Desk) -> None:
    await desk.sql("alter table dead_letters disable trigger user")
    await dead_letter_of_a_chat(desk)


async def dead_letter_answered_by_a_person(desk: Desk) -> None:
    await dead_letter_of_a_chat(desk)
    await desk.person_says()
    await desk.work()


async def dead_letter_requeued(desk: Desk) -> None:
    await dead_letter_of_a_chat(desk)
    assert await dead_letters.revive_dead(desk.conn, await desk.sql("select id from dead_letters"))


async def dead_letter_requeued_and_answered(desk: Desk) -> None:
    await dead_letter_requeued(desk)
    await desk.work(reply_with("Here you are."))
    await desk.work()


async def test_message(desk: Desk) -> None:
    await submit(desk.conn, "Hello")
    await desk.sql("update conversations set is_test = true")


async def only_upkeep(desk: Desk) -> None:
    await queue.add_work(desk.conn, "job:sweep", "sweep", {}, dedupe_key="job:sweep", priority=2)


test_message.__test__ = False  # type: ignore[attr-defined]

NOT_LISTED = None
STATES: list[tuple[Callable[[Desk], Awaitable[None]], tuple[str, str | None, bool] | None]] = [
    # what happened, and the one row there must be: what they wait for, who owes it, whether nobody sees it
    (queued, ("queue", "agent", False)),
    (queued_chat, ("queue", "agent", False)),
    (queued_burst, ("queue", "agent", False)),
    (quiet_time, ("queue", "agent", False)),
    (in_hand, ("turn", "agent", False)),
    (in_hand_chat, ("turn", "agent", False)),
    (worker_dead, ("queue", "agent", False)),
    (backing_off, ("queue", "agent", False)),
    (superseded, ("queue", "agent", False)),
    (answered, NOT_LISTED),
    (asked, NOT_LISTED),
    (resolved, NOT_LISTED),
    (closed_by_thanks, NOT_LISTED),
    (escalated, ("person", "support", False)),
    (escalated_chat, ("person", "support", False)),
    (escalated_without_owner, ("person", None, True)),
    (escalated_without_due_time, ("person", "support", True)),
    (taken_over, ("person", "support", False)),
    (taken_over_and_taken_up, ("person", "support", False)),
    (taken_over_before_sending, ("person", "support", False)),
    (answered_by_a_person, NOT_LISTED),
    (answered_by_a_person_while_queued, NOT_LISTED),
    (back_to_a_person, ("person", "support", False)),
    (back_to_a_person_and_taken_up, ("person", "support", False)),
    (back_to_a_person_nobody_called, ("person", None, False)),
    (back_to_a_person_nobody_called_and_taken_up, ("person", "support", False)),
    (back_to_a_person_by_chat, ("queue", "support", False)),
    (back_to_a_person_by_chat_and_taken_up, ("person", "support", False)),
    (handed_back, NOT_LISTED),
    (back_after_hand_back, ("queue", "agent", False)),
    (back_to_the_agent, ("queue", "agent", False)),
    (pending, ("delivery", "agent", False)),
    (sending, ("delivery", "agent", False)),
    (worker_died_sending, ("delivery", "agent", False)),
    (not_sent, ("delivery", "agent", False)),
    (unknown, ("delivery", "agent", False)),
    (parked, ("person", "support", False)),
    (failed, ("person", "support", False)),
    (sent, NOT_LISTED),
    (delivered, NOT_LISTED),
    (failed_after_all, ("person", "support", False)),
    (second_part_pending, ("delivery", "agent", False)),
    (both_parts_sent, NOT_LISTED),
    (person_pending, ("delivery", "support", False)),
    (person_sent, NOT_LISTED),
    (thanked_while_a_persons_word_was_on_its_way, NOT_LISTED),
    (person_failed, ("person", "support", False)),
    (reply_lost_from_the_queue, ("delivery", None, True)),
    (in_doubt_without_a_person, ("delivery", None, True)),
    (message_lost_from_the_queue, ("nobody", None, True)),
    (given_up, ("person", "support", False)),
    (dead_letter, ("person", "support", False)),
    (dead_letter_of_a_chat, ("person", "support", False)),
    (dead_letter_nobody_was_called_for, ("nobody", None, True)),
    (dead_letter_answered_by_a_person, NOT_LISTED),
    (dead_letter_requeued, ("queue", "agent", False)),
    (dead_letter_requeued_and_answered, NOT_LISTED),
    (test_message, NOT_LISTED),
    (only_upkeep, NOT_LISTED),
]


@pytest.mark.parametrize(("happen", "row"), STATES, ids=[state[0].__name__ for state in STATES])
async def test_whoever_waits_is_listed_once_and_nobody_else_is(
    pool: Pool, conn: Connection, happen: Callable[[Desk], Awaitable[None]], row: tuple[str, str | None, bool] | None
) -> None:
    await happen(Desk(pool, conn))
    listed = await conn.fetch("select waits_for, owner, is_unseen from waiting_customers")
    assert [tuple(one) for one in listed] == ([row] if row else [])


async def test_nobody_is_overdue_at_once_because_an_earlier_word_was_due_long_ago(pool: Pool, conn: Connection) -> None:
    desk = Desk(pool, conn)
    await answered(desk)
    await conn.execute("update tickets set first_response_due_at = now() - interval '9 days'")
    await write_again(conn, await desk.reference(), "And now?")
    assert await conn.fetchval("select due_at > now() and not is_overdue from waiting_customers")


async def test_whoever_waits_for_a_vendor_is_listed_with_the_tries_and_what_they_met(
    pool: Pool, conn: Connection
) -> None:
    await not_sent(Desk(pool, conn))
    row = await conn.fetchrow("select waits_for, attempts, last_error from waiting_customers")
    assert row is not None
    assert tuple(row) == ("delivery", 1, "429")


async def test_a_new_word_in_a_conversation_at_rest_has_its_due_time_too(pool: Pool, conn: Connection) -> None:
    desk = Desk(pool, conn)
    await desk.pending()
    await open_ticket(desk)
    await conn.execute("update tickets set first_response_met_at = now()")
    await desk.work()
    await write(conn, "And now?", number=NUMBER)
    row = await conn.fetchrow("select waits_for, due_at > now() as is_due, is_overdue from waiting_customers")
    assert row is not None
    assert tuple(row) == ("queue", True, False)


async def test_whoever_waits_longer_than_promised_is_overdue(pool: Pool, conn: Connection) -> None:
    await escalated(Desk(pool, conn))
    await conn.execute("update conversations set waiting_since = now() - interval '2 days'")
    await conn.execute("update tickets set person_due_at = now() - interval '1 day'")
    assert await conn.fetchval("select is_overdue from waiting_customers")


async def test_whose_answer_failed_is_not_handed_back_because_they_wrote_more(pool: Pool, conn: Connection) -> None:
    desk = Desk(pool, conn)
    await person_pending(desk)
    await write(conn, "And another thing")
    await desk.work()
    vendor_id = await desk.sql("select vendor_id from messages where author = 'person'")
    await deliveries.record_status(
        conn, channel="whatsapp", token=None, status="failed", error=None, payload={}, vendor_id=vendor_id
    )
    assert await desk.sql("select hand_back($1)", await desk.reference()) == "waiting"
