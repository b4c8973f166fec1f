"""Promises about sending: once, in order, or seen by a person. The vendor's own journal is what counts."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from agent.models.scripted import ScriptedModel
from db import deliveries, handover, queue
from db.errors import LeaseLost, RetryLater
from db.pool import Connection, Pool
from db.queue import ClaimedLane
from tests.fakes import hand_over, make_runner, reply_with, write_on_a_channel_without_tickets
from tests.stand_ins.channels import DraftsChannel, MuteChannel
from tests.stand_ins.vendor import Vendor, running_vendor
from worker.deliver import Deliver

NUMBER = "+4915112345678"
LONG = "thank you for that and also for this and all of it and so on again"


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with running_vendor() as server:
        yield server


class Desk:
    """One team with one vendor channel; `lag` is how long the vendor's no means nothing."""

    def __init__(self, pool: Pool, channel: DraftsChannel | MuteChannel) -> None:
        self.pool, self.channel = pool, channel
        self.handler = Deliver(pool, {channel.name: channel}, "TF")

    async def answer(self, conn: Connection, text: str = "Here you are.") -> UUID:
        """A customer writes and the agent answers; returns the conversation."""
        await write_on_a_channel_without_tickets(conn, "Hello", channel=self.channel.name)
        lane = await self.claim(conn)
        await make_runner(self.pool, ScriptedModel([reply_with(text)]), channels=[self.channel]).run(lane)
        talk: UUID = await conn.fetchval("select id from conversations")
        return talk

    async def claim(self, conn: Connection) -> ClaimedLane:
        """What waits, and it is due now however long it was put off."""
        await conn.execute("update lanes set run_at = now(), lease_until = lease_until - interval '1 hour'")
        [lane] = await queue.claim_lanes(conn, worker="w", lanes=1, messages=20, lease=timedelta(minutes=1))
        return lane

    async def deliver(self, conn: Connection) -> ClaimedLane:
        lane = await self.claim(conn)
        try:
            await self.handler.run(lane)
        except RetryLater as error:
            await queue.release_lane(conn, lane, pause=error.delay, failure=str(error), is_try=False)
        return lane


async def states(conn: Connection) -> list[str]:
    rows = await conn.fetch("select delivery from messages where direction = 'outbound' order by sent_at, id")
    return [row["delivery"] for row in rows]


async def test_a_reply_reaches_the_customer_once_and_the_wait_ends_only_then(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, DraftsChannel(vendor.url))
    await desk.answer(conn)
    assert (await states(conn), len(vendor.journal.accepted)) == (["pending"], 0)
    assert await conn.fetchval("select count(*) from waiting_customers") == 1
    await desk.deliver(conn)
    assert (await states(conn), len(vendor.journal.accepted)) == (["sent"], 1)
    assert await conn.fetchval("select count(*) from waiting_customers") == 0
    assert await conn.fetchval("select pending from lanes where lane like 'out:%'") == 0
    row = await conn.fetchrow("select delivery_ms, total_ms >= delivery_ms as adds_up from agent_metrics")
    assert row is not None
    assert (row["delivery_ms"] > 0, row["adds_up"]) == (True, True)


async def test_the_parts_of_a_long_reply_arrive_in_order_also_when_the_second_fails_at_first(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, DraftsChannel(vendor.url, part_size=20))
    await desk.answer(conn, LONG)
    vendor.knobs.script = ["ok", "fail_500", "drop"]
    for _ in range(5):
        if not await conn.fetchval("select count(*) from message_queue where kind = 'deliver'"):
            break
        await desk.deliver(conn)
    assert [one.send.body.strip() for one in vendor.journal.accepted] == desk.channel.split(LONG)
    assert set(await states(conn)) == {"sent"}
    assert not await conn.fetchval("select bool_or(possible_duplicate) from messages")


async def test_the_parts_behind_one_that_was_buried_are_not_sent(pool: Pool, conn: Connection, vendor: Vendor) -> None:
    desk = Desk(pool, MuteChannel(vendor.url, part_size=20))
    await desk.answer(conn, LONG)
    lane = await desk.claim(conn)
    assert await queue.bury_work(conn, lane, error="cannot be done", only=lane.jobs[0])
    await desk.deliver(conn)
    assert vendor.journal.accepted == []
    assert set((await states(conn))[1:]) == {"cancelled"}


@pytest.mark.parametrize("fault", ["drop", "accept_500"])
async def test_what_was_taken_without_an_answer_is_not_sent_again(
    pool: Pool, conn: Connection, vendor: Vendor, fault: str
) -> None:
    desk = Desk(pool, DraftsChannel(vendor.url))
    await desk.answer(conn)
    vendor.knobs.script = [fault]  # type: ignore[list-item]
    await desk.deliver(conn)
    assert await states(conn) == ["unknown"]
    assert await conn.fetchval("select waits_for from waiting_customers") == "delivery"
    await desk.deliver(conn)
    assert (await states(conn), len(vendor.journal.accepted)) == (["sent"], 1)


async def test_a_vendor_that_cannot_be_asked_is_never_asked_twice_and_a_person_is_told(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    await desk.answer(conn)
    vendor.knobs.script = ["drop"]
    await desk.deliver(conn)
    assert (await states(conn), len(vendor.journal.accepted)) == (["unknown"], 1)
    row = await conn.fetchrow("select status, escalation_reason, person_due_at from tickets")
    assert row is not None
    assert (row["status"], row["escalation_reason"]) == ("escalated", "delivery_unknown")
    assert row["person_due_at"] is not None
    assert await conn.fetchval("select count(*) from waiting_customers") == 1
    assert await conn.fetchval("select count(*) from message_queue") == 0


async def test_a_no_of_the_vendor_counts_only_once_its_index_has_caught_up(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, DraftsChannel(vendor.url, index_lag=timedelta(minutes=1), absence_is_proof=False))
    await desk.answer(conn)
    vendor.knobs.script = ["fail_500", "ok"]
    await desk.deliver(conn)
    await desk.deliver(conn)
    assert await states(conn) == ["unknown"]
    assert vendor.journal.asked.total() == 1
    await conn.execute("update messages set last_try_at = last_try_at - interval '2 minutes'")
    await desk.deliver(conn)
    assert (await states(conn), len(vendor.journal.accepted)) == (["sent"], 1)
    assert await conn.fetchval("select possible_duplicate from messages where direction = 'outbound'")


async def test_where_a_no_is_no_proof_there_is_one_second_try_and_then_a_person(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, DraftsChannel(vendor.url, absence_is_proof=False))
    await desk.answer(conn)
    vendor.knobs.script = ["fail_500"] * 9
    for _ in range(3):
        await desk.deliver(conn)
    assert vendor.journal.asked.total() == 2
    assert await states(conn) == ["unknown"]
    assert await conn.fetchval("select escalation_reason from tickets") == "delivery_unknown"


async def test_what_the_vendor_surely_has_not_taken_is_tried_again_without_a_flag(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    await desk.answer(conn)
    vendor.knobs.script = ["refuse_429", "ok"]
    await desk.deliver(conn)
    assert await states(conn) == ["pending"]
    await desk.deliver(conn)
    assert (await states(conn), len(vendor.journal.accepted)) == (["sent"], 1)
    assert not await conn.fetchval("select bool_or(possible_duplicate) from messages")


async def test_what_the_vendor_refuses_for_good_goes_to_a_person_and_the_parts_behind_it_are_not_sent(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, MuteChannel(vendor.url, part_size=20))
    await desk.answer(conn, LONG)
    vendor.knobs.script = ["ok", "refuse_400"]
    await desk.deliver(conn)
    assert await states(conn) == ["sent", "failed", "cancelled", "cancelled"]
    assert len(vendor.journal.accepted) == 1
    assert await conn.fetchval("select escalation_reason from tickets") == "delivery_failed"
    assert await conn.fetchval("select is_unseen from waiting_customers") is False


async def test_a_reply_that_was_not_sent_yet_is_not_sent_after_a_person_took_over(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    talk = await desk.answer(conn)
    reference = await conn.fetchval("select call_person($1, 'asked', '', 'TF')", talk)
    await conn.execute("update conversations set handler = 'agent'")
    assert await handover.take_over(conn, reference) == "accepted"
    await desk.deliver(conn)
    assert (await states(conn), vendor.journal.accepted) == (["cancelled"], [])
    assert await conn.fetchval("select count(*) from waiting_customers") == 1


async def test_a_persons_answer_is_sent_through_the_vendor_and_a_second_click_changes_nothing(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    await write_on_a_channel_without_tickets(conn, "A person, please", channel="mute")
    await make_runner(pool, ScriptedModel([hand_over()]), channels=[desk.channel]).run(await desk.claim(conn))
    await desk.deliver(conn)
    reference, click = await conn.fetchval("select reference from tickets"), uuid4()
    assert await handover.add_person_message(conn, reference, "Jane here.", "Done.", idempotency=click) == "accepted"
    assert await handover.add_person_message(conn, reference, "Jane here.", "Done.", idempotency=click) == "repeated"
    await desk.deliver(conn)
    assert [one.send.body for one in vendor.journal.accepted][1:] == ["Jane here.", "Done."]
    assert await conn.fetchval("select count(*) from waiting_customers") == 0


async def test_the_same_words_sent_before_prove_nothing_about_this_message(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    await desk.answer(conn, "Hello.")
    await desk.deliver(conn)
    await desk.answer(conn, "Hello.")
    delivery = await deliveries.begin_delivery(
        conn,
        lane := await desk.claim(conn),
        UUID(lane.jobs[0].payload["message_id"]),
        lease=timedelta(seconds=9),
    )
    assert delivery is not None
    assert delivery.message["known_ids"] == (vendor.journal.accepted[0].id,)


async def test_a_worker_that_slept_over_its_lease_sends_nothing(pool: Pool, conn: Connection, vendor: Vendor) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    desk.handler = replace(desk.handler, lease=timedelta(0))
    await desk.answer(conn)
    await desk.deliver(conn)
    assert (await states(conn), vendor.journal.accepted) == (["pending"], [])


async def test_an_acceptance_is_kept_also_when_the_lease_was_lost_meanwhile(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    await desk.answer(conn)
    vendor.gate.close("after")
    slow = asyncio.create_task(desk.handler.run(await desk.claim(conn)))
    await vendor.gate.reached.wait()
    second = await desk.claim(conn)
    vendor.gate.open()
    with pytest.raises(LeaseLost):
        await slow
    assert await states(conn) == ["sent"]
    await desk.handler.run(second)
    assert len(vendor.journal.accepted) == 1
    assert await conn.fetchval("select count(*) from message_queue") == 0


async def report(conn: Connection, status: str, *, vendor_id: str = "SM1", token: UUID | None = None) -> bool:
    return await deliveries.record_status(
        conn, channel="mute", vendor_id=vendor_id, token=token, status=status, error=None, payload={}
    )


async def test_a_report_proves_the_acceptance_of_a_try_whose_answer_was_lost(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, DraftsChannel(vendor.url, name="mute", index_lag=timedelta(minutes=1), absence_is_proof=False))
    await desk.answer(conn)
    vendor.knobs.script = ["fail_500"]
    await desk.deliver(conn)
    token = await conn.fetchval("select idempotency_token from messages where direction = 'outbound'")
    assert await report(conn, "sending", token=token)
    await desk.deliver(conn)
    assert (await states(conn), vendor.journal.asked.total()) == (["sent"], 1)
    assert await conn.fetchval("select count(*) from waiting_customers") == 0


async def test_reports_move_a_message_only_up_and_all_of_them_are_kept(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    await desk.answer(conn)
    await desk.deliver(conn)
    vendor_id = vendor.journal.accepted[0].id
    for status, expected in [("delivered", "delivered"), ("sent", "delivered"), ("read", "read"), ("failed", "read")]:
        assert await report(conn, status, vendor_id=vendor_id)
        assert await states(conn) == [expected]
    assert await conn.fetchval("select count(*) from delivery_events") == 4


async def test_a_report_that_comes_before_the_id_is_known_is_joined_to_its_message(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    await desk.answer(conn)
    vendor.gate.close("after")
    sending = asyncio.create_task(desk.handler.run(await desk.claim(conn)))
    await vendor.gate.reached.wait()
    assert not await report(conn, "delivered", vendor_id=vendor.journal.accepted[0].id)
    vendor.gate.open()
    await sending
    assert await states(conn) == ["delivered"]


async def test_a_failure_reported_later_calls_a_person_who_stays_called_when_it_arrives_after_all(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    await desk.answer(conn)
    await desk.deliver(conn)
    vendor_id = vendor.journal.accepted[0].id
    await report(conn, "failed", vendor_id=vendor_id)
    assert await states(conn) == ["failed"]
    assert await conn.fetchval("select is_unseen from waiting_customers") is False
    await report(conn, "sent", vendor_id=vendor_id)
    assert await states(conn) == ["failed"]
    await report(conn, "delivered", vendor_id=vendor_id)
    assert await states(conn) == ["delivered"]
    assert await conn.fetchval("select waits_for from waiting_customers") == "person"


async def test_two_acceptances_of_one_message_are_flagged(pool: Pool, conn: Connection, vendor: Vendor) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    await desk.answer(conn)
    await desk.deliver(conn)
    token = await conn.fetchval("select idempotency_token from messages where direction = 'outbound'")
    await report(conn, "delivered", vendor_id="another", token=token)
    assert await conn.fetchval("select possible_duplicate from messages where direction = 'outbound'")


async def test_a_channel_that_is_off_keeps_its_replies_until_it_is_on_again(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    await desk.answer(conn)
    on, desk.handler = desk.handler, Deliver(pool, {}, "TF")
    await desk.deliver(conn)
    desk.handler = on
    await desk.deliver(conn)
    assert len(vendor.journal.accepted) == 1


async def test_work_given_up_is_left_to_a_person_as_failed_or_in_doubt(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    await desk.answer(conn)
    await desk.handler.give_up(await desk.claim(conn), "never worked")
    assert await states(conn) == ["failed"]
    assert await conn.fetchval("select delivery_error from messages where direction = 'outbound'") == "never worked"
    assert await conn.fetchval("select count(*) from message_queue") == 0


async def hand_to_a_person(desk: Desk, conn: Connection) -> str:
    """A customer who asked for a person and was told so; returns the ticket's reference."""
    await write_on_a_channel_without_tickets(conn, "A person, please", channel=desk.channel.name)
    await make_runner(desk.pool, ScriptedModel([hand_over()]), channels=[desk.channel]).run(await desk.claim(conn))
    await desk.deliver(conn)
    return str(await conn.fetchval("select reference from tickets"))


async def write_to_a_person(desk: Desk, conn: Connection) -> None:
    await write_on_a_channel_without_tickets(conn, "It is broken again", channel=desk.channel.name)
    await conn.execute("update lanes set run_at = now() + interval '1 hour' where lane like 'out:%'")
    lanes = await queue.claim_lanes(conn, worker="w", lanes=9, messages=20, lease=timedelta(minutes=1))
    [lane] = [lane for lane in lanes if not lane.lane.startswith("out:")]
    await make_runner(desk.pool, ScriptedModel([]), channels=[desk.channel]).run(lane)


async def test_a_word_that_came_while_a_persons_answer_was_on_its_way_is_still_owed_one(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    reference = await hand_to_a_person(desk, conn)
    await handover.add_person_message(conn, reference, "Done, have a look.", idempotency=uuid4())
    await write_to_a_person(desk, conn)
    await desk.deliver(conn)
    assert await conn.fetchval("select count(*) from waiting_customers") == 1


async def test_whoever_comes_back_to_a_person_has_an_owner_and_a_due_time(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    reference = await hand_to_a_person(desk, conn)
    await handover.add_person_message(conn, reference, "Done, have a look.", idempotency=uuid4())
    await desk.deliver(conn)
    assert await conn.fetchval("select count(*) from waiting_customers") == 0
    await write_to_a_person(desk, conn)
    row = await conn.fetchrow("select owner is not null, due_at is not null, is_unseen from waiting_customers")
    assert row is not None
    assert tuple(row) == (True, True, False)


async def test_work_without_a_message_leaves_the_queue(pool: Pool, conn: Connection, vendor: Vendor) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    payload = {"version": 1, "message_id": str(uuid4())}
    await queue.add_work(conn, "out:gone", "deliver", payload, dedupe_key="deliver:gone", priority=0)
    await desk.deliver(conn)
    assert await conn.fetchval("select count(*) from message_queue") == 0


async def test_work_that_nobody_can_read_is_buried_without_the_replies_behind_it(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    await desk.answer(conn)
    lane = await conn.fetchval("select lane from message_queue")
    await conn.execute(
        "insert into message_queue (id, lane, kind, dedupe_key, payload) overriding system value "
        "values (0, $1, 'deliver', 'deliver:broken', '{}')",
        lane,
    )
    await conn.execute("update lanes set pending = pending + 1 where lane = $1", lane)
    await desk.handler.give_up(await desk.claim(conn), "the row names no message")
    await desk.deliver(conn)
    assert len(vendor.journal.accepted) == 1
    assert await conn.fetchval("select array_agg(dedupe_key) from dead_letters") == ["deliver:broken"]


async def test_a_doubt_is_waited_out_also_when_the_row_is_old(pool: Pool, conn: Connection, vendor: Vendor) -> None:
    desk = Desk(pool, DraftsChannel(vendor.url, index_lag=timedelta(minutes=1), absence_is_proof=False))
    await desk.answer(conn)
    await conn.execute("update message_queue set created_at = created_at - interval '2 hours'")
    vendor.knobs.script = ["fail_500"]
    for _ in range(2):
        with pytest.raises(RetryLater) as put_off:
            await desk.handler.run(await desk.claim(conn))
        assert put_off.value.waited == timedelta(0)


async def test_a_field_that_newer_code_gives_a_message_hinders_nobody(
    pool: Pool, conn: Connection, vendor: Vendor
) -> None:
    desk = Desk(pool, MuteChannel(vendor.url))
    await desk.answer(conn)
    source = await conn.fetchval("select pg_get_functiondef('begin_delivery'::regproc)")
    await conn.execute(source.replace("'part', m.part,", "'part', m.part, 'newer', 1,"))
    await desk.deliver(conn)
    assert len(vendor.journal.accepted) == 1


async def test_a_customers_address_is_in_no_log(conn: Connection) -> None:
    lane = await write_on_a_channel_without_tickets(conn, "Hello")
    [claimed] = await queue.claim_lanes(conn, worker="w", lanes=1, messages=20, lease=timedelta(minutes=1))
    assert NUMBER in lane
    assert NUMBER not in claimed.label
    assert claimed.label.removeprefix("whatsapp:") == await conn.fetchval("select left(md5($1), 12)", NUMBER)
