"""The team's page of a conversation: what it shows, and what can be done there."""

import re

import httpx2
import pytest

from db.pool import Connection
from tests.app.desk import FORM, HTML, STAFF, Answer, answer_waiting, find_conversation, open_desk

ESCALATION = {
    "kind": "escalate", "category": "billing", "team": "billing", "assignee": None, "priority": 7,
    "priority_why": "rule", "reason": "billing_dispute", "handoff_note": "Two invoices\nMood: negative",
    "due_at": "2099-01-05T10:00:00Z",
}  # fmt: skip
BROWSER = STAFF | HTML


async def submit(desk: httpx2.AsyncClient) -> tuple[str, str]:
    """The path of a new ticket with its token, and the address of its conversation."""
    body = (await desk.post("/support/submit", json=FORM)).json()
    path = str(body["status_url"]).removeprefix("http://localhost:8000")
    return path, await find_conversation(desk, body["ticket"])


async def press(desk: httpx2.AsyncClient, address: str, **fields: str) -> httpx2.Response:
    """A button of the page, pressed in a browser."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return await desk.post(address, data=fields, headers=BROWSER | kind)


async def read(desk: httpx2.AsyncClient, address: str) -> str:
    page = await desk.get(address, headers=BROWSER)
    assert page.status_code == 200, page.text
    return page.text


async def escalate(conn: Connection) -> None:
    handoff = Answer("Handed over.", kind="handoff", outcome="escalated", effects=[ESCALATION])
    assert await answer_waiting(conn, handoff) == 1


async def test_a_person_takes_a_conversation_over_and_gives_it_back(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        path, talk = await submit(desk)
        page, token = path.split("?")
        for stranger in ("", f"?{token}"):
            assert (await desk.post(f"{talk}/take-over{stranger}")).status_code == 401
        assert "Take over" in await read(desk, talk)
        assert "Take over" not in (await desk.get(path, headers=HTML)).text
        taken = await desk.post(f"{talk}/take-over", headers=STAFF)
        told = {"conversation": talk.split("/")[-1], "outcome": "accepted"}
        assert (taken.status_code, taken.json()) == (200, told)
        assert await conn.fetchval("select handler from conversations") == "human"
        await desk.post(f"{page}/messages", json={"message": "Jane here, it is done."}, headers=STAFF)
        given = await desk.post(f"{talk}/hand-back", headers=STAFF)
        assert (given.status_code, given.json()) == (200, told)
        assert await conn.fetchval("select handler from conversations") == "agent"
        again = await desk.post(f"{talk}/hand-back", headers=STAFF)
        assert (again.status_code, again.json()["outcome"]) == (200, "repeated")
    assert await conn.fetchval("select status from tickets") == "answered"


async def test_a_button_leads_back_to_the_page(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        for button in ("take-over", "resolve"):
            pressed = await press(desk, f"{talk}/{button}")
            assert (pressed.status_code, pressed.headers["location"]) == (303, talk)


async def test_giving_back_what_is_owed_an_answer_leads_back_to_the_conversation(
    database_url: str, conn: Connection
) -> None:
    words = "The customer&#39;s last message has no answer yet. Answer it first."
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        await escalate(conn)
        owed = await desk.post(f"{talk}/hand-back", headers=STAFF)
        assert (owed.status_code, owed.headers["content-type"]) == (409, "application/problem+json")
        shown = await press(desk, f"{talk}/hand-back")
    assert shown.status_code == 409
    assert words in shown.text
    assert f'data-self="{talk}"' in shown.text
    assert FORM["message"] in shown.text


async def test_a_draft_is_not_sent_by_a_program_that_does_not_say_what_it_had_read(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        answer = {"message": "Like this.", "draft": "0193ed29-2528-7b05-6351-423abf8103ec"}
        refused = await desk.post(f"{talk}/answer", json=answer, headers=STAFF)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "seen")


@pytest.mark.parametrize("act", ["resolve", "snooze"])
async def test_what_the_customer_wrote_meanwhile_is_not_put_away_unseen(
    database_url: str, conn: Connection, act: str
) -> None:
    async with open_desk(database_url) as desk:
        path, talk = await submit(desk)
        await escalate(conn)
        page = await read(desk, talk)
        found = re.search(rf'action="{talk}/{act}"[^>]*><input type="hidden" name="seen" value="(\d+)">', page)
        assert found
        await desk.post(path.replace("?", "/messages?"), json={"message": "All of it is gone now!"})
        refused = await press(desk, f"{talk}/{act}", seen=found[1], hours="4")
        assert (refused.status_code, "All of it is gone now!" in refused.text) == (409, True)
        assert await conn.fetchval("select count(*) from inbox where snoozed_until is null") == 1


async def test_the_team_reads_what_it_must_know_and_the_customer_does_not(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        path, talk = await submit(desk)
        early = await read(desk, talk)
        await escalate(conn)
        ours = await read(desk, talk)
        theirs = (await desk.get(path, headers=HTML)).text
    who = "<bdi>Ana Pérez</bdi>, <bdi>ana@example.com</bdi>"  # each may run in a direction of its own
    facts = [f">{fact}</dd>" for fact in (who, "Web", "7 of 10: rule", "billing dispute")]
    for fact in (*facts, ">Two invoices\nMood: negative</p>"):
        assert fact in ours
        assert fact not in theirs
    assert f">{who}</dd>" in early
    assert "The customer waits for billing, by 5 January 2099, 10:00 UTC." in ours
    assert 'href="/metrics/channels"' in ours
    assert "/logout" in ours
    assert "/logout" not in theirs


async def test_the_team_reads_why_a_reply_did_not_arrive(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        path, talk = await submit(desk)
        await answer_waiting(conn)
        await conn.execute("update conversations set channel = 'whatsapp', waiting_since = now()")
        await conn.execute(
            "update messages set delivery = 'failed', delivery_error = 'Twilio 63016' where direction = 'outbound'"
        )
        assert "Not delivered: Twilio 63016" in await read(desk, talk)
        assert "63016" not in (await desk.get(path, headers=HTML)).text


@pytest.mark.parametrize(
    ("delivery", "twice", "words"),
    [
        ("pending", False, "waiting to be sent"),
        ("failed", False, "could not be delivered"),
        ("sent", True, "perhaps twice"),
    ],
)
async def test_the_team_sees_how_far_a_reply_got(
    database_url: str, conn: Connection, delivery: str, twice: bool, words: str
) -> None:
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        await answer_waiting(conn)
        await conn.execute("update conversations set channel = 'whatsapp'")
        await conn.execute(
            "update messages set channel = 'whatsapp', delivery = $1, possible_duplicate = $2 where author = 'agent'",
            delivery,
            twice,
        )
        assert words in await read(desk, talk)


async def test_a_message_keeps_its_place_on_the_open_page_when_the_assistant_takes_it_up(
    database_url: str, conn: Connection
) -> None:
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        [waiting] = re.findall(r'id="(m-[^"]+)"', await read(desk, talk))
        await answer_waiting(conn)
        assert re.findall(r'id="(m-[^"]+)"', await read(desk, talk))[0] == waiting


async def test_the_team_reads_a_message_that_failed_for_good(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        await conn.execute(
            """
            with dead as (delete from message_queue returning *)
            insert into dead_letters (lane, kind, dedupe_key, payload, attempts, error, created_at)
            select lane, kind, dedupe_key, payload, 5, 'poison', created_at from dead
            """
        )
        page = await read(desk, talk)
    assert FORM["message"] in page
    assert "not read by the assistant yet" not in page


@pytest.mark.parametrize(("action", "box"), [("answer", "message"), ("note", "note")])
async def test_what_cannot_be_taken_comes_back_where_it_was_typed(database_url: str, action: str, box: str) -> None:
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        page = await press(desk, f"{talk}/{action}", message="bad \x07 text")
    assert page.status_code == 422
    boxes = dict(re.findall(r'<textarea id="(\w+)"[^>]*>\s*([^<]*)</textarea>', page.text))
    assert boxes == {"message": "", "note": ""} | {box: "bad \x07 text"}
    assert 'role="alert"' in page.text


@pytest.mark.parametrize(
    ("before", "after"), [(("delivered", None), ("read", None)), (("pending", None), ("pending", "Twilio 63016"))]
)
async def test_the_open_page_learns_how_a_reply_fared(
    database_url: str, conn: Connection, before: tuple[str, str | None], after: tuple[str, str | None]
) -> None:
    change = "update messages set delivery = $1, delivery_error = $2 where author = 'agent'"
    async with open_desk(database_url) as desk:
        _, talk = await submit(desk)
        await answer_waiting(conn)
        stamps = []
        for state in (before, before, after):
            await conn.execute(change, *state)
            stamps += re.findall(r'data-stamp="(\w+)"', await read(desk, talk))
    assert stamps[0] == stamps[1]
    assert stamps[1] != stamps[2]
