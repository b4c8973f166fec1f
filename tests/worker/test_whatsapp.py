"""What whoever writes on WhatsApp may rely on: one answer, sent once, and nothing they do not want."""

from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import pytest

from agent.models.base import Item, ModelReply, ModelRequest
from agent.models.scripted import ScriptedModel
from db import handover
from db.pool import Connection, Pool
from tests.fakes import hand_over, reply_with
from tests.worker.chat_desk import CUSTOMER, ChatDesk, open_chat_desk

CANONICAL = "+5511987654321"
WITHOUT_THE_NINTH_DIGIT = "+551187654321"


@pytest.fixture
async def desk(database_url: str, pool: Pool, conn: Connection) -> AsyncIterator[ChatDesk]:
    async with open_chat_desk(database_url, pool, conn) as desk:
        yield desk


async def test_a_message_is_answered_once_and_its_fate_is_known(desk: ChatDesk) -> None:
    await desk.write()
    await desk.turn(reply_with("Here is how."))
    await desk.deliver()
    [taken] = desk.taken
    assert (taken.send.to, taken.send.body) == (f"whatsapp:{CUSTOMER}", "Here is how.")
    await desk.report(taken, "delivered")
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "delivered"
    assert await desk.sql("select count(*) from waiting_customers") == 0


async def test_a_customer_is_known_by_number_and_profile_name(desk: ChatDesk) -> None:
    await desk.write(ProfileName="Ana Lima", WaId=CUSTOMER[1:])
    await desk.turn(reply_with("Hello."))
    assert await desk.sql("select name from customers") == "Ana Lima"
    known = await desk.conn.fetchrow("select kind, value, proof from customer_identifiers")
    assert known is not None
    assert tuple(known) == ("phone", CANONICAL, "provider")


async def test_an_album_of_ten_pictures_is_one_conversation_and_one_turn(desk: ChatDesk) -> None:
    for number in range(10):
        await desk.write("", NumMedia="1", MediaContentType0="image/jpeg", MediaUrl0=media_url(number))
    await desk.turn(reply_with("Which part of these pictures do you mean?", kind="clarifying_question"))
    assert await desk.sql("select count(*) from conversations") == 1
    assert await desk.sql("select count(*) from turns") == 1
    assert await desk.sql("select array_agg(distinct body) from messages where direction = 'inbound'") == ["[image]"]
    assert await desk.sql("select count(*) from messages where direction = 'inbound'") == 10
    assert await desk.sql("select count(*) from message_queue where kind = 'inbound'") == 0
    assert sorted(desk.media.asked) == [media_url(number) for number in range(10)]
    assert await desk.sql("select count(*) from attachments join messages using (channel, external_id)") == 10


def media_url(number: int) -> str:
    return f"https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME{number}"


class InterruptedModel(ScriptedModel):
    """A model during whose first step something happens."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]], replies: list[list[Item]]) -> None:
        super().__init__(replies)
        self.meanwhile = meanwhile

    async def reply(self, request: ModelRequest) -> ModelReply:
        if not self.requests:
            await self.meanwhile()
        return await super().reply(request)


async def test_what_is_written_during_a_turn_voids_its_answer_and_is_in_the_next(desk: ChatDesk) -> None:
    await desk.write("How do I export a board?")

    async def think_again() -> None:
        await desk.write("As PDF, I mean")

    await desk.think(InterruptedModel(think_again, [reply_with("Here is how.")]))
    assert await desk.sql("select count(*) from messages where direction = 'outbound'") == 0
    await desk.turn(reply_with("Here it is."))
    await desk.deliver()
    assert [one.send.body for one in desk.taken] == ["Here it is."]
    assert await desk.sql("select count(*) from messages where direction = 'inbound'") == 2


IS_DUE = "select run_at <= clock_timestamp() from lanes where lane = $1"


async def test_a_button_is_answered_without_the_quiet_time(desk: ChatDesk) -> None:
    await desk.write("Hello")
    assert not await desk.sql(IS_DUE, f"whatsapp:{CANONICAL}")
    await desk.write("Yes", sender="+4915112345678", MessageType="button", ButtonText="Yes", ButtonPayload="yes")
    assert await desk.sql(IS_DUE, "whatsapp:+4915112345678")


KEPT_ONLY = {
    "reaction": {"MessageType": "reaction", "Body": "👍"},
    "sticker": {
        "MessageType": "sticker", "Body": "", "NumMedia": "1", "MediaContentType0": "image/webp",
        "MediaUrl0": media_url(1),
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", KEPT_ONLY)
async def test_a_reaction_or_a_sticker_starts_no_turn(desk: ChatDesk, kind: str) -> None:
    await desk.write("", **KEPT_ONLY[kind])
    assert await desk.sql("select count(*) from message_queue") == 0
    assert await desk.sql("select array_agg(kind) from messages") == [kind]
    assert await desk.sql("select count(*) from waiting_customers") == 0


@pytest.mark.parametrize("kind", KEPT_ONLY)
async def test_a_reaction_or_a_sticker_during_a_turn_voids_nothing(desk: ChatDesk, kind: str) -> None:
    await desk.write()

    async def meanwhile() -> None:
        await desk.write("", **KEPT_ONLY[kind])

    await desk.think(InterruptedModel(meanwhile, [reply_with("Here is how.")]))
    await desk.deliver()
    assert [one.send.body for one in desk.taken] == ["Here is how."]


@pytest.mark.parametrize("kind", KEPT_ONLY)
async def test_a_reaction_or_a_sticker_before_the_answer_is_out_leaves_nobody_waiting(
    desk: ChatDesk, kind: str
) -> None:
    await desk.write()
    await desk.turn(reply_with("Here is how."))
    await desk.write("", **KEPT_ONLY[kind])
    await desk.deliver()
    assert await desk.sql("select count(*) from waiting_customers") == 0


async def test_whose_answer_failed_has_waited_since_their_words_and_not_since_a_sticker(desk: ChatDesk) -> None:
    await desk.write()
    await desk.turn(reply_with("Here is how."))
    await desk.deliver()
    await desk.sql("update messages set created_at = created_at - interval '1 hour'")
    await desk.write("", **KEPT_ONLY["sticker"])
    await desk.report(desk.taken[0], "undelivered", ErrorCode="63024")
    assert await desk.sql("select waiting_since < now() - interval '59 minutes' from waiting_customers")


async def test_a_sticker_keeps_no_conversation_from_being_handed_back(desk: ChatDesk) -> None:
    await desk.write()
    await desk.turn(hand_over())
    await desk.deliver()
    reference = await desk.sql("select reference from tickets")
    await handover.add_person_message(desk.conn, reference, "Jane here.", idempotency=uuid4())
    await desk.write("And now?")
    await desk.deliver()
    await desk.write("", **KEPT_ONLY["sticker"])
    assert await desk.sql("select waiting_since is not null from conversations")
    assert await desk.sql("select hand_back($1)", reference) == "accepted"


async def test_whoever_says_stop_hears_that_it_was_heard_and_nothing_more(desk: ChatDesk) -> None:
    await desk.write()
    await desk.turn(reply_with("Here is how."))
    await desk.write("STOP")
    await desk.deliver()
    [farewell] = desk.taken
    assert "START" in farewell.send.body
    assert await desk.sql("select array_agg(delivery order by sent_at) from messages where author = 'agent'") == [
        "cancelled",
        "sent",
    ]
    assert await desk.sql("select count(*) from message_queue") == 0
    assert await desk.sql("select count(*) from waiting_customers") == 0


async def test_stop_during_a_turn_silences_it(desk: ChatDesk) -> None:
    await desk.write()

    async def stop() -> None:
        await desk.write("Stop.")

    await desk.think(InterruptedModel(stop, [reply_with("Here is how.")]))
    await desk.turn()
    await desk.deliver()
    assert ["START" in one.send.body for one in desk.taken] == [True]
    assert await desk.sql("select count(*) from message_queue") == 0


async def test_start_after_stop_lets_us_answer_again(desk: ChatDesk) -> None:
    for text in ("STOP", "START", "How do I export a board?"):
        await desk.write(text)
    await desk.turn(reply_with("Here is how."))
    await desk.deliver()
    assert desk.taken[-1].send.body == "Here is how."


@pytest.mark.parametrize(
    ("first", "second"), [(CANONICAL, WITHOUT_THE_NINTH_DIGIT), (WITHOUT_THE_NINTH_DIGIT, CANONICAL)]
)
async def test_both_spellings_of_a_number_are_one_conversation_and_the_last_one_is_answered(
    desk: ChatDesk, first: str, second: str
) -> None:
    for sender in (first, second):
        await desk.write(sender=sender)
        await desk.turn(reply_with("Here is how."))
        await desk.deliver()
    assert await desk.sql("select array_agg(thread_key) from conversations") == [CANONICAL]
    assert await desk.sql("select array_agg(value) from customer_identifiers") == [CANONICAL]
    assert [one.send.to for one in desk.taken] == [f"whatsapp:{first}", f"whatsapp:{second}"]
