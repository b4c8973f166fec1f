"""Promises about the pages that say why something was not done: they are for whoever reads them, and lead on."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response

from app.access import public, staff
from app.problems import Problem
from db.pool import Connection
from tests.app.desk import FORM, HTML, STAFF, find_conversation, open_desk
from tests.app.people import add_person, open_browser

NAVIGATION = 'aria-label="For the team"'
GONE = "This invitation was used already, or has ended. Log in, or ask for a new one."
OVER = "Your session is over. Log in and do it again."


async def fail(request: Request) -> Response:
    status = int(request.query_params["status"])
    if status == 500:
        raise RuntimeError
    raise Problem(status)


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    more = [staff("/failing", fail), staff("/for-admins", fail, role="admin"), public("/open", fail)]
    async with open_desk(database_url, more=more) as client:
        yield client


async def submit(desk: httpx2.AsyncClient) -> str:
    """The address of the conversation's page."""
    sent = await desk.post("/support/submit", json=FORM)
    return await find_conversation(desk, sent.json()["ticket"])


# A session that is over


@pytest.mark.parametrize("action", ["answer", "note", "take-over", "merges"])
async def test_a_button_pressed_after_the_session_ended_leads_to_the_log_in_and_back(
    desk: httpx2.AsyncClient, conn: Connection, action: str
) -> None:
    path = await submit(desk)
    browser = HTML | await open_browser(conn, await add_person(conn))
    await conn.execute("update sessions set ended_at = now()")
    page = await desk.post(f"{path}/{action}", data={"message": "Hello"}, headers=browser)
    assert page.status_code == 401
    assert OVER in page.text
    assert f'href="/login?next={path.replace("/", "%2F")}"' in page.text
    assert "Write to us" not in page.text
    assert NAVIGATION not in page.text


async def test_the_message_that_a_script_shows_has_the_link_in_it(desk: httpx2.AsyncClient) -> None:
    page = (await desk.post(f"{await submit(desk)}/answer", data={"message": "Hello"}, headers=HTML)).text
    shown = page.partition('id="problem"')[2].partition("</div>")[0]
    assert OVER in shown
    assert 'href="/login?next=' in shown


@pytest.mark.parametrize(
    ("referer", "target"),
    [
        ("http://localhost:8000/inbox?status=open", "/inbox?status=open"),
        ("http://localhost:8000/conversations/{id}?shown=400", "/conversations/{id}?shown=400"),
        ("http://localhost:8000/conversations/{id}/note", "/conversations/{id}"),
        ("https://evil.example/inbox", "/conversations/{id}"),
        ("https://evil.example:x/inbox", "/conversations/{id}"),
        ("http://localhost:8000//evil.example/", "/conversations/{id}"),
        ("http://localhost:8000/login?next=/audit", "/conversations/{id}"),
        ("", "/conversations/{id}"),
    ],
)
async def test_the_log_in_leads_back_to_the_page_and_never_elsewhere(
    desk: httpx2.AsyncClient, referer: str, target: str
) -> None:
    path = await submit(desk)
    headers = HTML | {"Referer": referer.replace("/conversations/{id}", path)}
    page = await desk.post(f"{path}/note", data={"message": "Hello"}, headers=headers)
    link = page.text.partition('href="/login?next=')[2].partition('"')[0]
    assert httpx2.URL(f"/?next={link}").params["next"] == target.replace("/conversations/{id}", path)


async def test_a_program_without_a_key_is_told_as_before(desk: httpx2.AsyncClient) -> None:
    answer = await desk.post("/conversations/018f0000-0000-7000-8000-000000000000/note", json={"message": "Hello"})
    assert (answer.status_code, answer.json()["detail"]) == (401, "This is for the team. Log in, or send a key.")


# For the team


@pytest.mark.parametrize("status", [403, 404, 409, 429, 500, 503])
async def test_an_error_shown_to_the_team_has_its_navigation_and_leads_back(
    desk: httpx2.AsyncClient, conn: Connection, status: int
) -> None:
    browser = HTML | await open_browser(conn, await add_person(conn))
    page = await desk.get(f"/failing?status={status}", headers=browser)
    assert page.status_code == status
    assert NAVIGATION in page.text
    assert '<a class="button" href="/inbox">' in page.text
    assert "Write to us" not in page.text


@pytest.mark.parametrize("path", ["/for-admins", "/nothing/there", "/open?status=404", "/failing/with/more"])
async def test_whoever_is_logged_in_keeps_the_navigation_wherever_they_went_wrong(
    desk: httpx2.AsyncClient, conn: Connection, path: str
) -> None:
    browser = HTML | await open_browser(conn, await add_person(conn))
    page = await desk.get(path, headers=browser)
    assert page.status_code in (403, 404)
    assert NAVIGATION in page.text
    assert "Write to us" not in page.text


@pytest.mark.parametrize("path", ["/nothing", "/open?status=409", "/open?status=500"])
async def test_a_customer_is_led_to_the_form(desk: httpx2.AsyncClient, path: str) -> None:
    page = await desk.get(path, headers=HTML)
    assert '<a class="button" href="/">Write to us</a>' in page.text
    assert NAVIGATION not in page.text


# Links that lead nowhere


async def test_an_invitation_that_cannot_be_used_says_why_and_leads_to_the_log_in(
    desk: httpx2.AsyncClient, conn: Connection
) -> None:
    async def invite(email: str) -> str:
        made = await desk.post("/team/invitations", json={"email": email}, headers=STAFF)
        return "/invitations/" + str(made.json()["link"]).rpartition("/")[2]

    used, withdrawn, expired = [await invite(f"{name}@example.com") for name in "abc"]
    await conn.execute("update invitations set used_at = now() where email = 'a@example.com'")
    await desk.post("/team/invitations/withdraw", json={"email": "b@example.com"}, headers=STAFF)
    await conn.execute("update invitations set expires_at = now() - interval '1 second' where email = 'c@example.com'")
    links = (used, withdrawn, expired, "/invitations/" + "A" * 43, "/invitations/x")
    pages = [await desk.get(link, headers=HTML) for link in links]
    assert {page.status_code for page in pages} == {404}
    [text] = {page.text for page in pages}
    assert GONE in text
    assert '<a class="button" href="/login">' in text
    assert "Not Found" not in text
    assert {(await desk.get(link)).json()["detail"] for link in links} == {GONE}


async def test_a_ticket_link_that_is_cut_is_told_the_same_as_any_other_that_opens_nothing(
    desk: httpx2.AsyncClient,
) -> None:
    sent = (await desk.post("/support/submit", json=FORM)).json()
    whole = sent["status_url"].partition("8000")[2]
    ticket = sent["ticket"]
    links = [
        whole[:-3], f"/support/ticket/{ticket}", f"/support/ticket/{ticket}?token=x", whole.replace(ticket, "TF-1"),
        whole.replace(ticket, "TF-20260101-ABCD"),
    ]  # fmt: skip
    pages = [await desk.get(link, headers=HTML) for link in links]
    assert {page.status_code for page in pages} == {404}
    [text] = {page.text for page in pages}
    assert "There is nothing here. The link may be incomplete" in text
    sent_to = [link.replace("?", "/messages?") for link in links[2:]]
    answers = [(await desk.post(link, json={"message": "Hello"})).json()["detail"] for link in sent_to]
    team = await desk.get("/support/ticket/TF-20260101-ABCD", headers=STAFF)
    [detail] = {*answers, team.json()["detail"]}
    assert detail in text
