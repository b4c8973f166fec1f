"""From a customer's WhatsApp message to the answer on their phone, and back to what became of it: over real sockets,
with web, worker and Postgres, against emulate's Twilio and against our own stand-in."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app.wiring import make_whatsapp_handlers
from db.pool import Connection, Pool
from tests.e2e.chat_desk import CUSTOMER, configure, open_channel, running_desk, wait_until
from tests.stand_ins.http import call
from tests.stand_ins.journal import Fault
from tests.stand_ins.twilio_emulator import Twilio
from tests.stand_ins.vendor import running_vendor
from tests.stand_ins.webhooks import INBOUND_PATH, make_inbound, post_webhook
from worker.completer import Completer
from worker.jobs.whatsapp_sync import WhatsAppSync

WANTS_A_PERSON = ("Hi", "I want to talk to a person", "please")
IS_SENT = "select count(*) > 0 from messages where direction = 'outbound' and delivery = 'sent'"
IS_QUIET = "select count(*) = 0 from message_queue"


async def count_turns(conn: Connection) -> int:
    return int(await conn.fetchval("select count(*) from turns where state = 'done'"))


async def test_three_messages_get_one_answer_and_its_fate_is_known(
    twilio: Twilio, database_url: str, pool: Pool, conn: Connection
) -> None:
    settings = configure(quiet_seconds=1.5)
    await twilio.point_at(settings.public_base_url)
    async with (
        open_channel(settings, twilio.url) as channel,
        running_desk(settings, database_url, pool, channel),
    ):
        wrote = [await twilio.write(CUSTOMER, text) for text in WANTS_A_PERSON]
        await wait_until(conn, IS_SENT)
        [taken] = await twilio.list_sent()
        for status in ("delivered", "sent", "read"):
            await twilio.report(taken["sid"], status)
    assert await twilio.list_answers("message.inbound") == ["204"] * 3
    assert [await twilio.list_answers(f"message.{s}") for s in ("queued", "delivered", "sent", "read")] == [["204"]] * 4
    assert await count_turns(conn) == 1
    [sent] = await conn.fetch("select vendor_id, body, delivery from messages where direction = 'outbound'")
    assert tuple(sent) == (taken["sid"], taken["body"], "read")
    read = "select array_agg(external_id order by sent_at) from messages where direction = 'inbound'"
    assert await conn.fetchval(read) == wrote
    known = await conn.fetchrow("select kind, value, proof from customer_identifiers")
    assert known is not None
    assert tuple(known) == ("phone", CUSTOMER, "provider")


async def test_what_is_not_signed_for_us_is_refused_and_leaves_no_row(
    twilio: Twilio, database_url: str, pool: Pool, conn: Connection
) -> None:
    settings = configure(token="another token than the vendor's")
    url = settings.public_base_url + INBOUND_PATH
    ours = make_inbound(sender=CUSTOMER, body="Hello?", sid="SM" + "1" * 32)
    foreign = [ours | {"AccountSid": "AC" + "9" * 32}, ours | {"To": "whatsapp:+15559990000"}]
    await twilio.point_at(settings.public_base_url)
    async with (
        open_channel(settings, twilio.url) as channel,
        running_desk(settings, database_url, pool, channel),
    ):
        await twilio.write(CUSTOMER, "Hello?")
        unsigned = await call("POST", url, form=ours)
        signed = [await post_webhook(url, form, token="another token than the vendor's") for form in foreign]
    assert await twilio.list_answers("message.inbound") == ["403"]
    assert [answer.status for answer in [unsigned, *signed]] == [403] * 3
    assert await conn.fetchval("select (select count(*) from message_queue) + (select count(*) from messages)") == 0


async def test_nothing_is_lost_while_twilio_does_not_know_our_credentials(
    twilio: Twilio, database_url: str, pool: Pool, conn: Connection
) -> None:
    settings = configure()
    await twilio.point_at(settings.public_base_url)
    async with (
        open_channel(settings, twilio.url, token="wrong") as channel,
        running_desk(settings, database_url, pool, channel),
    ):
        await twilio.write(CUSTOMER, "I want to talk to a person")
        await wait_until(conn, "select exists (select from lanes where lane like 'out:%' and last_error is not null)")
    assert await twilio.list_sent() == []
    assert await conn.fetchval("select delivery from messages where direction = 'outbound'") == "pending"
    await conn.execute("update lanes set run_at = now()")  # the pause is over
    async with (
        open_channel(settings, twilio.url) as channel,
        running_desk(settings, database_url, pool, channel),
    ):
        await wait_until(conn, IS_SENT)
    [taken] = await twilio.list_sent()
    assert taken["sid"] == await conn.fetchval("select vendor_id from messages where direction = 'outbound'")


async def test_what_twilio_could_not_bring_to_us_is_found_in_its_list_and_answered_once(
    twilio: Twilio, database_url: str, pool: Pool, conn: Connection
) -> None:
    settings, began = configure(), datetime.now(UTC) - timedelta(minutes=1)
    async with open_channel(settings, twilio.url) as channel:
        reading = make_whatsapp_handlers(settings, pool, Completer(pool), channel)["whatsapp_sync"]
        assert isinstance(reading, WhatsAppSync)
        await reading.sync(began)
        missed = await twilio.write(CUSTOMER, "I want to talk to a person")  # it has no address of ours
        for minutes in (3, 4):
            await reading.sync(began + timedelta(minutes=minutes))
        async with running_desk(settings, database_url, pool, channel):
            await wait_until(conn, IS_SENT)
            await reading.sync(began + timedelta(minutes=5))
            await wait_until(conn, IS_QUIET)
    assert await twilio.list_answers("message.inbound") == []
    read = "select array_agg(external_id) from messages where direction = 'inbound'"
    assert await conn.fetchval(read) == [missed]
    assert len(await twilio.list_sent()) == 1


async def test_a_hundred_repeats_at_once_are_one_row_and_a_hundred_thanks(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    settings = configure()
    form = make_inbound(sender=CUSTOMER, body="I want to talk to a person", sid="SM" + "1" * 32)
    url = settings.public_base_url + INBOUND_PATH
    async with running_vendor() as vendor, open_channel(settings, vendor.url) as channel:
        vendor.knobs.callbacks = []
        async with running_desk(settings, database_url, pool, channel):
            answers = await asyncio.gather(*(post_webhook(url, form) for _ in range(100)))
            await wait_until(conn, IS_SENT)
            late = await post_webhook(url, form)
            await wait_until(conn, IS_QUIET)
    assert [answer.status for answer in [*answers, late]] == [204] * 101
    assert await conn.fetchval("select count(*) from messages where direction = 'inbound'") == 1
    assert await count_turns(conn) == len(vendor.journal.accepted) == 1


async def test_an_album_that_comes_all_at_once_is_one_conversation_and_gets_one_answer(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    settings = configure(quiet_seconds=1.5)
    url = settings.public_base_url + INBOUND_PATH
    picture = {"NumMedia": "1", "MessageType": "image", "MediaContentType0": "image/jpeg"}
    album = [make_inbound(sender=CUSTOMER, body="", sid=f"MM{n:032}") | picture for n in range(10)]
    async with (
        running_vendor() as vendor,
        open_channel(settings, vendor.url) as channel,
        running_desk(settings, database_url, pool, channel),
    ):
        answers = await asyncio.gather(*(post_webhook(url, form) for form in album))
        await wait_until(conn, "select count(*) > 0 from messages where delivery = 'delivered'")
        await wait_until(conn, IS_QUIET)
    assert [answer.status for answer in answers] == [204] * 10
    assert await conn.fetchval("select count(*) from messages where direction = 'inbound'") == 10
    assert await conn.fetchval("select count(*) from conversations") == 1
    assert await count_turns(conn) == len(vendor.journal.accepted) == 1


@pytest.mark.parametrize("fault", ["drop", "accept_500", "lose", "fail_500"])
async def test_an_answer_nobody_knows_the_end_of_is_looked_for_and_arrives_once(
    fault: Fault, database_url: str, pool: Pool, conn: Connection
) -> None:
    settings = configure()
    async with running_vendor() as vendor, open_channel(settings, vendor.url) as channel:
        vendor.knobs.callbacks, vendor.knobs.script, vendor.knobs.index_lag_seconds = [], [fault], 0.3
        async with running_desk(settings, database_url, pool, channel):
            await vendor.write(settings.public_base_url, CUSTOMER, "I want to talk to a person")
            await wait_until(conn, IS_SENT)
            await wait_until(conn, IS_QUIET)
    [taken] = vendor.journal.accepted
    assert vendor.journal.looked_up > 0
    [sent] = await conn.fetch("select vendor_id, possible_duplicate from messages where direction = 'outbound'")
    assert tuple(sent) == (taken.id, fault in ("lose", "fail_500"))


async def test_callbacks_out_of_order_end_at_the_furthest(database_url: str, pool: Pool, conn: Connection) -> None:
    settings = configure()
    async with running_vendor() as vendor, open_channel(settings, vendor.url) as channel:
        vendor.knobs.callbacks, vendor.knobs.callback_duplicate_share = ["delivered", "queued", "read", "sent"], 0.5
        async with running_desk(settings, database_url, pool, channel):
            await vendor.write(settings.public_base_url, CUSTOMER, "I want to talk to a person")
            await wait_until(conn, "select count(distinct status) >= 3 from delivery_events")
            await wait_until(
                conn, "select count(*) filter (where payload->>'MessageStatus' = 'sent') > 0 from delivery_events"
            )
    assert await conn.fetchval("select delivery from messages where direction = 'outbound'") == "read"
    assert set(vendor.journal.callbacks) == {"204"}


async def test_429_is_waited_out_and_the_answer_sent_once(database_url: str, pool: Pool, conn: Connection) -> None:
    settings = configure()
    async with running_vendor() as vendor, open_channel(settings, vendor.url) as channel:
        vendor.knobs.script = ["refuse_429"]
        async with running_desk(settings, database_url, pool, channel):
            await vendor.write(settings.public_base_url, CUSTOMER, "I want to talk to a person")
            await wait_until(conn, "select count(*) > 0 from messages where delivery = 'delivered'")
    assert len(vendor.journal.list_to(CUSTOMER)) == 1
    assert vendor.journal.asked == {"refuse_429": 1, "ok": 1}
    assert not await conn.fetchval("select bool_or(possible_duplicate) from messages")
