"""The ticket page: who may see it, what it shows its customer, and how the conversation goes on."""

import asyncio
import re
from typing import Any

import httpx2
import pytest

from agent.models.scripted import ScriptedModel
from db.drafts import list_pending
from db.pool import Connection, Pool
from tests.app.desk import FORM, HTML, STAFF, Answer, answer_waiting, find_conversation, open_desk
from tests.fakes import claim_now, make_runner, reply_with
from tests.worker.test_drafts import THANKS, approve, let_draft
from worker.deliver import Deliver

CITED = {"passage": 7, "version": 2, "slug": "plans-and-prices", "title": "Plans and prices", "url": None}


async def submit(desk: httpx2.AsyncClient, **changed: Any) -> str:
    """The path of a new ticket, with its token."""
    answer = await desk.post("/support/submit", json=FORM | changed)
    return str(answer.json()["status_url"]).removeprefix("http://localhost:8000")


def below(path: str, name: str) -> str:
    return path.replace("?", f"/{name}?")


async def write(desk: httpx2.AsyncClient, path: str, message: str, **headers: str) -> httpx2.Response:
    return await desk.post(below(path, "messages"), json={"message": message}, headers=headers)


async def test_ticket_is_shown_as_promised_before_and_after_the_answer(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        path = await submit(desk)
        before = (await desk.get(path)).json()
        await answer_waiting(conn, Answer(citations=[CITED]))
        after = (await desk.get(path)).json()
    assert {
        "ticket", "status", "category", "priority", "created_at", "first_response_due_at", "messages",
    } <= set(before)  # fmt: skip
    assert (before["status"], before["category"]) == ("open", "billing")
    [waiting] = before["messages"]
    assert waiting == {
        "id": waiting["id"], "direction": "inbound", "author": "customer", "text": FORM["message"], "citations": [],
        "sent_at": waiting["sent_at"], "delivery": None, "possible_duplicate": False,
    }  # fmt: skip
    assert after["status"] == "answered"
    assert after["messages"][0] == waiting  # the same message, now in the log
    reply = after["messages"][1]
    assert (reply["direction"], reply["author"], reply["delivery"]) == ("outbound", "agent", "sent")
    assert reply["citations"] == [
        {
            "title": "Plans and prices", "passage": 7, "version": 2,
            "url": "http://localhost:8000/help/plans-and-prices?version=2",
        }
    ]  # fmt: skip
    assert reply["sent_at"].endswith("Z")


async def test_unknown_reference_and_wrong_token_are_the_same_answer(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        path = await submit(desk)
        reference, token = path.split("/")[-1].split("?token=")
        other = await submit(desk)
        strangers = [
            f"/support/ticket/{reference}?token={'A' * 24}",
            f"/support/ticket/{reference}",
            f"/support/ticket/{reference}?token={other.split('=')[1]}",
            f"/support/ticket/TF-20200101-AAAA?token={token}",
            f"/support/ticket/TF-20200101-AAAA?token={'A' * 24}",
            f"/support/ticket/nonsense?token={token}",
            f"/support/ticket/{reference.lower()}?token={token}",
        ]
        answers = [await desk.get(url) for url in strangers]
        answers.append(await desk.get("/support/ticket/TF-20200101-AAAA", headers=STAFF))
        answers += [await desk.post(below(url, "messages"), json={"message": "x"}) for url in strangers if "?" in url]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1


async def test_staff_see_a_ticket_without_its_token(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        path = (await submit(desk)).split("?")[0]
        assert (await desk.get(path, headers=STAFF)).status_code == 200
        led = await desk.get(path, headers=STAFF | HTML)
        assert led.status_code == 303
        page = await desk.get(led.headers["location"], headers=STAFF | HTML)
        assert page.status_code == 200
        assert "token=" not in led.headers["location"] + led.text + page.text


async def test_page_gives_its_address_to_nobody(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        page = await desk.get(await submit(desk), headers=HTML)
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in page.headers["x-robots-tag"]
    assert page.headers["cache-control"] == "no-store"


async def test_page_shows_markup_as_text(database_url: str, conn: Connection) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    async with open_desk(database_url) as desk:
        path = await submit(desk, message=evil, subject=evil)
        await answer_waiting(conn, Answer(body=evil, citations=[CITED | {"title": evil}]))
        page = (await desk.get(path, headers=HTML)).text
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 4


async def test_page_tells_when_a_person_takes_over(database_url: str, conn: Connection) -> None:
    escalation = {
        "kind": "escalate", "category": "billing", "team": "billing", "assignee": None, "priority": 7,
        "priority_why": "rule", "reason": "billing_dispute", "handoff_note": "note", "due_at": "2099-01-05T10:00:00Z",
    }  # fmt: skip
    async with open_desk(database_url) as desk:
        path = await submit(desk)
        await answer_waiting(conn, Answer("Handed over.", kind="handoff", outcome="escalated", effects=[escalation]))
        page = (await desk.get(path, headers=HTML)).text
    assert "A colleague takes over." in page
    assert "5 January 2099, 10:00 UTC" in page
    assert "note" not in page.split("<main")[1].replace("noscript", "")


async def test_broken_promise_is_admitted(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        path = await submit(desk)
        await conn.execute("update tickets set first_response_due_at = now() - interval '1 hour'")
        assert "longer than we promised" in (await desk.get(path, headers=HTML)).text


async def test_conversation_goes_on_in_order(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        path = await submit(desk)
        await answer_waiting(conn)
        await conn.execute("update tickets set status = 'resolved', resolved_at = now()")
        answer = await write(desk, path, "One more thing")
        assert answer.status_code == 202
        ticket = (await desk.get(path)).json()
        assert [message["author"] for message in ticket["messages"]] == ["customer", "agent", "customer"]
        assert ticket["messages"][2]["text"] == "One more thing"
        assert ticket["status"] == "open"
        form = await desk.post(below(path, "messages"), data={"message": "And a form", "submission_id": "p"})
        assert (form.status_code, form.headers["location"]) == (303, path)
        assert (await desk.get(path)).json()["messages"][3]["text"] == "And a form"


async def test_message_that_failed_for_good_is_still_shown(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        path = await submit(desk)
        await conn.execute(
            """
            with dead as (delete from message_queue returning *)
            insert into dead_letters (lane, kind, dedupe_key, payload, attempts, error, created_at)
            select lane, kind, dedupe_key, payload, 5, 'poison', created_at from dead
            """
        )
        assert [message["text"] for message in (await desk.get(path)).json()["messages"]] == [FORM["message"]]


@pytest.mark.parametrize("delivery", ["pending", "cancelled"])
async def test_draft_is_not_shown_to_the_customer(database_url: str, conn: Connection, delivery: str) -> None:
    async with open_desk(database_url) as desk:
        path = await submit(desk)
        await answer_waiting(conn, Answer(delivery=delivery))
        assert [message["author"] for message in (await desk.get(path)).json()["messages"]] == ["customer"]


async def test_follow_up_sent_twice_is_stored_once(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        path = await submit(desk)
        key = {"Idempotency-Key": "k"}
        first = await write(desk, path, "Again", **key)
        second = await write(desk, path, "Again", **key)
        assert (first.status_code, second.status_code) == (202, 202)
        assert first.json() == second.json()
        await conn.execute("update lanes set run_at = now()")
        await answer_waiting(conn)
        assert (await write(desk, path, "Again", **key)).status_code == 202  # also once it is in the log
        assert (await write(desk, path, "Another text", **key)).status_code == 422
        texts = [message["text"] for message in (await desk.get(path)).json()["messages"]]
    assert texts.count("Again") == 1
    assert "Another text" not in texts
    assert await conn.fetchval("select sum(pending) from lanes") == 0


async def test_same_key_on_two_tickets_is_two_messages(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        for path in [await submit(desk), await submit(desk)]:
            assert (await write(desk, path, "Again", **{"Idempotency-Key": "k"})).status_code == 202
    assert await conn.fetchval("select count(*) from message_queue") == 4


async def test_many_follow_ups_wait_their_turn(database_url: str, conn: Connection) -> None:
    await conn.execute("update channel_configs set rate_per_address = 2")
    async with open_desk(database_url) as desk:
        path = await submit(desk)
        answers = [await write(desk, path, f"number {number}") for number in range(3)]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        page = await desk.post(below(path, "messages"), data={"message": "my long text"}, headers=HTML)
        assert page.status_code == 429
        assert "my long text" in page.text
        assert int(page.headers["retry-after"]) > 0


async def test_bad_follow_up_gives_the_text_back(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        path = await submit(desk)
        assert (await write(desk, path, "  ")).status_code == 422
        page = await desk.post(below(path, "messages"), data={"message": "bad \x07 text"}, headers=HTML)
        assert page.status_code == 422
        assert "bad \x07 text" in page.text
        assert 'role="alert"' in page.text
    assert await conn.fetchval("select count(*) from message_queue") == 1


async def test_ticket_of_another_channel_is_read_only(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        path = await submit(desk)
        await conn.execute("update conversations set channel = 'gmail'")
        assert "answer where we wrote to you" in (await desk.get(path, headers=HTML)).text
        assert (await write(desk, path, "x")).status_code == 404


async def test_head_of_the_event_stream_ends(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        answer = await desk.head(below(await submit(desk), "events"))
    assert answer.headers["content-type"].startswith("text/event-stream")
    await asyncio.sleep(0)


async def test_what_staff_write_is_a_persons_answer_and_the_agent_is_silent_from_then_on(
    database_url: str, conn: Connection
) -> None:
    async with open_desk(database_url) as desk:
        body = (await desk.post("/support/submit", json=FORM)).json()
        path = f"/support/ticket/{body['ticket']}"
        answer = {"message": "I am Jane. It is done."}
        for _ in range(2):
            sent = await desk.post(f"{path}/messages", json=answer, headers=STAFF | {"Idempotency-Key": "k"})
            assert sent.status_code == 202
        messages = (await desk.get(body["status_url"])).json()["messages"]
        page = await desk.get(body["status_url"], headers=HTML)
    ours = [message for message in messages if message["direction"] == "outbound"]
    assert [(message["author"], message["text"]) for message in ours] == [("person", answer["message"])]
    assert "team" in page.text
    talk = await conn.fetchrow("select handler, epoch, waiting_since from conversations")
    assert talk is not None
    assert tuple(talk) == ("human", 1, None)
    assert await conn.fetchval("select first_response_met_at is not null from tickets")


async def test_staff_with_a_wrong_link_do_not_write_as_the_customer(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        body = (await desk.post("/support/submit", json=FORM)).json()
        path = f"/support/ticket/{body['ticket']}/messages?token=wrong"
        assert (await desk.post(path, json={"message": "Hello"}, headers=STAFF)).status_code == 202
    assert await conn.fetchval("select author from messages") == "person"


async def test_nothing_looks_as_if_an_answer_were_being_written_while_a_person_has_it(
    database_url: str, conn: Connection
) -> None:
    async with open_desk(database_url) as desk:
        path = await submit(desk)
        talk = await find_conversation(desk, path.split("/")[-1].split("?")[0])
        for address, more in ((path, {}), (talk, STAFF)):
            assert 'class="working "' in (await desk.get(address, headers=HTML | more)).text
        await desk.post(f"{talk}/take-over", headers=STAFF)
        for address, more in ((path, {}), (talk, STAFF)):
            assert 'class="working done"' in (await desk.get(address, headers=HTML | more)).text


@pytest.mark.parametrize("words", [THANKS, "Thanks a lot for writing."])
async def test_what_somebody_approved_or_changed_is_the_teams_word(
    database_url: str, pool: Pool, conn: Connection, words: str
) -> None:
    async with open_desk(database_url) as desk:
        path = await submit(desk)
        await answer_waiting(conn)
        await let_draft(conn)
        await write(desk, path, "Hello there")
        await make_runner(pool, ScriptedModel([reply_with(THANKS)])).run(await claim_now(conn, "web:"))
        [draft] = await list_pending(conn, await conn.fetchval("select id from conversations"))
        await approve(conn, draft, text=words)
        await Deliver(pool, {}, "TF").run(await claim_now(conn, "out:"))
        page = (await desk.get(path, headers=HTML)).text
        told = (await desk.get(path)).json()["messages"]
    names = [name.rpartition(" ")[2] for name in re.findall(r'class="author">([^<]+)<', page)]
    assert names == ["You", "assistant", "You", "team"]
    assert [message["author"] for message in told] == ["customer", "agent", "customer", "agent"]
