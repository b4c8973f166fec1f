"""Promises to programs that are told what happens: signed, until it is taken, and never to a place inside."""

import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpcore2
import pytest

from agent.models.scripted import ScriptedModel
from channels.base import Unfetchable
from channels.outgoing import Bounds, Teller, Word, read_target, sign_body
from db import handover, queue, webhooks
from db.errors import RetryLater
from db.people import Actor
from db.pool import Connection, Pool
from db.webhooks import HAPPENINGS
from tests.fakes import call, claim_now, hand_over, make_runner, submit
from tests.stand_ins.media import hang_up, redirect, say
from tests.stand_ins.receiver import Receiver, go_on, hang, receiving
from worker.completer import Completer
from worker.jobs.notify import Notify
from worker.jobs.post import LONGEST_PAUSE, Post, choose_pause

BASE = "https://desk.example.com"
SECRET = "whsec_of-the-tests"
ADMIN = Actor("token", None, "ADMIN_TOKEN", "admin")
QUICK = Bounds(seconds=0.3)


@dataclass
class Told:
    """A desk with one program that is told everything."""

    pool: Pool
    conn: Connection
    receiver: Receiver
    webhook_id: UUID = field(default_factory=uuid4)

    async def escalate(self, message: str = "My secret is 12345; I want a person") -> str:
        reference = await submit(self.conn, message)
        await make_runner(self.pool, ScriptedModel([hand_over()])).run(await claim_now(self.conn, "web:"))
        return reference

    async def notify(self) -> None:
        await Notify(self.pool, Completer(self.pool), BASE).run(await claim_now(self.conn, "notify:"))

    async def post(self, bounds: Bounds = QUICK) -> timedelta | None:
        """One try; the pause it asks for when it is to be made again."""
        lane = await claim_now(self.conn, "hook:")
        try:
            await Post(self.pool, Teller(self.receiver.url, bounds=bounds)).run(lane)
        except RetryLater as error:
            await queue.release_lane(self.conn, lane, pause=error.delay, failure=str(error), is_try=False)
            return error.delay
        return None

    async def sql(self, statement: str, *values: Any) -> Any:
        return await self.conn.fetchval(statement, *values)

    async def waiting(self) -> int:
        found: int = await self.sql("select count(*) from message_queue where kind = 'post'")
        return found


@pytest.fixture
async def desk(pool: Pool, conn: Connection) -> AsyncIterator[Told]:
    async with receiving() as receiver:
        desk = Told(pool, conn, receiver)
        desk.webhook_id = await webhooks.add_webhook(
            conn, ADMIN, url=f"{receiver.url}/hook", secret=SECRET, events=HAPPENINGS
        )
        yield desk


async def test_an_escalation_is_told_signed_and_without_a_word_of_the_customer(desk: Told) -> None:
    reference = await desk.escalate()
    await desk.notify()
    assert await desk.post() is None
    [heard] = desk.receiver.heard
    assert heard.line == "POST /hook HTTP/1.1"
    stamp, _, signature = heard.headers["deskhand-signature"].partition(",v1=")
    signed = f"{stamp.removeprefix('t=')}.".encode() + heard.body
    assert hmac.compare_digest(signature, hmac.new(SECRET.encode(), signed, "sha256").hexdigest())
    said = heard.read()
    talk = await desk.sql("select id from conversations")
    due = await desk.sql("select person_due_at from tickets")
    assert set(said) == {"id", "kind", "at", "conversation", "reference", "channel", "reason", "due_at", "url"}
    assert (said["kind"], said["reference"], said["channel"]) == ("person_needed", reference, "web")
    assert (said["conversation"], said["url"]) == (str(talk), f"{BASE}/conversations/{talk}")
    assert datetime.fromisoformat(said["due_at"]) == due
    assert said["reason"] == await desk.sql("select escalation_reason from tickets")
    assert heard.headers["deskhand-id"] == said["id"] == str(await desk.sql("select id from notices"))
    assert b"12345" not in heard.body
    assert b"Ana" not in heard.body
    assert await desk.sql("select told_at is not null from notices")


async def test_an_answer_of_a_person_and_a_resolution_are_told_once_each(desk: Told) -> None:
    reference = await submit(desk.conn, "How do I export?")
    await handover.add_person_message(desk.conn, reference, "Like this.", idempotency=uuid4())
    await handover.settle_elsewhere(desk.conn, reference)
    await handover.settle_elsewhere(desk.conn, reference)
    await desk.notify()
    await desk.notify()
    await desk.post()
    await desk.post()
    said = [heard.read() for heard in desk.receiver.heard]
    assert [one["kind"] for one in said] == ["answered_by_person", "resolved"]
    assert [one["due_at"] for one in said] == [None, None]
    assert await desk.sql("select count(*) from message_queue where kind in ('notify', 'post')") == 0


async def test_what_the_agent_resolves_is_told_too(desk: Told) -> None:
    await submit(desk.conn, "Thank you, that worked!")
    bye = call(
        "send_response", body="Glad it works.", citations=[], kind="acknowledgement", resolves=True, language="en"
    )
    await make_runner(desk.pool, ScriptedModel([bye])).run(await claim_now(desk.conn, "web:"))
    assert await desk.sql("select status from conversations") == "resolved"
    await desk.notify()
    await desk.post()
    assert [heard.read()["kind"] for heard in desk.receiver.heard] == ["resolved"]


async def test_a_webhook_is_told_only_what_it_asked_for(desk: Told) -> None:
    await desk.sql("update webhooks set events = '{resolved}'")
    await desk.escalate()
    assert await desk.sql("select count(*) from message_queue") == 0
    reference = await desk.sql("select reference from tickets")
    await handover.settle_elsewhere(desk.conn, reference)
    await desk.notify()
    assert await desk.waiting() == 1


@pytest.mark.parametrize(("act", "status"), [(say(500), 500), (say(404), 404), (hang_up, None), (hang, None)])
async def test_what_it_does_not_take_is_told_again_with_the_same_id(desk: Told, act: Any, status: int | None) -> None:
    desk.receiver.acts = [act, say(200)]
    await desk.escalate()
    await desk.notify()
    assert await desk.post() is not None
    row = await desk.conn.fetchrow("select last_status, last_error is not null as failed, failures from webhooks")
    assert row is not None
    assert tuple(row) == (status, True, 1)
    assert await desk.post() is None
    first, second = desk.receiver.heard
    assert first.body == second.body
    assert first.headers["deskhand-id"] == second.headers["deskhand-id"]
    assert await desk.sql("select failures + coalesce(length(last_error), 0) from webhooks") == 0
    assert await desk.waiting() == 0


async def test_a_redirect_is_not_followed(desk: Told) -> None:
    async with receiving() as elsewhere:
        desk.receiver.acts = [redirect(f"{elsewhere.url}/inside")]
        await desk.escalate()
        await desk.notify()
        assert await desk.post() is not None
        assert elsewhere.heard == []
    assert await desk.sql("select last_status from webhooks") == 307


async def test_an_answer_without_an_end_is_a_yes_that_nobody_reads_to_its_end(desk: Told) -> None:
    desk.receiver.acts = [go_on]
    await desk.escalate()
    await desk.notify()
    assert await desk.post(Bounds(seconds=30)) is None
    assert await desk.waiting() == 0


async def test_gone_switches_it_off_and_drops_what_waits(desk: Told) -> None:
    desk.receiver.acts = [say(410)]
    await desk.escalate()
    await desk.notify()
    await webhooks.queue_test(desk.conn, ADMIN, desk.webhook_id, base_url=BASE)
    assert await desk.post() is None
    assert await desk.sql("select is_on from webhooks") is False
    assert await desk.sql("select count(*) from dead_letters") == 0
    await desk.post()
    assert (await desk.waiting(), len(desk.receiver.heard)) == (0, 1)


async def test_after_a_day_it_is_given_up_where_everybody_sees_it_and_the_next_thing_is_told(desk: Told) -> None:
    desk.receiver.acts = [say(503), say(503), say(200)]
    await desk.escalate()
    await desk.notify()
    assert await desk.post() is not None
    await desk.sql("update message_queue set created_at = now() - interval '25 hours'")
    await webhooks.queue_test(desk.conn, ADMIN, desk.webhook_id, base_url=BASE)
    assert await desk.post() is None
    assert await desk.sql("select error from dead_letters where kind = 'post'") == "it answered with status 503"
    alarms = await desk.sql("select array_agg(alarm order by alarm) from alarms where about in ('post', 'team')")
    assert alarms == ["dead_letters", "nobody_told"]
    await desk.post()
    assert desk.receiver.heard[-1].read()["kind"] == "test"
    assert await desk.sql("select failures from webhooks") == 0


async def test_one_that_is_down_holds_up_no_other(desk: Told) -> None:
    async with receiving() as other:
        desk.receiver.acts = [say(500)]
        await desk.escalate()
        await webhooks.add_webhook(desk.conn, ADMIN, url=f"{other.url}/", secret="other", events=["person_needed"])
        await desk.notify()
        lanes = await queue.claim_lanes(desk.conn, worker="w", lanes=9, messages=9, lease=timedelta(minutes=1))
        assert sorted(len(lane.jobs) for lane in lanes if lane.lane.startswith("hook:")) == [1, 1]


async def test_what_waits_for_one_that_was_removed_is_dropped(desk: Told) -> None:
    await desk.escalate()
    await desk.notify()
    assert await webhooks.remove_webhook(desk.conn, ADMIN, desk.webhook_id)
    assert await desk.post() is None
    assert (await desk.waiting(), desk.receiver.heard) == (0, [])


async def test_whom_only_a_webhook_would_have_told_of_is_an_alarm_once_it_is_switched_off(desk: Told) -> None:
    await desk.escalate()
    await desk.notify()
    await desk.sql("update webhooks set is_on = false")
    assert await desk.post() is None
    await desk.sql("update notices set made_at = now() - interval '16 minutes'")
    assert (await desk.waiting(), desk.receiver.heard) == (0, [])
    assert await desk.sql("select count(*) from alarms where alarm = 'nobody_told' and needs_person") == 1


async def test_a_worker_whose_lease_was_lost_settles_nothing(desk: Told) -> None:
    await desk.escalate()
    await desk.notify()
    lane = await claim_now(desk.conn, "hook:")
    await claim_now(desk.conn, "hook:")
    kept = await webhooks.end_post(
        desk.conn, lane, webhook_id=desk.webhook_id, notice_id=uuid4(), status=200, error=None
    )
    assert not kept
    assert await desk.waiting() == 1


def test_pauses_grow_with_the_time_it_has_waited_up_to_an_hour_or_so() -> None:
    waits = [timedelta(seconds=seconds) for seconds in (0, 15, 60, 600, 3_600, 86_000)]
    pauses = [choose_pause(wait, chance=0.5) for wait in waits]
    assert pauses == sorted(pauses)
    assert choose_pause(waits[0], chance=0) > timedelta(seconds=10)
    assert choose_pause(waits[-1], chance=1) <= LONGEST_PAUSE * 1.25


# Never to a place inside ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.8", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",  # noqa: S104
        "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
        "2002:7f00:1::", "::",
    ],
)  # fmt: skip
async def test_a_name_that_leads_inside_is_told_nothing(address: str) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return [address]

    with pytest.raises(Unfetchable, match="no public address"):
        await Teller(resolve=resolve).tell(Word("1", "https://hooks.example.com/x", SECRET, b"{}"))


class Wire(httpcore2.AsyncNetworkBackend):
    """The network of a machine whose cable is out: says only where somebody wanted to go."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def connect_tcp(self, host: str, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        self.asked.append(host)
        raise httpcore2.ConnectError("the cable is out")


@pytest.mark.parametrize("answers", [("93.184.216.34", "127.0.0.1"), ("127.0.0.1", "93.184.216.34")])
async def test_what_was_looked_at_is_what_is_connected_to(answers: tuple[str, str]) -> None:
    """A name that leads elsewhere each time it is asked is asked once."""
    left = list(answers)

    async def rebind(host: str, port: int) -> list[str]:
        return [left.pop(0)]

    teller = Teller(resolve=rebind)
    teller.network.network = wire = Wire()
    with pytest.raises(Unfetchable):
        await teller.tell(Word("1", "https://hooks.example.com/x", SECRET, b"{}"))
    assert wire.asked == [address for address in answers[:1] if address == "93.184.216.34"]
    assert left == [answers[1]]


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/", "https://hooks.example.com:8443/", "https://user:pw@hooks.example.com/",
        "https://[::1]/", "ftp://hooks.example.com/", "https://hooks.example.com/#x", "https://hooks.example.com/a b",
        "https://hooks.example.com/\r\nX: y", "https://höoks.example/", "https://a.example/" + "x" * 3_000, "",
    ],
)  # fmt: skip
def test_addresses_that_are_not_plainly_https_are_refused(url: str) -> None:
    with pytest.raises(Unfetchable):
        read_target(url)


def test_the_test_origin_is_one_place_and_no_other() -> None:
    assert read_target("http://127.0.0.1:9000/hook", "http://127.0.0.1:9000").port == 9000
    for url in ("http://127.0.0.1:9001/", "https://127.0.0.1:9000/", "http://localhost:9000/"):
        with pytest.raises(Unfetchable):
            read_target(url, "http://127.0.0.1:9000")


def test_a_signature_is_of_the_time_and_the_very_bytes() -> None:
    assert sign_body("s", 1, b"{}") != sign_body("s", 2, b"{}")
    assert sign_body("s", 1, b"{}") != sign_body("s", 1, b"{ }")
    assert sign_body("s", 1, b"{}") != sign_body("t", 1, b"{}")
    expected = hmac.new(b"s", b"1.{}", "sha256").hexdigest()
    assert sign_body("s", 1, b"{}") == f"t=1,v1={expected}"
