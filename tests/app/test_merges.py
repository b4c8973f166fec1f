"""The part of a conversation's page that makes two customers one, and two again."""

import re
from dataclasses import dataclass

import httpx2

from app.same_person import list_mentioned
from db.pool import Connection, Pool
from tests.app.desk import HTML, STAFF, open_desk
from tests.app.people import add_machine
from tests.worker.two_customers import CHAT, FORM, MAIL, chat, fill_in_form, find_owner, mail

BROWSER = STAFF | HTML
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Page:
    """A conversation's page in a browser of the team."""

    desk: httpx2.AsyncClient
    own: str

    async def read(self) -> str:
        """The part that asks whether it is the same person."""
        page = await self.desk.get(self.own, headers=BROWSER)
        assert page.status_code == 200, page.text
        return page.text[page.text.index('id="same"') :]

    async def press(self, path: str, **fields: str) -> httpx2.Response:
        return await self.desk.post(f"{self.own}/merges{path}", data=fields, headers=BROWSER | FORM_TYPE)

    async def decide(self, decision: str) -> httpx2.Response:
        """The button of that name on the page."""
        found = re.search(rf"/merges/([0-9a-f-]+)/{decision}\"", await self.read())
        assert found, decision
        return await self.press(f"/{found[1]}/{decision}")


async def test_two_customers_become_one_story_on_the_page_and_two_again(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    by_mail, by_chat = await mail(pool, conn), await chat(pool, conn)
    kept, other = await find_owner(conn, by_mail), await find_owner(conn, by_chat)
    async with open_desk(database_url) as desk:
        page, theirs = Page(desk, f"/conversations/{by_mail}"), Page(desk, f"/conversations/{by_chat}")
        proposed = await page.press("", other="+49 151 1234-5678", reason="Same <b>order</b>")
        assert (proposed.status_code, proposed.headers["location"]) == (303, f"{page.own}#same")
        for shown in (await page.read(), await theirs.read()):
            assert "Same &lt;b&gt;order&lt;/b&gt;" in shown
        assert await find_owner(conn, by_chat) == other
        assert (await page.decide("accept")).status_code == 303
        assert await find_owner(conn, by_chat) == kept
        assert "1 conversation moved" in await theirs.read()
        assert "another conversation" in (await desk.get(page.own, headers=BROWSER)).text
        assert (await theirs.decide("undo")).status_code == 303
        assert await find_owner(conn, by_chat) == other
        assert "Was merged with" in await page.read()
        assert "another conversation" not in (await desk.get(page.own, headers=BROWSER)).text


async def test_what_cannot_be_merged_is_said_with_what_was_typed_still_there(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    by_mail = await mail(pool, conn)
    async with open_desk(database_url) as desk:
        page = Page(desk, f"/conversations/{by_mail}")
        for other, status, words in (
            ("nobody@example.com", 409, "Nobody wrote to us from that address"), (MAIL, 409, "this customer already"),
            ("", 422, "Please fill this in."),
        ):  # fmt: skip
            refused = await page.press("", other=other, reason="It is her")
            assert refused.status_code == status
            assert words in refused.text
            assert f'value="{other}"' in refused.text
            assert 'value="It is her"' in refused.text


async def test_a_decision_that_somebody_has_made_is_told_and_not_made_again(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    by_mail, _ = await mail(pool, conn), await chat(pool, conn)
    async with open_desk(database_url) as desk:
        page = Page(desk, f"/conversations/{by_mail}")
        await page.press("", other=CHAT)
        said = await conn.fetchval("select id from customer_merges")
        assert (await page.decide("decline")).status_code == 303
        late = await page.press(f"/{said}/accept")
        assert (late.status_code, "Somebody was faster" in late.text) == (409, True)
        assert "Not the same person as" in await page.read()


async def test_a_program_may_propose_and_undo_but_not_say_that_two_are_one(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    by_mail, by_form = await mail(pool, conn), await fill_in_form(pool, conn)
    machine = await add_machine(conn, "write")
    ticket = await conn.fetchval("select reference from tickets where conversation_id = $1", by_form)
    async with open_desk(database_url) as desk:
        own = f"/conversations/{by_mail}/merges"
        proposed = await desk.post(own, json={"other": ticket}, headers=machine)
        told = proposed.json()
        assert (proposed.status_code, told["outcome"]) == (200, "accepted")
        assert (await desk.post(own, json={"other": FORM}, headers=machine)).status_code == 409
        assert (await desk.post(f"{own}/{told['merge']}/accept", headers=machine)).status_code == 403
        assert (await desk.post(f"{own}/{told['merge']}/accept", headers=STAFF)).json() == told
        assert (await desk.post(f"{own}/{told['merge']}/undo", headers=machine)).status_code == 200
        for path in ("018f0000-0000-7000-8000-000000000000/undo", f"{told['merge']}/burn", "x/undo"):
            assert (await desk.post(f"{own}/{path}", headers=STAFF)).status_code == 404


async def test_whoever_is_mentioned_or_called_the_same_is_suggested_on_the_page(
    database_url: str, pool: Pool, conn: Connection
) -> None:
    by_mail = await mail(pool, conn)
    await mail(pool, conn, "lena.roth@work.example")
    await chat(pool, conn)
    await conn.execute("update messages set body = $2 where conversation_id = $1", by_mail, f"I am {CHAT}, too.")
    async with open_desk(database_url) as desk:
        page = Page(desk, f"/conversations/{by_mail}")
        shown = await page.read()
        assert f'name="other" value="{CHAT}"' in shown
        assert 'name="other" value="lena.roth@work.example"' in shown
        await page.press("", other=CHAT)
        assert f'name="other" value="{CHAT}"' not in await page.read()


async def test_before_anybody_knows_who_writes_nothing_is_asked(database_url: str, conn: Connection) -> None:
    talk = await conn.fetchval(
        "insert into conversations (channel, thread_key) values ('gmail', 't:x@example.com') returning id"
    )
    async with open_desk(database_url) as desk:
        page = await desk.get(f"/conversations/{talk}", headers=BROWSER)
        refused = await Page(desk, f"/conversations/{talk}").press("", other=MAIL)
    assert 'id="same"' not in page.text
    assert refused.status_code == 409


def test_addresses_and_numbers_are_found_in_what_people_write() -> None:
    texts = ["Write to Ana.Lima@Example.com, or call +49 (151) 123 456-78.", "ana.lima@example.com again; @x, a@b, +12"]
    assert list_mentioned(texts) == ["ana.lima@example.com", "+4915112345678"]
    assert list_mentioned(["a" * 100_000, "+" + "1" * 100_000, "a@b" * 50_000]) == []
