"""What customers send on WhatsApp besides their questions: taps, reactions, STOP, and messages that come again."""

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from twilio.request_validator import HMAC_SHA256

from agent.models.base import Item
from agent.models.scripted import ScriptedModel
from channels.base import KeepDraft, OutgoingMessage
from db.pool import Connection, Pool
from db.queue import WORK_CHANNEL
from tests.app.desk import STAFF, open_desk
from tests.app.test_wakeup import hear, wait_for
from tests.app.test_webhooks import TARGET, add_reply, configured, post, post_status
from tests.channels.twilio import CUSTOMER, KEY, make_media, make_message, make_status, new_sid, sign
from tests.fakes import claim_one, make_runner, reply_with
from worker.deliver import Deliver
from worker.loop import Worker, WorkerSettings

USER = "BR.1349120865530274"


@dataclass
class Vendor:
    """Takes everything and keeps it."""

    sent: list[OutgoingMessage] = field(default_factory=list)
    name: str = "whatsapp"
    index_lag: timedelta | None = None
    absence_is_proof: bool = True

    def split(self, body: str) -> list[str]:
        return [body]

    async def send(self, message: OutgoingMessage, keep_draft: KeepDraft) -> str:
        self.sent.append(message)
        return f"SM{message.token.hex}"

    async def look_up(self, message: OutgoingMessage) -> str | None:
        return None


async def work(pool: Pool, vendor: Vendor, *replies: list[Item]) -> None:
    """One lane goes through the worker; the model says `replies`."""
    handlers: dict[str, Any] = {
        "inbound": make_runner(pool, ScriptedModel(replies), channels=[vendor]),
        "deliver": Deliver(pool, {"whatsapp": vendor}, "TF"),
    }
    await Worker(pool=pool, handlers=handlers, settings=WorkerSettings("w")).run_lane(await claim_one(pool))


async def list_kept(conn: Connection) -> list[tuple[str, str]]:
    rows = await conn.fetch("select kind, body from messages where direction = 'inbound' order by created_at")
    return [(row["kind"], row["body"]) for row in rows]


async def test_tap_waits_no_quiet_time(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url, settings=configured()) as desk:
        await post(desk, make_message("Yes", ButtonText="Yes", ButtonPayload="yes"))
    assert await conn.fetchval("select run_at <= clock_timestamp() from lanes")


async def test_files_of_a_message_are_on_the_queue_with_it(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url, settings=configured()) as desk:
        await post(desk, make_media("image/jpeg", "audio/ogg", text="Look"))
    payload = await conn.fetchval("select payload from message_queue")
    assert (payload["body"], payload["words"]) == ("Look\n[image] [voice message]", "Look")
    assert [one["type"] for one in payload["attached"]] == ["image/jpeg", "audio/ogg"]


@pytest.mark.parametrize(
    ("pairs", "kept"),
    [
        (make_message("👍", MessageType="reaction"), ("reaction", "[reaction: 👍]")),
        (make_media("image/webp", MessageType="sticker"), ("sticker", "[sticker]")),
        (make_message("", MessageType="ephemeral"), ("ephemeral", "[ephemeral message]")),
    ],
)
async def test_what_says_nothing_is_kept_once_and_starts_no_turn(
    database_url: str, conn: Connection, pairs: Any, kept: tuple[str, str]
) -> None:
    async with open_desk(database_url, settings=configured()) as desk:
        for _ in range(2):
            assert (await post(desk, pairs)).status_code == 204
    assert await list_kept(conn) == [kept]
    assert await conn.fetchval("select count(*) from message_queue") == 0
    assert await conn.fetchval("select count(*) from waiting_customers") == 0


# STOP and START


async def test_stop_is_answered_by_one_farewell_at_once_and_nothing_after(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    vendor, stop = Vendor(), make_message("Parar")
    async with hear(database_url, WORK_CHANNEL) as heard, open_desk(database_url, settings=configured()) as desk:
        for _ in range(2):
            assert (await post(desk, stop)).status_code == 204
        await wait_for(2, heard)  # the first is the listening itself
    assert await conn.fetchval("select count(*) from message_queue") == 1
    await work(pool, vendor)
    assert [message.body[:27] for message in vendor.sent] == ["Você não receberá mais mens"]
    row = await conn.fetchrow("select suppressed_at, suppressed_why from customer_identifiers")
    assert row is not None
    assert (row["suppressed_at"] is not None, row["suppressed_why"]) == (True, "Parar")
    assert await conn.fetchval("select count(*) from waiting_customers") == 0


async def test_stop_that_twilio_has_answered_is_not_answered_again(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url, settings=configured()) as desk:
        await post(desk, make_message("Stop", OptOutType="STOP"))
    assert await conn.fetchval("select count(*) from message_queue") == 0
    assert await conn.fetchval("select suppressed_at is not null from customer_identifiers")


async def test_start_opens_the_way_back_and_is_answered_like_any_message(database_url: str, conn: Connection) -> None:
    start = make_message("START")
    async with open_desk(database_url, settings=configured()) as desk:
        await post(desk, make_message("STOP", OptOutType="STOP"))
        await post(desk, start)
        assert await conn.fetchval("select suppressed_at is null from customer_identifiers")
        assert await conn.fetchval("select payload->>'body' from message_queue") == "START"
        await post(desk, make_message("STOP", OptOutType="STOP"))
        await post(desk, start)
    assert await conn.fetchval("select suppressed_at is not null from customer_identifiers"), "an old START came again"


async def test_start_of_somebody_who_never_stopped_is_only_text(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url, settings=configured()) as desk:
        assert (await post(desk, make_message("START"))).status_code == 204
    assert await conn.fetchval("select payload->>'body' from message_queue") == "START"


@pytest.mark.parametrize("text", ["STOP", "START", "👍"])
async def test_channel_that_is_off_or_gone_takes_nothing_of_these_either(
    database_url: str, conn: Connection, text: str
) -> None:
    pairs = make_message(text, MessageType="reaction" if text == "👍" else "text")
    async with open_desk("postgresql://desk:desk@127.0.0.1:1/none", settings=configured()) as desk:
        assert (await post(desk, pairs)).status_code == 503
    await conn.execute("update channel_configs set is_on = false where channel = 'whatsapp'")
    async with open_desk(database_url, settings=configured()) as desk:
        assert (await post(desk, pairs)).status_code == 503
    assert await conn.fetchval("select count(*) from messages") == 0


# The same message again


@pytest.mark.parametrize("second", ["Give me a refund", "STOP", "START"])
async def test_same_id_with_another_text_changes_nothing_and_is_noticed(
    database_url: str, conn: Connection, caplog: pytest.LogCaptureFixture, second: str
) -> None:
    async with open_desk(database_url, settings=configured()) as desk:
        with caplog.at_level(logging.WARNING, logger="app.routes.webhooks"):
            await post(desk, make_message("Where is it?", MessageSid="SM1"))
            await post(desk, make_message("Where is it?", MessageSid="SM1"))
            assert not caplog.records
            assert (await post(desk, make_message(second, MessageSid="SM1"))).status_code == 204
    [record] = caplog.records
    assert vars(record)["vendor_id"] == "SM1"
    assert second not in str(vars(record))
    assert await conn.fetchval("select payload->>'body' from message_queue") == "Where is it?"
    assert await conn.fetchval("select count(*) from messages") == 0


async def test_same_file_again_is_no_other_text(
    database_url: str, conn: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    pairs, read = make_media("application/pdf", text="Look"), {"body": "Look\n[application/pdf, 1 kB]\nInvoice 4711"}
    async with open_desk(database_url, settings=configured()) as desk:
        with caplog.at_level(logging.WARNING, logger="app.routes.webhooks"):
            await post(desk, pairs)
            await conn.execute("update message_queue set payload = payload || $1", read)
            assert (await post(desk, pairs)).status_code == 204
    assert not caplog.records


async def test_repeat_after_the_answer_is_a_repeat(database_url: str, pool: Pool, conn: Connection) -> None:
    pairs = make_message("Where is it?")
    async with open_desk(database_url, settings=configured(DEBOUNCE_SECONDS_WHATSAPP="0")) as desk:
        await post(desk, pairs)
        await work(pool, Vendor(), reply_with("Here."))
        assert (await post(desk, pairs)).status_code == 204
    assert await conn.fetchval("select count(*) from message_queue where kind = 'inbound'") == 0


# Who they are


async def test_sender_who_hides_their_number_is_answered_and_can_stop(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    sender, vendor = {"From": f"whatsapp:{USER}", "WaId": "", "ExternalUserId": f"whatsapp:{USER}"}, Vendor()
    async with open_desk(database_url, settings=configured(DEBOUNCE_SECONDS_WHATSAPP="0")) as desk:
        assert (await post(desk, make_message("Hello", **sender))).status_code == 204
        await work(pool, vendor, reply_with("Hello, how can we help?"))
        await work(pool, vendor)
        assert (await post(desk, make_message("STOP", **sender))).status_code == 204
        await work(pool, vendor)
    assert [message.to for message in vendor.sent] == [USER, USER]
    row = await conn.fetchrow("select kind, value, suppressed_at is not null as stopped from customer_identifiers")
    assert row is not None
    assert tuple(row) == ("whatsapp", USER, True)


async def test_all_spellings_of_a_number_are_one_lane_and_one_customer(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    vendor = Vendor()
    async with open_desk(database_url, settings=configured(DEBOUNCE_SECONDS_WHATSAPP="0")) as desk:
        for written in (CUSTOMER, "+551187654321"):
            await post(desk, make_message(written, From=f"whatsapp:{written}"))
        assert await conn.fetchval("select count(*) from lanes") == 1
        await work(pool, vendor, reply_with("Hello."))
        await work(pool, vendor)
        assert [message.to for message in vendor.sent] == ["+551187654321"], "the answer goes where they wrote from"
        found = set()
        for typed in (CUSTOMER, "+55 11 8765-4321", "whatsapp:+5511987654321", "551187654321"):
            answer = await desk.get("/customers/lookup", params={"phone": typed}, headers=STAFF)
            found.add(answer.json()["id"])
    assert len(found) == 1


# Which signature counts


async def test_shared_key_counts_alone_once_it_is_set(database_url: str, conn: Connection) -> None:
    settings = configured(TWILIO_SIGNATURE_KEY_SID=KEY.sid, TWILIO_SIGNATURE_SECRET=KEY.secret)
    pairs, names = make_message(), {"X-Twilio-Webhooks-Signature-Settings": f"key={KEY.sid},algorithm=HMAC_SHA256"}
    by_key = sign(TARGET, pairs, token=KEY.secret, algorithm=HMAC_SHA256)
    async with open_desk(database_url, settings=settings) as desk:
        assert (await post(desk, pairs)).status_code == 403
        assert (await post(desk, pairs, **names)).status_code == 403
        assert await conn.fetchval("select count(*) from message_queue") == 0
        assert (await post(desk, pairs, signature=by_key, **names)).status_code == 204
    async with open_desk(database_url, settings=configured()) as desk:
        assert (await post(desk, pairs, signature=by_key, **names)).status_code == 403


async def test_body_that_is_no_form_is_refused(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url, settings=configured()) as desk:
        for kind in ("application/json", "multipart/form-data; boundary=x", ""):
            assert (await post(desk, make_message(), **{"Content-Type": kind})).status_code == 403
    assert await conn.fetchval("select count(*) from message_queue") == 0


# What became of ours


async def test_failure_reaches_a_person_in_words(database_url: str, conn: Connection) -> None:
    vendor_id = new_sid()
    await add_reply(conn, vendor_id)
    async with open_desk(database_url, settings=configured()) as desk:
        await post_status(desk, make_status(vendor_id, "undelivered", ErrorCode="63016"))
    error = await conn.fetchval("select delivery_error from messages")
    assert error.startswith("Twilio 63016: ")
    assert "approved template" in error
    assert error in await conn.fetchval("select handoff_note from tickets")


async def test_status_of_tomorrow_is_acknowledged_and_changes_nothing(database_url: str, conn: Connection) -> None:
    vendor_id = new_sid()
    await add_reply(conn, vendor_id)
    before = await conn.fetchval("select delivery from messages")
    async with open_desk(database_url, settings=configured()) as desk:
        assert (await post_status(desk, make_status(vendor_id, "dreamt"))).status_code == 204
    assert await conn.fetchval("select delivery from messages") == before


async def test_customer_who_opted_out_at_twilio_is_sent_nothing_more(database_url: str, conn: Connection) -> None:
    vendor_id = new_sid()
    await add_reply(conn, vendor_id)
    await conn.execute("insert into customers (name) values ('Ana')")
    await conn.execute(
        """
        insert into customer_identifiers (kind, value, customer_id, proof)
        select 'phone', $1, id, 'provider' from customers
        """,
        CUSTOMER,
    )
    await conn.execute("update conversations set customer_id = (select id from customers)")
    async with open_desk(database_url, settings=configured()) as desk:
        await post_status(desk, make_status(vendor_id, "failed", ErrorCode="21610"))
    assert await conn.fetchval("select is_suppressed(c) from conversations c")
