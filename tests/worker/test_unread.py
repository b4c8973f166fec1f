"""Messages with files that nobody here can read, through whole turns of the worker."""

from datetime import UTC, datetime
from uuid import uuid4

from agent.models.scripted import ScriptedModel
from agent.phrases import say
from db import queue
from db.pool import Connection, Pool
from tests.fakes import claim_one, hand_over, make_runner, reply_with

NUMBER = "+4915112345678"


async def write(conn: Connection, words: str, *kinds: str) -> None:
    """A message of words and of files that are only named, on the channel that needs no vendor."""
    marks = " ".join(f"[{kind}]" for kind in kinds)
    payload = {
        "version": 1,
        "channel": "web",
        "thread_key": NUMBER,
        "external_id": uuid4().hex,
        "body": f"{words}\n{marks}".strip(),
        "words": words,
        "subject": "",
        "category": None,
        "trust": 3,
        "sent_at": datetime.now(UTC),
        "attached": [{"url": f"https://files.example/{kind}", "type": f"{kind}/any"} for kind in kinds],
        "customer": {"kind": "phone", "value": NUMBER, "proof": "provider", "name": "Ana Lima", "plan": None},
    }
    await queue.add_work(conn, f"web:{NUMBER}", "inbound", payload, dedupe_key=f"web:{payload['external_id']}")


async def answer(pool: Pool, reply: str, language: str = "en") -> ScriptedModel:
    """What waits is answered; the model says these words if it is asked at all."""
    model = ScriptedModel([reply_with(reply, language=language)])
    await make_runner(pool, model).run(await claim_one(pool))
    return model


async def list_words(conn: Connection) -> list[str]:
    rows = await conn.fetch("select body from messages where direction = 'outbound' order by sent_at, id")
    return [row["body"] for row in rows]


async def test_a_picture_is_asked_about_and_a_second_one_goes_to_a_person(pool: Pool, conn: Connection) -> None:
    await write(conn, "Guten Tag, wie kann ich meine Tafeln exportieren?")
    await answer(pool, "Guten Tag, was genau meinen Sie?", "de")
    await write(conn, "", "image")
    model = await answer(pool, "I see that your export is broken.")
    assert (await list_words(conn))[1:] == [f"{say('unread_image', 'de')}\n{say('unread_ask', 'de')}"]
    turn = await conn.fetchrow("select model, outcome, cost_usd from turns order by started_at desc limit 1")
    assert turn is not None
    assert tuple(turn) == ("policy", "asked", None)
    await write(conn, "", "image")
    assert (model.requests, (await answer(pool, "Yes, broken.")).requests) == ([], [])
    assert (await list_words(conn))[2:] == [say("escalated_unread", "de")]
    ticket = await conn.fetchrow("select status, escalation_reason, handoff_note from tickets")
    assert ticket is not None
    assert (ticket["status"], ticket["escalation_reason"]) == ("escalated", "no_answer")
    assert "cannot see or hear: image." in ticket["handoff_note"]


async def test_thanks_with_a_picture_beside_it_are_not_closed_unseen(pool: Pool, conn: Connection) -> None:
    await write(conn, "Hello, are you there?")
    await answer(pool, "Hello, we are.")
    await write(conn, "Thanks!", "image")
    assert len((await answer(pool, "You are welcome. What does the picture show?")).requests) == 1


async def test_a_ticket_is_named_by_what_the_customer_wrote_and_not_by_a_mark(pool: Pool, conn: Connection) -> None:
    await write(conn, "I was charged twice,\nI want a refund", "image")
    await make_runner(pool, ScriptedModel([hand_over()])).run(await claim_one(pool))
    assert await conn.fetchval("select subject from tickets") == "I was charged twice, I want a refund"
