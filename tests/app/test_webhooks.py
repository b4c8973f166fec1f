"""What Twilio posts: stored before it is acknowledged, once, and by nobody else."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from app.access import make_status_url
from app.channel_rules import RulesBook
from app.settings import Settings
from db.pool import Connection, Pool
from db.queue import WORK_CHANNEL
from tests.app.desk import make_settings, open_desk
from tests.app.test_wakeup import hear, wait_for
from tests.channels.twilio import CUSTOMER, ENVIRON, PUBLIC, Pairs, encode, make_message, make_status, new_sid, sign

TARGET = "/webhooks/whatsapp"
NOWHERE = "postgresql://desk:desk@127.0.0.1:1/none"


def configured(**environ: str) -> Settings:
    return make_settings(**(ENVIRON | environ))


async def post(
    desk: httpx2.AsyncClient, pairs: Pairs, *, target: str = TARGET, signature: str | None = None, **headers: str
) -> httpx2.Response:
    given = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    given["X-Twilio-Signature"] = sign(target, pairs) if signature is None else signature
    return await desk.post(target, content=encode(pairs), headers=given)


async def test_message_is_on_the_queue_when_it_is_acknowledged(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url, settings=configured()) as desk:
        answer = await post(desk, make_message(MessageSid="SM1"))
        assert (answer.status_code, answer.content) == (204, b"")
    row = await conn.fetchrow("select * from message_queue")
    assert row is not None
    assert (row["lane"], row["kind"], row["dedupe_key"]) == (f"whatsapp:{CUSTOMER}", "inbound", "whatsapp:SM1")
    assert row["payload"]["body"] == "Where is my invoice?"


async def test_burst_waits_for_its_quiet_time_and_no_longer_than_the_cap(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url, settings=configured()) as desk:
        await post(desk, make_message())
        quiet = await conn.fetchval("select run_at - waiting_since from lanes")
        assert timedelta(seconds=1.9) < quiet < timedelta(seconds=2.1)
        await conn.execute("update lanes set waiting_since = waiting_since - interval '7 seconds'")
        await post(desk, make_message())
        assert await conn.fetchval("select run_at - waiting_since from lanes") >= timedelta(seconds=7)
        assert await conn.fetchval("select run_at - waiting_since from lanes") <= timedelta(seconds=9.1)
    assert await conn.fetchval("select pending from lanes") == 2


async def test_a_hundred_repeats_at_once_are_one_row_and_a_hundred_acknowledgements(
    database_url: str, conn: Connection
) -> None:
    pairs = make_message()
    async with open_desk(database_url, settings=configured()) as desk:
        answers = await asyncio.gather(*(post(desk, pairs) for _ in range(100)))
        assert {answer.status_code for answer in answers} == {204}
        assert (await post(desk, pairs)).status_code == 204
    assert await conn.fetchval("select count(*) from message_queue") == 1
    assert await conn.fetchval("select pending from lanes") == 1


async def test_messages_of_many_customers_at_once_are_all_stored(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url, settings=configured()) as desk:
        sent = [make_message(f"{number}", From=f"whatsapp:+155500{number % 40:05}") for number in range(300)]
        answers = await asyncio.gather(*(post(desk, pairs) for pairs in sent))
        assert {answer.status_code for answer in answers} == {204}
    bodies = await conn.fetch("select payload->>'body' as body from message_queue")
    assert sorted(int(row["body"]) for row in bodies) == list(range(300))
    counted = await conn.fetchval(
        "select count(*) from lanes l where pending <> (select count(*) from message_queue q where q.lane = l.lane)"
    )
    assert counted == 0


async def test_worker_is_woken_once_the_quiet_time_is_over(database_url: str, conn: Connection) -> None:
    async with (
        hear(database_url, WORK_CHANNEL) as heard,
        open_desk(database_url, settings=configured(DEBOUNCE_SECONDS_WHATSAPP="0.1")) as desk,
    ):
        await post(desk, make_message())
        await wait_for(2, heard)
    assert await conn.fetchval("select run_at <= clock_timestamp() from lanes")


def forge(case: str) -> tuple[Pairs, dict[str, str]]:
    pairs = make_message()
    match case:
        case "no signature":
            return pairs, {"signature": ""}
        case "another token":
            return pairs, {"signature": sign(TARGET, pairs, token="another")}
        case "signed for the Host it names":
            return pairs, {"signature": sign(TARGET, pairs, base="https://evil.example"), "Host": "evil.example"}
        case "signed for the address it forwards":
            signature = sign(TARGET, pairs, base="http://evil.example")
            return pairs, {"signature": signature, "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
        case "another account":
            pairs = make_message(AccountSid="AC00000000000000000000000000000002")
            return pairs, {}
        case "another number":
            return make_message(To="whatsapp:+14155230000"), {}
    return [], {}


FORGERIES = [
    "no signature", "another token", "signed for the Host it names", "signed for the address it forwards",
    "another account", "another number", "signed, with no fields",
]  # fmt: skip


@pytest.mark.parametrize("case", FORGERIES)
async def test_forgery_leaves_no_row_and_learns_nothing(database_url: str, conn: Connection, case: str) -> None:
    pairs, how = forge(case)
    async with open_desk(database_url, settings=configured()) as desk:
        answer = await post(desk, pairs, **how)
    assert answer.status_code == 403
    assert answer.json() == {
        "type": "about:blank", "title": "Forbidden", "status": 403, "detail": "The signature is not valid.",
    }  # fmt: skip
    assert await conn.fetchval("select count(*) from message_queue") == 0


async def test_host_header_of_a_proxy_does_not_matter(database_url: str) -> None:
    async with open_desk(database_url, settings=configured()) as desk:
        assert (await post(desk, make_message(), Host="internal:10000")).status_code == 204


async def test_query_is_part_of_what_is_signed(database_url: str) -> None:
    target = TARGET + "?tenant=a%20b&x="
    async with open_desk(database_url, settings=configured()) as desk:
        assert (await post(desk, make_message(), target=target)).status_code == 204


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=%ff", b"&".join([b"a=1"] * 1001), b"%00=%00", b"{}", b""])
async def test_body_nobody_can_read_is_the_senders_fault(body: bytes) -> None:
    async with open_desk(NOWHERE, settings=configured()) as desk:
        answer = await desk.post(TARGET, content=body, headers={"X-Twilio-Signature": "x"})
        assert answer.status_code == 403


async def test_body_that_is_too_large_is_not_read() -> None:
    async with open_desk(NOWHERE, settings=configured()) as desk:
        assert (await post(desk, make_message("x" * 200_000))).status_code == 413


@pytest.mark.parametrize("changed", [{"MessageSid": ""}, {"From": "whatsapp:"}])
async def test_signed_message_without_id_or_sender_is_given_back(changed: dict[str, str]) -> None:
    async with open_desk(NOWHERE, settings=configured()) as desk:
        assert (await post(desk, make_message(**changed))).status_code == 422


@pytest.mark.parametrize("unset", ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_WHATSAPP_FROM"])
@pytest.mark.parametrize("target", [TARGET, TARGET + "/status"])
async def test_channel_without_its_settings_takes_nothing(unset: str, target: str) -> None:
    async with open_desk(NOWHERE, settings=configured(**{unset: ""})) as desk:
        assert (await post(desk, make_message(), target=target)).status_code == 503


async def test_channel_that_is_switched_off_takes_nothing(database_url: str, conn: Connection) -> None:
    await conn.execute("update channel_configs set is_on = false where channel = 'whatsapp'")
    async with open_desk(database_url, settings=configured()) as desk:
        assert (await post(desk, make_message())).status_code == 503
    assert await conn.fetchval("select count(*) from message_queue") == 0


async def test_switch_of_a_channel_is_noticed_while_running(pool: Pool, conn: Connection) -> None:
    book = RulesBook(pool)
    rules = await book.find("whatsapp")
    assert rules is not None
    assert (rules.is_on, rules.quiet_cap) == (True, timedelta(seconds=8))
    await conn.execute("update channel_configs set is_on = false where channel = 'whatsapp'")
    assert await book.find("whatsapp") == rules
    book.known["whatsapp"] = (book.known["whatsapp"][0] - 60, rules)
    assert await book.find("whatsapp") == replace(rules, is_on=False)
    assert await book.find("pigeon") is None


async def test_without_a_database_nothing_is_acknowledged() -> None:
    async with open_desk(NOWHERE, settings=configured()) as desk:
        async with asyncio.timeout(4):
            answers = await asyncio.gather(*(post(desk, make_message()) for _ in range(20)))
            status = await post(desk, make_status("SM1", "sent"), target=TARGET + "/status")
        assert {answer.status_code for answer in [*answers, status]} == {503}
        assert answers[0].headers["retry-after"] == "2"


async def test_database_that_went_away_is_not_acknowledged_and_the_repeat_is(database_url: str, pool: Pool) -> None:
    pairs = make_message()
    async with open_desk(database_url, settings=configured()) as desk:
        assert (await post(desk, make_message())).status_code == 204
        async with pool.acquire() as conn:
            await conn.execute("alter table message_queue rename to elsewhere")
            assert (await post(desk, pairs)).status_code == 503
            await conn.execute("alter table elsewhere rename to message_queue")
            assert await conn.fetchval("select count(*) from message_queue") == 1
            assert (await post(desk, pairs)).status_code == 204
            assert await conn.fetchval("select count(*) from message_queue") == 2


# Status callbacks


async def post_status(
    desk: httpx2.AsyncClient, pairs: Pairs, query: str = "", signature: str | None = None
) -> httpx2.Response:
    return await post(desk, pairs, target=TARGET + "/status" + query, signature=signature)


async def add_reply(conn: Connection, vendor_id: str | None) -> Any:
    """A reply that was handed to Twilio; its token."""
    talk = await conn.fetchval(
        "insert into conversations (channel, thread_key) values ('whatsapp', $1) returning id", CUSTOMER
    )
    return await conn.fetchval(
        """
        insert into messages (conversation_id, channel, direction, author, body, idempotency_token, delivery, vendor_id,
                              tries, first_try_at, last_try_at)
        values ($1, 'whatsapp', 'outbound', 'agent', 'Here it is.', $2, $3, $4, 1, now(), now())
        returning idempotency_token
        """,
        talk, uuid4(), "sending" if vendor_id is None else "sent", vendor_id,
    )  # fmt: skip


async def test_status_moves_the_message_and_only_up(database_url: str, conn: Connection) -> None:
    vendor_id = new_sid()
    await add_reply(conn, vendor_id)
    async with open_desk(database_url, settings=configured()) as desk:
        for said, kept in [("delivered", "delivered"), ("sent", "delivered"), ("read", "read"), ("queued", "read")]:
            assert (await post_status(desk, make_status(vendor_id, said))).status_code == 204
            assert await conn.fetchval("select delivery from messages") == kept
    assert await conn.fetchval("select count(*) from delivery_events") == 4


async def test_messages_are_taken_in_while_reports_wait_for_a_conversation(database_url: str, conn: Connection) -> None:
    vendor_id = new_sid()
    await add_reply(conn, vendor_id)
    async with open_desk(database_url, settings=configured()) as desk:
        async with conn.transaction():
            await conn.execute("select from conversations for update")
            reports = [asyncio.create_task(post_status(desk, make_status(vendor_id, "sent"))) for _ in range(12)]
            locked = "select count(*) > 3 from pg_stat_activity where wait_event_type = 'Lock'"
            while not await conn.fetchval(locked):
                await asyncio.sleep(0.02)
                await conn.execute("select pg_stat_clear_snapshot()")
            assert (await post(desk, make_message(MessageSid="SM1", From="whatsapp:+4915100000001"))).status_code == 204
        assert {answer.status_code for answer in await asyncio.gather(*reports)} == {204}


async def test_callback_with_our_token_proves_that_twilio_took_the_message(database_url: str, conn: Connection) -> None:
    token, vendor_id, settings = await add_reply(conn, None), new_sid(), configured()
    query = make_status_url(settings, "whatsapp", token).removeprefix(PUBLIC + TARGET + "/status")
    async with open_desk(database_url, settings=settings) as desk:
        assert (await post_status(desk, make_status(vendor_id, "sent"), query)).status_code == 204
    row = await conn.fetchrow("select vendor_id, delivery from messages")
    assert row is not None
    assert (row["vendor_id"], row["delivery"]) == (vendor_id, "sent")


async def test_status_of_a_message_nobody_knows_is_kept(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url, settings=configured()) as desk:
        answer = await post_status(desk, make_status("SM9", "failed", ErrorCode="63016"))
        assert (answer.status_code, answer.content) == (204, b"")
    row = await conn.fetchrow("select * from delivery_events")
    assert row is not None
    assert row["payload"]["ErrorCode"] == "63016"


@pytest.mark.parametrize("query", ["?o=nonsense", "?o={token}", "?o={token}&s=", "?o={token}&s=" + "0" * 32])
async def test_token_that_is_not_signed_by_us_is_refused(database_url: str, conn: Connection, query: str) -> None:
    async with open_desk(database_url, settings=configured()) as desk:
        answer = await post_status(desk, make_status("SM9", "sent"), query.format(token=uuid4()))
    assert answer.status_code == 403
    assert await conn.fetchval("select count(*) from delivery_events") == 0


async def test_forged_status_leaves_no_row(database_url: str, conn: Connection) -> None:
    pairs = make_status("SM9", "delivered")
    async with open_desk(database_url, settings=configured()) as desk:
        assert (await post_status(desk, pairs, signature="")).status_code == 403
        assert (await post_status(desk, pairs, signature=sign(TARGET, pairs))).status_code == 403
        other = make_status("SM9", "delivered", AccountSid="AC00000000000000000000000000000002")
        assert (await post_status(desk, other)).status_code == 403
    assert await conn.fetchval("select count(*) from delivery_events") == 0


async def test_word_twilio_has_not_used_before_is_acknowledged(database_url: str) -> None:
    async with open_desk(database_url, settings=configured()) as desk:
        assert (await post_status(desk, make_status("SM9", "dreamt"))).status_code == 204
        assert (await post_status(desk, make_status("", "sent"))).status_code == 422
