"""What customers read on pages and in corrections is in their language, as far as the assistant has words in it."""

import re
from datetime import UTC, datetime

import pytest

from agent.phrases import load_texts
from app.customer_words import PLACEHOLDER, load_words, name_direction, name_language, say, say_day
from db.pool import Connection
from tests.app.desk import HTML, STAFF, open_desk
from tests.app.test_feedback import ask
from tests.db.test_knowledge_desk import cite, open_talk, publish
from tests.db.test_knowledge_desk import say as tell

SPOKEN = sorted(load_texts()["feedback"])


@pytest.mark.parametrize("key", sorted(load_words()))
def test_every_text_is_there_in_every_language_of_the_assistant_with_the_same_blanks(key: str) -> None:
    texts = load_words()[key]
    assert sorted(texts) == SPOKEN
    blanks = {code: set(PLACEHOLDER.findall(text)) - {"month", "month_name"} for code, text in texts.items()}
    assert set(map(frozenset, blanks.values())) == {frozenset(blanks["en"])}


@pytest.mark.parametrize(
    ("language", "named", "direction"),
    [("de", "de", "ltr"), ("ar-EG", "ar", "rtl"), ("ur", "ur-Latn", "ltr"), ("fi", "en", "ltr"), (None, "en", "ltr")],
)
async def test_the_feedback_page_speaks_the_customers_language(
    database_url: str, conn: Connection, language: str | None, named: str, direction: str
) -> None:
    assert (name_language(language), name_direction(language)) == (named, direction)
    async with open_desk(database_url) as desk:
        link, _ = await ask(desk, conn)
        await conn.execute("update csat set language = $1", language)
        asked = (await desk.get(link, headers=HTML)).text
        wrong = await desk.post(link, data={"score": "2", "comment": "x" * 2001}, headers=HTML)
        await desk.post(link, data={"score": "2", "comment": "x"}, headers=HTML)
        thanks = (await desk.get(link, headers=HTML)).text
        await conn.execute("update csat set score = null, asked_at = asked_at - interval '60 days', answered_at = null")
        late = await desk.post(link, data={"score": "1"}, headers=HTML)
    assert f'<html lang="{named}" dir="{direction}">' in asked
    assert f"<h1>{say('question', language)}</h1>" in asked
    assert (wrong.status_code, say("take_one", language, most="2000") in wrong.text) == (422, True)
    assert say("answered", language, mark=say("mark_2", language)) in thanks
    assert say("commented", language) in thanks
    assert (late.status_code, say("closed", language) in late.text) == (410, True)


@pytest.mark.parametrize(
    ("language", "begins", "note"),
    [
        ("de", "Wir müssen berichtigen, was wir Ihnen am", "put what it quotes into their words, too"),
        ("fi", "We have to correct what we wrote to you on", "The customer writes in fi: put it into their words"),
        ("en", "We have to correct what we wrote to you on", "cites version 1."),
    ],
)
async def test_a_correction_is_written_in_the_customers_language(
    database_url: str, conn: Connection, language: str, begins: str, note: str
) -> None:
    await publish(conn, "Pro costs {nine} dollars.")
    reply = str(await tell(conn, await open_talk(conn), "Nine.", await cite(conn, "prices")))
    await conn.execute("update conversations set language = $1", language)
    await publish(conn, "Pro costs {ten} dollars.", based_on=1)
    async with open_desk(database_url) as desk:
        await desk.post("/knowledge/prices/misled", json={"reply": [reply]}, headers=STAFF)
    draft = await conn.fetchrow("select body, note from drafts")
    assert draft is not None
    assert draft["body"].startswith(begins)
    assert "Pro costs {ten} dollars." in draft["body"]
    assert note in draft["note"]
    assert ("put" in draft["note"]) == (language != "en")


@pytest.mark.parametrize("language", SPOKEN)
def test_a_day_is_written_with_its_numbers_and_nothing_is_left_blank(language: str) -> None:
    written = say_day(datetime(2026, 11, 3, 23, 0, tzinfo=UTC), language)
    assert {"3", "2026"} <= set(re.findall(r"\d+", written))
    assert "{" not in written
