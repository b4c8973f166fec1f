"""The stand-in keeps its own promises: an oracle that is wrong proves nothing."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from twilio.request_validator import RequestValidator

from channels.base import NotSent, OutgoingMessage, Refused
from tests.stand_ins.channels import DraftsChannel, MuteChannel
from tests.stand_ins.http import Answer, NoAnswer, call
from tests.stand_ins.journal import Fault, Knobs
from tests.stand_ins.vendor import Vendor, running_vendor
from tests.stand_ins.webhooks import ACCOUNT, NUMBER, TOKEN

CUSTOMER = "+4915112345678"
AUTH = {"Authorization": "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()}
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"


async def send(vendor: Vendor, body: str = "Hello", callback: str | None = None) -> Answer:
    form = {"To": f"whatsapp:{CUSTOMER}", "From": f"whatsapp:{NUMBER}", "Body": body}
    return await call(
        "POST", vendor.url + MESSAGES, headers=AUTH, form=form | ({"StatusCallback": callback} if callback else {})
    )


async def list_bodies(vendor: Vendor, query: str = "") -> list[str]:
    answer = await call("GET", f"{vendor.url}{MESSAGES}?{query}", headers=AUTH)
    return [message["body"] for message in answer.read_json()["messages"]]


def make_outgoing(draft_id: str | None = None) -> OutgoingMessage:
    return OutgoingMessage(
        id=uuid4(),
        token=uuid4(),
        channel="drafts",
        thread_key="t",
        to="ana@example.com",
        subject="Boards",
        body="Grüße",
        part=1,
        parts=1,
        tries=1,
        draft_id=draft_id,
        first_try_at=datetime.now(UTC),
        in_reply_to=None,
    )


async def keep_nothing(_: str) -> None:
    return


@pytest.mark.parametrize(
    ("fault", "status", "taken"),
    [
        ("drop", None, 1),
        ("lose", None, 0),
        ("accept_500", 500, 1),
        ("fail_500", 500, 0),
        ("refuse_429", 429, 0),
        ("refuse_400", 400, 0),
    ],
)
async def test_every_fault_answers_and_takes_what_it_says(fault: Fault, status: int | None, taken: int) -> None:
    async with running_vendor(knobs=Knobs(script=[fault, "ok"])) as vendor:
        if status is None:
            with pytest.raises(NoAnswer):
                await send(vendor)
        else:
            assert (await send(vendor)).status == status
        assert len(vendor.journal.accepted) == taken
        assert (await send(vendor)).status == 201


async def test_list_shows_a_message_only_once_the_index_has_caught_up() -> None:
    today = datetime.now(UTC).date()
    async with running_vendor(knobs=Knobs(index_lag_seconds=60)) as vendor:
        await send(vendor, "late")
        assert await list_bodies(vendor) == []
        vendor.knobs.index_lag_seconds = 0
        await send(vendor, "at once")
        assert await list_bodies(vendor, f"To=whatsapp:%2B{CUSTOMER[1:]}&DateSent>={today}") == ["at once"]
        assert await list_bodies(vendor, f"DateSent%3E={today + timedelta(days=2)}") == []


async def test_list_comes_in_pages_that_lead_to_each_other() -> None:
    async with running_vendor() as vendor:
        for number in range(3):
            await send(vendor, str(number))
        first = (await call("GET", f"{vendor.url}{MESSAGES}?PageSize=2", headers=AUTH)).read_json()
        second = (await call("GET", vendor.url + first["next_page_uri"], headers=AUTH)).read_json()
        bodies = [[message["body"] for message in page["messages"]] for page in (first, second)]
        assert (bodies, second["next_page_uri"]) == ([["2", "1"], ["0"]], None)


async def test_wrong_password_is_refused() -> None:
    async with running_vendor() as vendor:
        assert (await call("GET", vendor.url + MESSAGES)).status == 401


async def test_status_callbacks_are_signed_and_name_the_message() -> None:
    got: list[tuple[str, dict[str, str]]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
        body = (await reader.readexactly(int(lines["Content-Length"]))).decode()
        got.append((body, lines))
        writer.write(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    knobs = Knobs(webhook_targets=[origin], callback_duplicate_share=1)
    url = "https://desk.example.com/webhooks/whatsapp/status?o=abc&s=def"
    async with server, running_vendor(knobs=knobs) as vendor:
        sid = (await send(vendor, callback=url)).read_json()["sid"]
        async with asyncio.timeout(5):
            while vendor.journal.callbacks["204"] < 4:
                await asyncio.sleep(0.01)
        assert vendor.journal.accepted[0].send.token == "abc"
    statuses = []
    for body, lines in got:
        form = dict(pair.split("=", 1) for pair in body.split("&"))
        plain = {name: value.replace("%3A", ":").replace("%2B", "+") for name, value in form.items()}
        assert RequestValidator(TOKEN).validate(url, plain, lines["X-Twilio-Signature"])
        assert form["MessageSid"] == sid
        statuses.append(form["MessageStatus"])
    assert statuses == ["sent", "sent", "delivered", "delivered"]


async def test_gate_holds_a_send_before_and_after_it_is_taken() -> None:
    async with running_vendor() as vendor:
        vendor.gate.close("before")
        held = asyncio.create_task(send(vendor))
        await vendor.gate.reached.wait()
        assert not vendor.journal.accepted
        vendor.gate.open(forget=True)
        with pytest.raises(NoAnswer):
            await held
        assert not vendor.journal.accepted
        vendor.gate.close("after")
        held = asyncio.create_task(send(vendor))
        await vendor.gate.reached.wait()
        assert len(vendor.journal.accepted) == 1
        vendor.gate.open()
        assert (await held).status == 201


async def test_draft_is_there_until_it_is_sent_and_is_sent_once() -> None:
    kept: list[str] = []

    async def keep(draft_id: str) -> None:
        kept.append(draft_id)

    async with running_vendor(knobs=Knobs(script=["lose", "drop"])) as vendor:
        channel = DraftsChannel(vendor.url)
        with pytest.raises(NoAnswer):
            await channel.send(make_outgoing(), keep)
        [draft_id] = kept
        assert await channel.look_up(make_outgoing(draft_id)) is None
        with pytest.raises(NoAnswer):
            await channel.send(make_outgoing(draft_id), keep)
        assert await channel.look_up(make_outgoing(draft_id)) == f"sent-{draft_id}"
        assert await channel.send(make_outgoing(draft_id), keep) == f"sent-{draft_id}"
        [taken] = vendor.journal.accepted
        assert (taken.id, taken.send.to, taken.send.body) == (f"sent-{draft_id}", "ana@example.com", "Grüße")


async def test_refusals_reach_the_channel_as_what_they_are() -> None:
    async with running_vendor(knobs=Knobs(script=["refuse_429", "refuse_400"], retry_after_seconds=7)) as vendor:
        channel = MuteChannel(vendor.url)
        with pytest.raises(NotSent) as not_sent:
            await channel.send(make_outgoing(), keep_nothing)
        assert not_sent.value.delay == timedelta(seconds=7)
        with pytest.raises(Refused):
            await channel.send(make_outgoing(), keep_nothing)
        await channel.send(make_outgoing(), keep_nothing)
        assert len(vendor.journal.accepted) == 1
    with pytest.raises(NotSent):
        await channel.send(make_outgoing(), keep_nothing)
