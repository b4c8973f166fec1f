"""Asking for a draft on a conversation's page: what the page says of it, and that the web process only queues it."""

from collections.abc import Sequence
from uuid import UUID

from agent.models.base import Item, ModelFailure
from agent.models.scripted import ScriptedModel
from db.pool import Connection, Pool
from tests.app.desk import STAFF, open_desk
from tests.app.test_thread_page import escalate, press, read, submit
from tests.fakes import claim_now, hand_over, make_runner, reply_with
from worker.completer import Completer
from worker.jobs.draft import WriteDraft

BUTTON = "Ask for a draft"
WRITING = "The assistant is writing a draft."
ANSWER = "Thank you for the details."


async def write(pool: Pool, conn: Connection, *replies: Sequence[Item] | ModelFailure) -> None:
    runner = make_runner(pool, ScriptedModel(replies))
    await WriteDraft(pool, Completer(pool), runner).run(await claim_now(conn, "draft:"))


async def test_the_page_says_that_a_draft_is_written_and_has_it_in_the_box_once_it_is_there(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        await escalate(conn)
        assert BUTTON in await read(desk, talk)
        asked = await press(desk, f"{talk}/ask")
        assert (asked.status_code, asked.headers["location"]) == (303, talk)
        page = await read(desk, talk)
        assert (WRITING in page, f">{BUTTON}<" in page) == (True, False)
        await write(pool, conn, reply_with(ANSWER))
        page = await read(desk, talk)
        assert f"{ANSWER}" in page.split('<textarea id="message"')[1].split("</textarea>")[0]
        assert "The assistant wrote this because somebody of you asked for it" in page
        assert WRITING not in page
        draft = await conn.fetchval("select id from drafts")
        await press(desk, f"{talk}/reject", draft=str(draft))
        assert f">{BUTTON}<" in await read(desk, talk)


async def test_the_page_says_why_there_is_no_draft(database_url: str, pool: Pool, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        await escalate(conn)
        await press(desk, f"{talk}/ask")
        await write(pool, conn, ModelFailure("unavailable", "503"))
        page = await read(desk, talk)
        assert "No draft could be written. None of our models could answer just now. Ask again" in page
        await press(desk, f"{talk}/ask")
        await write(pool, conn, hand_over("no_answer"))
        page = await read(desk, talk)
        assert "The assistant has no draft to offer. It found nothing that answers this. The customer wants" in page
        assert f">{BUTTON}<" in page
        await press(desk, f"{talk}/answer", message="My words", submission_id=str(UUID(int=5)))
        assert "no draft to offer" not in await read(desk, talk)


async def test_a_program_may_ask_and_is_told_what_became_of_it(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        early = await desk.post(f"{talk}/ask", headers=STAFF)
        assert (early.status_code, "nothing to answer" in early.json()["detail"]) == (409, True)
        assert f">{BUTTON}<" not in await read(desk, talk)
        await escalate(conn)
        answers = [await desk.post(f"{talk}/ask", headers=STAFF) for _ in range(2)]
        assert [(one.status_code, one.json()["outcome"]) for one in answers] == [(200, "accepted"), (200, "repeated")]
        assert await conn.fetchval("select count(*) from message_queue where kind = 'draft'") == 1
        assert (await desk.post(f"/conversations/{UUID(int=7)}/ask", headers=STAFF)).status_code == 404
    assert await conn.fetchval("select count(*) from turns where lane like 'draft:%'") == 0, "no model in this process"


async def test_a_page_that_is_open_learns_of_the_draft(database_url: str, pool: Pool, conn: Connection) -> None:
    stamps = []
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        await escalate(conn)
        for step in ("ask", "write", "reject"):
            stamps.append((await read(desk, talk)).split('data-stamp="')[1].split('"')[0])
            if step == "ask":
                await press(desk, f"{talk}/ask")
            elif step == "write":
                await write(pool, conn, reply_with(ANSWER))
            else:
                await press(desk, f"{talk}/reject", draft=str(await conn.fetchval("select id from drafts")))
        stamps.append((await read(desk, talk)).split('data-stamp="')[1].split('"')[0])
    assert len(set(stamps)) == len(stamps)
