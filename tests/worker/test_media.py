"""What whoever sends files may rely on: one answer that knows what could be read, and nothing fetched twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import pytest

from agent.brief import Brief
from agent.models.base import Item, ModelReply, ModelRequest
from agent.models.scripted import ScriptedModel
from channels.base import InboundMessage, read_payload
from channels.twilio.media import AT_ONCE, Bounds, TwilioMedia
from db import attachments, queue
from db.errors import RetryLater
from db.pool import Connection, Pool
from tests.channels.hostile import pdf
from tests.channels.twilio import ACCOUNT
from tests.fakes import claim_one, make_runner, reply_with
from tests.stand_ins.media import MediaServer, say, serving_media, stream
from worker import media
from worker.completer import Completer
from worker.jobs.upkeep import Sweep
from worker.media import read_media

NUMBER = "+4915112345678"
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels" * 20
VOICE = b"OggS\x00\x02" + b"sound" * 20
BILL = pdf(b"BT /F1 12 Tf 10 10 Td (Invoice 4711) Tj ET")
MARKS = {"image": "[image]", "audio": "[voice message]", "video": "[video]", "text/vcard": "[contact]"}
ANSWER = "Thank you."

File = tuple[str, str]
"""Address and declared type."""


@dataclass
class Desk:
    """One customer who sends files, and what fetches them."""

    pool: Pool
    conn: Connection
    server: MediaServer
    source: TwilioMedia
    count: int = 0

    def lay(self, *acts: Any, declared: str = "image/png") -> File:
        self.count += 1
        path = f"/2010-04-01/Accounts/{ACCOUNT.sid}/Messages/MM1/Media/ME{self.count}"
        return self.server.lay(path, *acts), declared

    async def write(self, text: str, *files: File) -> InboundMessage:
        """A message as it waits on the queue."""
        marks = " ".join(MARKS.get(kind, MARKS.get(kind.split("/")[0], "[file]")) for _, kind in files)
        payload = {
            "version": 1, "channel": "whatsapp", "thread_key": NUMBER, "external_id": uuid4().hex, "subject": "",
            "body": f"{text}\n{marks}".strip(), "words": text, "category": None, "trust": 3,
            "sent_at": datetime.now(UTC), "address": NUMBER,
            "attached": [{"url": url, "type": kind} for url, kind in files],
            "customer": {"kind": "phone", "value": NUMBER, "proof": "provider", "name": "Ana Lima", "plan": None},
        }  # fmt: skip
        key = f"whatsapp:{payload['external_id']}"
        await queue.add_work(self.conn, f"whatsapp:{NUMBER}", "inbound", payload, dedupe_key=key)
        return read_payload(payload | {"sent_at": payload["sent_at"].isoformat()})  # type: ignore[attr-defined]

    async def turn(self, *models: Any) -> None:
        await self.conn.execute("update lanes set run_at = now(), lease_until = null")
        runner = replace(make_runner(self.pool, *models), media={"whatsapp": self.source})
        await runner.run(await claim_one(self.pool))

    async def read(self, *messages: InboundMessage, **more: Any) -> list[media.ReadMessage]:
        return await read_media(self.pool, {"whatsapp": self.source}, messages, **more)

    async def sql(self, statement: str, *values: Any) -> Any:
        return await self.conn.fetchval(statement, *values)


@pytest.fixture
async def desk(pool: Pool, conn: Connection) -> AsyncIterator[Desk]:
    async with serving_media() as server:
        bounds = Bounds(silence=5, pause=0.01)
        yield Desk(pool, conn, server, TwilioMedia(ACCOUNT, api_base=server.url, bounds=bounds))


async def take_brief(desk: Desk, replies: Sequence[list[Item]] = ()) -> Brief:
    model = ScriptedModel(replies or [reply_with(ANSWER)])
    await desk.turn(model)
    brief: Brief = model.requests[0].brief
    return brief


async def test_an_album_of_ten_is_one_turn_and_is_fetched_a_few_at_a_time(desk: Desk) -> None:
    for _ in range(10):
        await desk.write("", desk.lay(say(200, PNG)))
    await desk.write("What is wrong there?")
    brief = await take_brief(desk)
    assert brief.unread == ("image",) * 10
    assert await desk.sql("select count(*) from turns") == 1
    assert await desk.sql("select count(*) from attachments where content = $1 and type = 'image/png'", PNG) == 10
    assert sorted(desk.server.paths) == sorted(set(desk.server.paths))
    assert 1 <= desk.server.most_busy <= 3
    assert await desk.sql("select count(*) from messages where body = '[image]'") == 10


async def test_what_files_say_is_read_below_the_customers_words(desk: Desk) -> None:
    card = b"BEGIN:VCARD\r\nFN:Bo Berg\r\nTEL:+49 30 1234\r\nEND:VCARD\r\n"
    message = await desk.write(
        "Is [image] right?",
        desk.lay(say(200, PNG)),
        desk.lay(say(200, BILL), declared="application/pdf"),
        desk.lay(say(200, card), declared="text/vcard"),
        desk.lay(say(200, VOICE), declared="audio/ogg; codecs=opus"),
        desk.lay(say(404), declared="video/mp4"),
    )
    [read] = await desk.read(message)
    assert read.message.body == (
        "Is [image] right?\n[image]\n[application/pdf, 1 kB]\nInvoice 4711\n[text/vcard, 1 kB]\nBo Berg\n+49 30 1234\n"
        "[voice message]\n[video that could not be fetched]"
    )
    assert read.message.words == "Is [image] right?\n\nInvoice 4711\n\nBo Berg\n+49 30 1234"
    assert read.unread == ("image", "audio", "video")


async def test_a_message_is_answered_although_its_file_cannot_be_had(desk: Desk) -> None:
    await desk.write("Why is this red?", desk.lay(say(404)))
    brief = await take_brief(desk)
    assert (brief.unread, brief.is_wordless) == (("image",), False)
    assert brief.burst[0].text == "Why is this red?\n[image that could not be fetched]"
    assert await desk.sql("select body from messages where direction = 'outbound'") == ANSWER
    assert await desk.sql("select error from attachments") == "Twilio answered with status 404"


async def test_a_message_without_files_costs_no_query(desk: Desk) -> None:
    message = await desk.write("Hello")
    nowhere = cast(Pool, None)
    assert await read_media(nowhere, {"whatsapp": desk.source}, [message]) == [media.ReadMessage(message)]


async def test_after_a_crash_between_two_files_only_the_other_is_fetched(desk: Desk) -> None:
    first, second = desk.lay(say(200, PNG)), desk.lay(stream(b"x", 1_000, pause=0.01))
    message = await desk.write("Two", first, second)
    dying = asyncio.create_task(desk.read(message))
    while await desk.sql("select count(*) from attachments") == 0:
        await asyncio.sleep(0.01)
    dying.cancel()
    await asyncio.wait([dying])
    assert await desk.sql("select count(*) from attachments") == 1
    desk.server.lay(second[0].removeprefix(desk.server.url), say(200, PNG))
    await take_brief(desk)
    assert sorted(path[-3:] for path in desk.server.paths) == ["ME1", "ME2", "ME2"]
    assert await desk.sql("select count(*) from attachments where content = $1", PNG) == 2


class Interrupted(ScriptedModel):
    """During its first answer the customer writes again."""

    def __init__(self, desk: Desk, replies: Sequence[list[Item]]) -> None:
        super().__init__(replies)
        self.desk = desk

    async def reply(self, request: ModelRequest) -> ModelReply:
        await self.desk.write("And this", self.desk.lay(say(200, BILL), declared="application/pdf"))
        return await super().reply(request)


async def test_a_superseded_turn_does_not_make_the_next_one_fetch_again(desk: Desk) -> None:
    await desk.write("Look", desk.lay(say(200, PNG)), desk.lay(say(403)))
    await desk.turn(Interrupted(desk, [reply_with("Good.")]))
    assert await desk.sql("select array_agg(state) from turns") == ["superseded"]
    brief = await take_brief(desk)
    assert [path[-3:] for path in sorted(desk.server.paths)] == ["ME1", "ME2", "ME3"]
    assert "Invoice 4711" in brief.burst[1].text


async def test_files_that_do_not_come_in_time_are_not_waited_for(desk: Desk) -> None:
    message = await desk.write("Two", desk.lay(say(200, PNG)), desk.lay(stream(b"x", 10_000, pause=0.05)))
    [read] = await desk.read(message, seconds=1.0)
    assert read.message.body == "Two\n[image]\n[image that could not be fetched]"
    assert await desk.sql("select array_agg(error order by place) from attachments") == [None, media.TOO_LATE]


async def test_a_picture_is_not_given_up_because_others_are_being_fetched(desk: Desk) -> None:
    message = await desk.write("Look", desk.lay(say(200, PNG)))
    async with AsyncExitStack() as held:
        for _ in range(AT_ONCE):
            await held.enter_async_context(desk.source.slots)
        with pytest.raises(RetryLater):
            await desk.read(message, seconds=0.05)
    assert await desk.sql("select count(*) from attachments") == 0
    [read] = await desk.read(message)
    assert read.message.body == "Look\n[image]"
    assert await desk.sql("select error from attachments") is None


async def test_one_conversation_cannot_fill_the_disk_in_a_day(desk: Desk) -> None:
    earlier = await desk.write("Big")
    await desk.turn(ScriptedModel([reply_with(ANSWER)]))
    await desk.sql(
        "insert into attachments (channel, external_id, place, type, size) values ('whatsapp', $1, 0, 'video/mp4', $2)",
        earlier.external_id,
        media.MAX_DAY,
    )
    message = await desk.write("More", desk.lay(say(200, PNG)))
    [read] = await desk.read(message)
    assert read.message.body == "More\n[image that could not be fetched]"
    assert await desk.sql("select error from attachments where size is null") == media.TOO_MUCH
    assert desk.server.asked == []
    await desk.conn.execute("delete from attachments where size is null")
    await desk.conn.execute("update attachments set created_at = now() - interval '25 hours'")
    assert (await desk.read(message))[0].message.body == "More\n[image]"


FULL_DAY = """
    insert into attachments (channel, external_id, place, type, size) values ('whatsapp', $1, 0, 'video/mp4', $2)
"""


async def test_files_of_messages_that_no_turn_has_taken_up_count_for_the_day(desk: Desk) -> None:
    first = await desk.write("Big", desk.lay(say(200, PNG)))
    await desk.sql(FULL_DAY, first.external_id, media.MAX_DAY)
    second = await desk.write("More", desk.lay(say(200, PNG)))
    assert (await desk.read(first, second))[1].message.body == "More\n[image that could not be fetched]"


async def test_files_that_come_at_once_fill_the_day_by_no_more_than_is_under_way(desk: Desk) -> None:
    earlier = await desk.write("Big", desk.lay(say(200, PNG)))
    await desk.sql(FULL_DAY, earlier.external_id, media.MAX_DAY - 1)
    album = await desk.write("More", *(desk.lay(say(200, PNG)) for _ in range(10)))
    await desk.read(earlier, album)
    assert 1 <= len(desk.server.asked) <= 3


async def test_what_one_customer_sends_keeps_no_file_from_another(desk: Desk) -> None:
    await desk.sql(
        """
        with talk as (
          insert into conversations (channel, thread_key, trust) values ('whatsapp', '+4915112345679', 3) returning id)
        insert into messages (conversation_id, channel, direction, author, body, external_id)
        select id, 'whatsapp', 'inbound', 'customer', 'Big', 'SM1' from talk
        """
    )
    await desk.sql(FULL_DAY, "SM1", media.MAX_DAY)
    [read] = await desk.read(await desk.write("Mine", desk.lay(say(200, PNG))))
    assert read.message.body == "Mine\n[image]"


async def test_where_nothing_fetches_files_they_are_told_of_by_what_they_are_called(desk: Desk) -> None:
    message = await desk.write("", desk.lay(say(200, PNG)), ("https://example.com/a", "no type"))
    [read] = await read_media(desk.pool, {}, [message])
    assert (read.message.body, read.unread) == ("[image] [file]", ("image", "file"))
    assert await desk.sql("select count(*) from attachments") == 0


async def test_texts_of_files_are_cut_one_by_one_and_together(desk: Desk) -> None:
    files = [desk.lay(say(200, b"a" * 6_000), declared="text/plain") for _ in range(10)]
    [read] = await desk.read(await desk.write("", *files))
    assert read.message.words == "\n\n".join(["a" * 4_000] * 5)
    assert read.unread == ("file",) * 5
    assert await desk.sql("select min(length(text)) from attachments") == 6_000


async def test_content_is_forgotten_after_90_days_and_what_it_was_stays(desk: Desk) -> None:
    for number in range(3):
        await desk.read(await desk.write("", desk.lay(say(200, PNG))))
        await desk.conn.execute(
            "update attachments set created_at = now() - $1::interval where created_at > now() - interval '1 hour'",
            timedelta(days=89 + number, hours=12),
        )
    assert await attachments.drop_old_content(desk.conn, limit=1) == 1
    await desk.conn.execute("delete from message_queue")
    await desk.conn.execute("delete from lanes")
    await queue.add_work(desk.conn, "job:sweep", "sweep", {}, dedupe_key="sweep")
    await Sweep(desk.pool, Completer(desk.pool)).run(await claim_one(desk.pool))
    assert await desk.sql("select count(*) from attachments") == 3
    assert await desk.sql("select array_agg(size) from attachments where content is null") == [len(PNG)] * 2
