"""The open page of a conversation in a real browser: what is typed is kept, what is said appears, and all is read."""

from playwright.async_api import Browser, expect

from db.pool import Connection
from tests.app.desk import FORM, Answer, answer_waiting
from tests.e2e.test_inbox_page import PHONE, ask, hand_over, log_in
from tests.e2e.test_pages import browser, check_page, pytestmark, site

__all__ = ["browser", "pytestmark", "site"]


async def test_what_is_typed_and_not_sent_outlives_every_other_button_and_a_reload(
    browser: Browser, site: str, conn: Connection
) -> None:
    team = await log_in(browser, site, conn, "kim@example.com")
    _, reference = await ask(browser, site)
    await hand_over(conn, reference)
    talk = await conn.fetchval("select id from conversations")
    await team.goto(f"{site}/conversations/{talk}")
    await team.fill("#message", "We have paid it back.")
    await team.get_by_role("button", name="Take it").click()
    await expect(team.locator("#actions")).to_contain_text("You have this conversation")
    await expect(team.locator("#message")).to_have_value("We have paid it back.")
    await team.fill("#note", "Second charge confirmed.")
    await team.reload()
    await expect(team.locator("#note")).to_have_value("Second charge confirmed.")
    await team.get_by_role("button", name="Keep the note").click()
    await expect(team.locator("#messages")).to_contain_text("Second charge confirmed.")
    await expect(team.locator("#note")).to_have_value("")
    await team.get_by_role("button", name="Send", exact=True).click()
    await expect(team.locator("#messages")).to_contain_text("We have paid it back.")
    await team.reload()
    await expect(team.locator("#message")).to_have_value("")


async def test_what_is_typed_outlives_a_button_that_is_refused(browser: Browser, site: str, conn: Connection) -> None:
    team = await log_in(browser, site, conn, "kim@example.com")
    _, reference = await ask(browser, site)
    await hand_over(conn, reference)
    talk = await conn.fetchval("select id from conversations")
    await team.goto(f"{site}/conversations/{talk}")
    await team.fill("#message", "Half an answ")
    await team.locator("#actions form[action$=snooze] [name=seen]").evaluate("field => { field.value = 0 }")
    await team.get_by_role("button", name="Put aside").click()
    await expect(team.get_by_role("alert")).to_contain_text("in the meantime")
    await expect(team.locator("#message")).to_have_value("Half an answ")


async def test_nobody_who_waits_is_put_away_by_one_key(browser: Browser, site: str, conn: Connection) -> None:
    team = await log_in(browser, site, conn, "kim@example.com")
    _, reference = await ask(browser, site)
    await hand_over(conn, reference)
    talk = await conn.fetchval("select id from conversations")
    await team.goto(f"{site}/conversations/{talk}")
    await team.keyboard.press("e")
    await team.keyboard.press("u")
    await team.wait_for_url("**/inbox")
    await expect(team.locator("#lines")).to_contain_text(FORM["name"])
    assert await conn.fetchval("select status from conversations") == "open"


async def test_a_long_story_begins_with_its_end_and_is_read_whole_on_demand(
    browser: Browser, site: str, conn: Connection
) -> None:
    team = await log_in(browser, site, conn, "kim@example.com", PHONE)
    _, reference = await ask(browser, site)
    await hand_over(conn, reference)
    await conn.execute(
        """
        insert into messages (conversation_id, customer_id, channel, direction, author, external_id, body, sent_at)
        select id, customer_id, channel, 'inbound', 'customer', 'old-' || n, 'Word ' || n, now() - n * interval '1 hour'
          from conversations, generate_series(1, 150) n
        """
    )
    talk = await conn.fetchval("select id from conversations")
    await team.goto(f"{site}/conversations/{talk}")
    said = team.locator("#messages > li .bubble")
    await expect(said).to_have_count(100)
    await expect(said.last).to_contain_text("Handed over.")
    await check_page(team)
    await team.get_by_role("link", name="Show what was said before").click()
    await expect(said).to_have_count(152)
    await expect(said.first).to_have_text("Word 150")
    await team.fill("#message", "Now I have read it all.")
    await team.get_by_role("button", name="Send", exact=True).click()
    await expect(said).to_have_count(153)
    await expect(said.first).to_have_text("Word 150")
    await expect(said.last).to_contain_text("Now I have read it all.")


async def test_what_is_said_with_the_customer_on_another_channel_appears_by_itself(
    browser: Browser, site: str, conn: Connection
) -> None:
    _, reference = await ask(browser, site)
    await hand_over(conn, reference)
    team = await log_in(browser, site, conn, "kim@example.com")
    await team.click("#lines a.open")
    await team.fill("#message", "half a sent")
    await conn.execute(
        """
        with talk as (
          insert into conversations (channel, thread_key, customer_id)
          select 'whatsapp', '+4915112345678', customer_id from conversations returning id)
        insert into messages (conversation_id, channel, direction, author, body)
        select id, 'whatsapp', 'inbound', 'customer', 'And by chat?' from talk
        """
    )
    await expect(team.locator("#messages")).to_contain_text("And by chat?", timeout=20_000)
    assert await team.input_value("#message") == "half a sent"


async def test_after_an_edited_draft_another_answer_can_be_sent_from_the_same_open_page(
    browser: Browser, site: str, conn: Connection
) -> None:
    await conn.execute("update channel_configs set mode = 'draft' where channel = 'web'")
    team = await log_in(browser, site, conn, "kim@example.com")
    await ask(browser, site)
    await answer_waiting(conn, Answer("What the agent suggests."))
    await team.goto(f"{site}/inbox")
    await team.click("#lines a.open >> nth=0")
    for text in ("What a person made of it.", "And one thing more."):
        await team.fill("#message", text)
        await team.get_by_role("button", name="Send", exact=True).click()
        await expect(team.locator("#messages")).to_contain_text(text)
        await expect(team.locator("#message")).to_have_value("")
        await expect(team.locator("#reply [name=draft], #reply .note")).to_have_count(0)
    said = await conn.fetch("select body from messages where direction = 'outbound' order by sent_at, id")
    assert [row["body"] for row in said] == ["What a person made of it.", "And one thing more."]
    assert await conn.fetchval("select array_agg(state) from drafts") == ["edited"]
