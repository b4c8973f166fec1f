"""The page behind the link of the question: one click is one mark, looking is none, and only our own links work."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx2
import pytest

from app.access import make_token
from app.feedback_link import make_feedback_path, make_feedback_token, read_feedback_token
from db.pool import Connection
from tests.app.desk import FORM, HTML, STAFF, answer_waiting, find_conversation, make_settings, open_desk


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with open_desk(database_url) as client:
        yield client


async def ask(desk: httpx2.AsyncClient, conn: Connection) -> tuple[str, str]:
    """Somebody is asked on the web form; the link, and the ticket's reference."""
    reference = str((await desk.post("/support/submit", json=FORM)).json()["ticket"])
    await answer_waiting(conn)
    await conn.execute("update conversations set status = 'resolved'")
    await conn.execute("update tickets set status = 'resolved', resolved_at = now()")
    question: UUID = await conn.fetchval(
        """
        insert into csat (conversation_id, customer_id, ticket_id, channel, about)
        select c.id, c.customer_id, t.id, c.channel, 'agent'
          from conversations c join tickets t on t.conversation_id = c.id returning id
        """
    )
    return make_feedback_path(make_settings(), question), reference


async def find_score(conn: Connection) -> int | None:
    score: int | None = await conn.fetchval("select score from csat")
    return score


async def test_looking_is_no_mark_and_one_click_is_one(desk: httpx2.AsyncClient, conn: Connection) -> None:
    link, _ = await ask(desk, conn)
    for query in ("", "?score=1"):
        page = await desk.get(link + query, headers=HTML)
        assert (page.status_code, await find_score(conn)) == (200, None)
    assert page.text.count('name="score"') == 5
    await desk.head(link)
    assert await find_score(conn) is None
    clicked = await desk.post(link, data={"score": "4"}, headers=HTML)
    assert (clicked.status_code, clicked.headers["location"], await find_score(conn)) == (303, link, 4)
    page = await desk.get(link, headers=HTML)
    assert "Your answer: Good." in page.text
    await desk.post(link, data={"score": "2", "comment": "<b>slow</b>"}, headers=HTML)
    await desk.post(link, data={"score": "2"}, headers=HTML)
    row = await conn.fetchrow("select score, comment from csat")
    assert tuple(row or ()) == (2, "<b>slow</b>")
    assert "<b>slow" not in (await desk.get(link, headers=HTML)).text


@pytest.mark.parametrize(
    "fields",
    [{"comment": "x"}, {"score": "0"}, {"score": "6"}, {"score": "good"}, {"score": "3", "comment": "x" * 2001}],
)
async def test_what_is_no_mark_is_refused(desk: httpx2.AsyncClient, conn: Connection, fields: dict[str, str]) -> None:
    link, _ = await ask(desk, conn)
    assert (await desk.post(link, data=fields, headers=HTML)).status_code == 422
    assert await find_score(conn) is None


async def test_only_our_own_links_work(desk: httpx2.AsyncClient, conn: Connection) -> None:
    link, _ = await ask(desk, conn)
    made = link.removeprefix("/feedback/")
    other = make_feedback_token(make_settings(), uuid4())
    flipped = made[:-1] + ("A" if made[-1] != "A" else "B")
    for token in (other, flipped, made[:22] + other[22:], made[:-2], "x", "A" * 46, "é" * 46):
        assert (await desk.get(f"/feedback/{token}", headers=HTML)).status_code == 404, token
        assert (await desk.post(f"/feedback/{token}", data={"score": "1"})).status_code == 404
    assert await find_score(conn) is None
    assert read_feedback_token(make_settings(APP_SECRET="another"), made) is None


async def test_a_form_of_another_site_gives_no_mark(desk: httpx2.AsyncClient, conn: Connection) -> None:
    link, _ = await ask(desk, conn)
    foreign = await desk.post(link, data={"score": "1"}, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert await find_score(conn) is None


async def test_the_page_tells_nothing_of_the_conversation(desk: httpx2.AsyncClient, conn: Connection) -> None:
    link, reference = await ask(desk, conn)
    page = (await desk.get(link, headers=HTML)).text
    for word in (reference, FORM["name"], FORM["email"], FORM["subject"]):
        assert word not in page


async def test_a_question_that_is_closed_takes_no_mark(desk: httpx2.AsyncClient, conn: Connection) -> None:
    link, _ = await ask(desk, conn)
    await conn.execute("update csat set asked_at = asked_at - interval '31 days'")
    assert "closed" in (await desk.get(link, headers=HTML)).text
    assert (await desk.post(link, data={"score": "1"})).status_code == 410


async def test_the_ticket_page_asks_the_customer_and_the_team_sees_the_mark(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    link, reference = await ask(desk, conn)
    ticket = f"/support/ticket/{reference}?token={make_token(make_settings(), reference)}"
    page = (await desk.get(ticket, headers=HTML)).text
    assert f'action="{link}"' in page
    await desk.post(link, data={"score": "5", "comment": "Quick!"})
    assert 'aria-pressed="true">Very good' in (await desk.get(ticket, headers=HTML)).text
    thread = await desk.get(await find_conversation(desk, reference), headers=STAFF | HTML)
    assert "5 of 5 for the assistant: Quick!" in thread.text
    numbers = (await desk.get("/metrics/channels", headers=STAFF)).json()
    for place in (numbers["total"], numbers["channels"]["web"]):
        assert place["csat"] == {"agent": {"average": 5, "n": 1}, "person": {"average": None, "n": 0}}
    assert "5.0 of 5" in (await desk.get("/metrics/channels", headers=STAFF | HTML)).text
