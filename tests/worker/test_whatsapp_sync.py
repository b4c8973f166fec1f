"""What Twilio has and never brought to us is taken in: once, in order, and only what is ours to answer."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agent.models.scripted import ScriptedModel
from app.settings import read_settings
from app.wiring import make_whatsapp_handlers
from channels.whatsapp import open_whatsapp
from db import chats, queue
from db.channels import load_reading
from db.errors import RetryLater
from db.health import list_alarms
from db.pool import Connection, Pool
from tests.channels.twilio import ACCOUNT, CUSTOMER, ENVIRON
from tests.channels.twilio_records import say
from tests.fakes import make_runner, reply_with
from tests.worker.twilio_desk import DAY, MINUTE, Desk, is_suppressed, make_payload, name_no_callback, open_desk
from worker.completer import Completer


@pytest.fixture
async def desk(pool: Pool, conn: Connection) -> AsyncIterator[Desk]:
    """It was first read two days ago."""
    async with open_desk(pool, conn) as opened:
        await opened.began(2 * DAY)
        yield opened


async def test_a_message_no_webhook_brought_is_taken_in_and_answered(desk: Desk) -> None:
    sid = desk.twilio.write("How do I export a board?")
    await desk.sync()
    row = await desk.conn.fetchrow("select lane, dedupe_key, payload from message_queue")
    assert row is not None
    assert (row["lane"], row["dedupe_key"]) == (f"whatsapp:{CUSTOMER}", f"whatsapp:{sid}")
    [lane] = await queue.claim_lanes(desk.conn, worker="w", lanes=1, messages=20, lease=MINUTE)
    runner = make_runner(desk.pool, ScriptedModel([reply_with("Here is how.")]), channels=[desk.channel])
    await runner.run(lane)
    assert await desk.sql("select body from messages where direction = 'outbound'") == "Here is how."


async def test_what_is_known_is_not_taken_in_again(desk: Desk) -> None:
    waits, taken_up, kept, dead = (desk.twilio.write(name) for name in ("waits", "taken up", "kept", "dead"))
    for sid, state in ((taken_up, None), (kept, "sticker")):
        await desk.sql("select keep_aside($1)", make_payload(sid) | {"kind": state})
    await queue.add_work(
        desk.conn, f"whatsapp:{CUSTOMER}", "inbound", make_payload(waits), dedupe_key=f"whatsapp:{waits}"
    )
    await desk.conn.execute(
        """
        insert into dead_letters (lane, kind, dedupe_key, payload, attempts, error, created_at)
        values ('whatsapp:x', 'inbound', $1, '{}', 5, 'Broken', now())
        """,
        f"whatsapp:{dead}",
    )
    for _ in range(2):
        await desk.sync()
    assert await desk.sql("select array_agg(dedupe_key) from message_queue") == [f"whatsapp:{waits}"]
    assert await desk.sql("select pending from lanes where lane like 'whatsapp:%'") == 1


async def test_two_workers_at_once_take_it_in_once(desk: Desk) -> None:
    for number in range(20):
        desk.twilio.write(f"{number}", sender=f"+1555000{number % 4:04}")
    await asyncio.gather(*(desk.syncing.sync(datetime.now(UTC)) for _ in range(2)))
    assert await desk.sql("select count(*) from message_queue") == 20
    assert await desk.sql("select sum(pending) from lanes") == 20


async def test_messages_are_in_the_order_they_were_written_on_all_pages(desk: Desk) -> None:
    desk.twilio.page_size = 2
    for number in range(7):
        desk.twilio.write(f"{number}", age=MINUTE * (20 - number))
    await desk.sync()
    assert await desk.list_bodies() == [str(number) for number in range(7)]


async def test_a_burst_within_a_second_keeps_its_order(desk: Desk) -> None:
    for number in range(5):
        desk.twilio.write(f"{number}")
    at = desk.twilio.messages[0]["date_created"]
    bodies = [str(4 - place) for place in range(5)]  # newest first
    desk.twilio.messages = [
        entry | {"body": body, "date_created": at} for entry, body in zip(desk.twilio.messages, bodies, strict=True)
    ]
    await desk.sync()
    assert await desk.list_bodies() == ["0", "1", "2", "3", "4"]


async def test_half_a_character_holds_up_nobody(desk: Desk) -> None:
    desk.twilio.write("half \ud83d of it")
    desk.twilio.write("whole", sender="+4915112345678")
    await desk.sync()
    assert sorted(await desk.list_bodies()) == ["half ? of it", "whole"]


async def test_a_message_whose_webhook_may_be_on_its_way_is_left_to_it(desk: Desk) -> None:
    desk.twilio.write("just now", age=timedelta(seconds=5))
    await desk.sync()
    assert await desk.list_bodies() == []


async def test_a_message_older_than_a_day_is_given_to_a_person(desk: Desk) -> None:
    desk.twilio.write("old", age=timedelta(hours=25))
    desk.twilio.write("new", sender="+4915112345678")
    await desk.sync()
    rows = await desk.conn.fetch("select waits_for, is_unseen from waiting_customers order by waiting_since")
    assert [tuple(row) for row in rows] == [("person", False), ("queue", False)]
    assert await desk.sql("select escalation_reason from tickets") == "late"


async def test_an_old_message_that_two_workers_read_is_given_to_a_person_once(desk: Desk) -> None:
    old = make_payload("SM1") | {"sent_at": datetime.now(UTC) - 2 * DAY}
    taken = [
        await chats.store_missed(desk.conn, old, quiet=MINUTE, quiet_cap=MINUTE, late_after=DAY, prefix="TF")
        for _ in range(2)
    ]
    assert taken == [True, False]
    assert (await desk.sql("select handoff_note from tickets")).count("reached us only now") == 1


async def test_what_was_there_before_us_is_not_ours_to_answer(desk: Desk) -> None:
    await desk.sql("update channel_configs set cursor = null where channel = 'whatsapp'")
    desk.twilio.write("before us", age=MINUTE * 70)
    desk.twilio.write("while we were set up", age=MINUTE * 30)
    for _ in range(3):
        await desk.sync()
    assert await desk.list_bodies() == ["while we were set up"]
    assert await desk.sql(
        "select synced_at > now() - interval '1 minute' from channel_configs where channel = 'whatsapp'"
    )


async def test_each_reading_begins_an_hour_before_the_last(desk: Desk) -> None:
    await desk.sync()
    desk.twilio.write("listed late", age=MINUTE * 50)
    desk.twilio.write("older than that", age=MINUTE * 70)
    await desk.sync()
    assert await desk.list_bodies() == ["listed late"]


async def test_what_was_written_while_the_channel_was_off_is_taken_in_once_it_is_on(desk: Desk) -> None:
    await desk.sql("update channel_configs set is_on = false where channel = 'whatsapp'")
    desk.twilio.write("meanwhile", age=timedelta(hours=5))
    await desk.sync()
    assert (await desk.list_bodies(), desk.twilio.asked) == ([], [])
    await desk.sql("update channel_configs set is_on = true where channel = 'whatsapp'")
    await desk.sync()
    assert await desk.list_bodies() == ["meanwhile"]


async def test_nothing_is_left_out_after_a_pause_of_weeks(desk: Desk) -> None:
    await desk.began(30 * DAY)
    desk.twilio.write("before the pause", age=31 * DAY)
    desk.twilio.write("weeks ago", age=20 * DAY)
    await desk.sync()
    assert await desk.list_bodies() == ["weeks ago"]


async def test_nothing_is_passed_over_when_the_reading_ends_in_the_middle(desk: Desk) -> None:
    before = (await load_reading(desk.conn, "whatsapp")).reached
    desk.twilio.write("words", age=MINUTE * 9)
    sid = desk.twilio.write("", age=MINUTE * 8, num_media="1")
    desk.twilio.files[sid] = [("ME1", "image/jpeg")]
    desk.twilio.faults["/Media.json"] = say(500, 20500)
    with pytest.raises(RetryLater):
        await desk.sync()
    assert await desk.list_bodies() == ["words"]
    assert (await load_reading(desk.conn, "whatsapp")).reached == before
    desk.twilio.faults.clear()
    await desk.syncing.sync(datetime.now(UTC))
    assert await desk.list_bodies() == ["words", "[image]"]


async def test_a_message_whose_files_nobody_can_name_holds_up_the_others_for_an_hour_at_most(desk: Desk) -> None:
    desk.twilio.write("Look", age=MINUTE * 90, num_media="1")
    desk.twilio.write("later", age=MINUTE * 80)
    desk.twilio.faults["/Media.json"] = say(500, 20500)
    await desk.sync()
    assert await desk.list_bodies() == ["Look\n[file]", "later"]


async def test_an_entry_that_can_be_no_customers_holds_up_no_other(desk: Desk) -> None:
    desk.twilio.write("nobody", age=MINUTE * 9, sender="")
    desk.twilio.write("somebody")
    await desk.sync()
    assert await desk.list_bodies() == ["somebody"]


async def test_all_spellings_of_a_number_wait_in_one_lane_and_are_answered_where_they_wrote_from(desk: Desk) -> None:
    desk.twilio.write("old form", sender="+551187654321")
    await desk.sync()
    row = await desk.conn.fetchrow("select lane, payload->>'address' as address from message_queue")
    assert row is not None
    assert tuple(row) == ("whatsapp:+5511987654321", "+551187654321")


async def test_a_missed_stop_counts(desk: Desk) -> None:
    desk.twilio.write("STOP")
    for _ in range(2):
        await desk.sync()
    assert await is_suppressed(desk)
    assert await desk.list_bodies() == []
    assert await desk.sql("select count(*) from messages where direction = 'outbound' and kind = 'opt_out'") == 1


async def test_a_missed_stop_of_yesterday_counts_and_nothing_is_said_any_more(desk: Desk) -> None:
    desk.twilio.write("STOP", age=timedelta(hours=30))
    await desk.sync()
    assert await is_suppressed(desk)
    assert await desk.sql("select count(*) from messages where direction = 'outbound'") == 0


async def test_a_missed_stop_that_was_taken_back_does_not_count(desk: Desk) -> None:
    desk.twilio.write("STOP", age=MINUTE * 9)
    known = desk.twilio.write("START", age=MINUTE * 8)
    await desk.sql("select keep_aside($1)", make_payload(known) | {"kind": None})
    await desk.sync()
    assert not await is_suppressed(desk)
    assert await desk.sql("select count(*) from messages where kind = 'opt_out'") == 1


async def test_a_missed_stop_is_taken_back_from_any_spelling_of_the_number(desk: Desk) -> None:
    desk.twilio.write("STOP", age=MINUTE * 9)
    desk.twilio.write("START", age=MINUTE * 8, sender="+551187654321")
    await desk.sync()
    assert not await is_suppressed(desk)


async def test_a_missed_stop_is_not_taken_back_by_what_stands_below_a_picture(desk: Desk) -> None:
    desk.twilio.write("STOP", age=MINUTE * 9)
    desk.twilio.files[desk.twilio.write("START", age=MINUTE * 8, num_media="1")] = [("ME1", "image/jpeg")]
    await desk.sync()
    assert await is_suppressed(desk)


async def test_a_missed_start_does_not_undo_a_later_stop(desk: Desk) -> None:
    desk.twilio.write("START", age=MINUTE * 9)
    known = desk.twilio.write("STOP", age=MINUTE * 8)
    await desk.sql("select opt_out($1, null)", make_payload(known))
    await desk.sync()
    assert await is_suppressed(desk)


async def test_a_missed_start_counts(desk: Desk) -> None:
    await desk.sql("select opt_out($1, null)", make_payload("SM1"))
    desk.twilio.write("START")
    await desk.sync()
    assert not await is_suppressed(desk)


async def test_a_missed_sticker_is_kept_and_not_answered(desk: Desk) -> None:
    desk.twilio.files[desk.twilio.write("", num_media="1")] = [("ME1", "image/webp")]
    for _ in range(2):
        await desk.sync()
    assert await desk.list_bodies() == []
    assert await desk.sql("select array_agg(kind) from messages") == ["sticker"]


async def list_names(conn: Connection) -> set[str]:
    return {alarm.alarm for alarm in await list_alarms(conn) if alarm.about == "whatsapp"}


async def test_wrong_credentials_turn_the_channel_red_until_twilio_lets_us_in(pool: Pool, conn: Connection) -> None:
    async with open_desk(pool, conn, token="wrong") as desk:
        await desk.began(DAY)
        desk.twilio.write("meanwhile")
        await desk.sync()
        [alarm] = [alarm for alarm in await list_alarms(conn) if alarm.alarm == "channel_red"]
        assert "TWILIO_AUTH_TOKEN" in alarm.detail
        assert await desk.sql("select count(*) from message_queue") == 0, "it is done, and comes again by the clock"
        url = desk.twilio.url
        async with open_whatsapp(ACCOUNT, name_no_callback, api_base=url) as mended:
            await replace(desk, channel=mended).sync()
    assert await list_names(conn) == set()
    assert await conn.fetchval("select payload->>'body' from message_queue where kind = 'inbound'") == "meanwhile"


async def test_list_that_is_not_read_is_an_alarm(desk: Desk) -> None:
    await desk.sync()
    assert await list_names(desk.conn) == set()
    await desk.sql("update channel_configs set synced_at = now() - interval '20 minutes' where channel = 'whatsapp'")
    assert await list_names(desk.conn) == {"channel_unread"}


async def test_without_twilio_nothing_alarms_and_the_reading_goes_on_where_it_was(desk: Desk) -> None:
    await desk.sync()
    before = await load_reading(desk.conn, "whatsapp")
    await desk.sql(
        """
        update channel_configs set synced_at = now() - interval '1 day', red_since = now(), red_reason = 'no'
         where channel = 'whatsapp'
        """
    )
    settings = read_settings({"APP_SECRET": "for-tests"})
    handlers = make_whatsapp_handlers(settings, desk.pool, Completer(desk.pool), None)
    await desk.sync(handlers["whatsapp_sync"])
    assert await list_names(desk.conn) == set()
    assert await load_reading(desk.conn, "whatsapp") == before


async def test_a_desk_with_twilio_reads_the_list(desk: Desk) -> None:
    settings = read_settings({"APP_SECRET": "for-tests", "DEBOUNCE_SECONDS_WHATSAPP": "0", **ENVIRON})
    handlers = make_whatsapp_handlers(settings, desk.pool, Completer(desk.pool), desk.channel)
    desk.twilio.write("Hello")
    await desk.sync(handlers["whatsapp_sync"])
    assert await desk.list_bodies() == ["Hello"]


async def test_it_is_read_every_five_minutes(conn: Connection) -> None:
    await queue.add_scheduled(conn)
    kinds = await conn.fetch("select kind from message_queue")
    assert {"whatsapp_sync", "remind"} <= {row["kind"] for row in kinds}
