"""No customer's words, address or number in anything that is logged or printed, whatever goes wrong."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import redirect_stderr
from dataclasses import replace
from datetime import timedelta

import httpx2
import openai
import pytest

from agent.models.base import ModelReply, ModelRequest
from agent.models.offline import OfflineModel
from agent.models.openai import OpenAIModel
from agent.models.private import PrivateModel
from agent.privacy import ALWAYS, CONTACTS
from app.logs import configure_logging
from db.pool import Connection, Pool
from tests.agent.samples import chat_reply, refuse, responses_reply
from tests.app.desk import FORM, open_desk
from tests.e2e.desk import until
from tests.fakes import claim_one, make_runner, reply_with, submit, write_on_a_channel_without_tickets
from tests.stand_ins.gmail import Gmail
from tests.stand_ins.webhooks import INBOUND_PATH, make_inbound
from tests.worker.chat_desk import open_chat_desk
from tests.worker.mail_desk import MailDesk, make_mail, open_mail_desk
from worker.loop import Worker, WorkerSettings

WORD = "Quixlebramble"
MAIL = "zq.canary@quixle.example"
CARD = "4111 1111 1111 1111"
NUMBER, OTHER, ANOTHER = "+5511987651234", "+5511987655678", "+5511987659012"
CANARIES = (WORD, MAIL, "zq.canary", "4111 1111", "41111111", "55119876", "98765-1234")
MESSAGE = (
    f"Hello, a {WORD}! Write to {MAIL} or call {NUMBER} (11 98765-1234), my card is {CARD}. How do I export a board?"
)
SENDER = f"{WORD} <{MAIL}>"


@pytest.fixture
def heard(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """All that was logged or printed, at the level that writes most."""
    root = logging.getLogger()
    loggers = [root, *(one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger))]
    before = [(one, one.level, list(one.handlers), list(one.filters)) for one in loggers]
    raising = logging.raiseExceptions
    lines = io.StringIO()
    with redirect_stderr(lines):
        configure_logging("DEBUG")
    yield lambda: lines.getvalue() + "".join(capsys.readouterr())
    logging.raiseExceptions = raising
    for one in logging.root.manager.loggerDict.values():
        if isinstance(one, logging.Logger):
            one.setLevel(logging.NOTSET)
    for one, level, handlers, filters in before:
        one.setLevel(level)
        one.handlers[:], one.filters[:] = handlers, filters


def check(written: str, *wanted: str) -> None:
    """Something was logged, and none of it is a customer's."""
    for line in written.splitlines():
        found = [canary for canary in CANARIES if canary.casefold() in line.casefold()]
        assert not found, f"{found} in {line}"
        assert json.loads(line)["message"]
    for words in wanted:
        assert words in written


async def test_a_form_and_its_answer(database_url: str, pool: Pool, conn: Connection, heard: Callable[[], str]) -> None:
    form = FORM | {"name": WORD, "email": MAIL, "message": MESSAGE, "subject": f"About {WORD}"}
    async with open_desk(database_url, pool=pool) as web:
        accepted = await web.post("/support/submit", json=form)
        for broken in (
            {"email": f"{WORD}@"},
            {"plan": WORD},
            {"message": ""},
            {WORD: MAIL},
            {"message": f"{WORD}\x00"},
        ):
            await web.post("/support/submit", json=form | broken)
        await web.post("/support/submit", content=b"{" + WORD.encode())
        await web.get(f"/support/ticket/{WORD}", params={"token": WORD})
        await web.get(f"/customers/lookup?email={MAIL}")
        await make_runner(pool, OfflineModel()).run(await claim_one(pool))
        await web.get(accepted.json()["status_url"])
    assert await conn.fetchval("select count(*) from messages where direction = 'outbound'") == 1
    check(heard(), "turn ended")


async def test_a_chat_and_its_answer_also_when_the_vendor_fails(
    database_url: str, pool: Pool, conn: Connection, heard: Callable[[], str]
) -> None:
    async with open_chat_desk(database_url, pool, conn) as desk:
        await desk.write(MESSAGE, sender=NUMBER, ProfileName=WORD)
        await desk.think(OfflineModel())
        await desk.deliver()
        [taken] = desk.taken
        await desk.report(taken, "failed", ErrorCode="63016", ErrorMessage=f"{WORD} {NUMBER}")
        desk.vendor.knobs.script = ["refuse_400", "accept_500"]
        for sender in (OTHER, ANOTHER):
            await desk.write(MESSAGE, sender=sender, ProfileName=WORD)
            await desk.think(OfflineModel())
            await desk.deliver()
        await desk.deliver()
        forged = make_inbound(sender=NUMBER, body=MESSAGE, sid="SM" + "0" * 32)
        for headers in ({}, {"X-Twilio-Signature": WORD}):
            refused = await desk.web.post(INBOUND_PATH, data=forged, headers=headers)
            assert refused.status_code == 403
    check(heard(), "turn ended", "a webhook was refused")


@pytest.fixture
async def desk(pool: Pool, conn: Connection, gmail: Gmail) -> AsyncIterator[MailDesk]:
    async with open_mail_desk(MailDesk, pool, conn, gmail) as desk:
        yield desk


async def test_a_mail_and_its_answer(desk: MailDesk, heard: Callable[[], str]) -> None:
    await desk.receive(make_mail(MESSAGE, sender=SENDER, X_Note=WORD))
    runner = make_runner(desk.pool, OfflineModel(), channels=[desk.channel])
    await runner.run(await desk.claim("gmail:"))
    await desk.deliver()
    await desk.receive(make_mail(MESSAGE, sender=f'"{WORD}" <{WORD}', Auto_Submitted="auto-replied"))
    await desk.receive(b"\xff\xfe" + MESSAGE.encode())
    check(heard(), "mail read", "turn ended")


def echo(status: int, **error: str) -> Callable[[httpx2.Request], httpx2.Response]:
    """A provider that fails and repeats, in its error, all it was sent and more."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        said = f"{MESSAGE} {request.content.decode()}"
        return refuse(status, {"x-echo": "yes"}, message=said, **error)

    return answer


def break_off(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ReadError(MESSAGE)


def refuse_connection(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError(MESSAGE)


FAILURES: dict[str, Callable[[httpx2.Request], httpx2.Response]] = {
    "unauthorised": echo(401, code="invalid_api_key"),
    "quota": echo(402),
    "flagged": echo(403, type="content policy flagged"),
    "model not found": echo(404),
    "request timeout": echo(408),
    "too large": echo(413),
    "a parameter refused": echo(400, param="tool_choice"),
    "invalid": echo(400, param=WORD, code=f"{WORD} {MAIL}", type=MESSAGE),
    "context": echo(400, code="context_length_exceeded"),
    "rate limited": echo(429),
    "server error": echo(500),
    "an error in a 200": lambda _: httpx2.Response(200, json={"error": {"message": MESSAGE, "code": MESSAGE}}),
    "an error that is words": lambda _: httpx2.Response(200, json={"error": MESSAGE}),
    "no JSON": lambda _: httpx2.Response(200, text=MESSAGE),
    "a list": lambda _: httpx2.Response(200, json=[MESSAGE]),
    "an empty reply": lambda _: chat_reply({"content": ""}),
    "another wire": lambda _: responses_reply([{"type": "refusal", "refusal": MESSAGE}]),
    "truncated": lambda _: chat_reply({"content": MESSAGE}, finish_reason="length"),
    "refused": lambda _: chat_reply({"content": None, "refusal": MESSAGE}),
    "a placeholder altered": lambda _: chat_reply({"content": f"{WORD} <EMAIL_1>"}),
    "a tool of its own": lambda _: chat_reply(
        {"tool_calls": [{"id": MAIL, "function": {"name": WORD, "arguments": f'{{"{WORD}": "{MAIL}"'}}]}
    ),
    "a redirect": lambda _: httpx2.Response(302, headers={"location": f"http://elsewhere.test/?q={WORD}"}),
    "broken off": break_off,
    "no connection": refuse_connection,
}


@pytest.mark.parametrize("why", FAILURES)
async def test_a_provider_that_repeats_the_customer_in_its_failures(
    pool: Pool, conn: Connection, heard: Callable[[], str], why: str
) -> None:
    hosts: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        hosts.append(request.url.host)
        assert MAIL not in request.content.decode()
        assert "4111" not in request.content.decode()
        return FAILURES[why](request)

    http_client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    client = openai.AsyncOpenAI(api_key="secret-key-of-one", base_url="http://model.test/v1", http_client=http_client)
    model = PrivateModel(OpenAIModel(client, "gpt-test", "chat"), ALWAYS | CONTACTS)
    await submit(conn, MESSAGE, email=MAIL)
    runner = make_runner(pool, model, OfflineModel())
    limits = replace(runner.limits, turn=timedelta(seconds=13))
    await replace(runner, limits=limits).run(await claim_one(pool))
    written = heard()
    check(written, "turn ended")
    assert "secret-key-of-one" not in written
    assert set(hosts) == {"model.test"}
    assert await conn.fetchval("select count(*) from messages where direction = 'outbound'") == 1
    errors = await conn.fetch("select error from turn_steps where error is not null")
    assert not any(WORD in row["error"] or MAIL in row["error"] for row in errors)


class Poisoned:
    """A model that breaks on what it reads and says so in full."""

    name = "poisoned"

    async def reply(self, request: ModelRequest) -> ModelReply:
        if any(WORD in line.text for line in request.brief.burst):
            raise ZeroDivisionError(request.brief.words, request) from KeyError(MESSAGE)
        return ModelReply(self.name, tuple(reply_with("Hello.")))


SPOILT = (
    "payload", "payload - 'sent_at'", "jsonb_set(payload, '{trust}', '9')",
    "jsonb_set(payload, '{customer}', '{\"kind\": \"fax\"}')", "jsonb_set(payload, '{sent_at}', payload->'body')",
)  # fmt: skip


@pytest.mark.parametrize("payload", SPOILT)
async def test_a_message_that_ends_as_a_dead_letter(
    pool: Pool, conn: Connection, heard: Callable[[], str], payload: str
) -> None:
    lane = await write_on_a_channel_without_tickets(conn, MESSAGE, number=NUMBER)
    await conn.execute(f"update message_queue set payload = {payload} where lane = $1", lane)  # noqa: S608
    settings = WorkerSettings("w", poll=timedelta(milliseconds=50), lease=timedelta(seconds=5))
    worker = Worker(pool=pool, handlers={"inbound": make_runner(pool, Poisoned())}, settings=settings)
    task = asyncio.create_task(worker.run())

    async def has_died() -> bool:
        await conn.execute("update lanes set run_at = now() where run_at > now()")
        return bool(await conn.fetchval("select count(*) from dead_letters"))

    try:
        await until(has_died)
    finally:
        worker.stop()
        await task
    check(heard(), "lane")
    letter = await conn.fetchrow("select error from dead_letters")
    assert letter is not None
    assert not any(canary in str(letter["error"]) for canary in CANARIES)
