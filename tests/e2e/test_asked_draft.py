"""A draft is asked for in a real browser and written by the real worker: edited, then sent by the person who asked."""

import re

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from app.knowledge_files import SAMPLE_COMPANY, import_files
from db.pool import Connection, Pool
from tests.e2e.desk import process, until
from tests.e2e.test_inbox_page import DESK, PHONE, log_in
from tests.e2e.test_pages import browser, check_page, pytestmark, site
from tests.fakes import list_replies, submit

__all__ = ["browser", "pytestmark", "site"]

QUESTION = "How do I reset my password? And I want to talk to a person."


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_a_draft_appears_where_it_was_asked_for_and_is_sent_in_the_words_of_whoever_asked(
    browser: Browser, site: str, database_url: str, pool: Pool, conn: Connection, size: ViewportSize
) -> None:
    await import_files(pool, [SAMPLE_COMPANY])
    reference = await submit(conn, QUESTION)
    async with process("worker", database_url):
        [handed_over] = await until(lambda: list_replies(conn, reference))
        team = await log_in(browser, site, conn, "kim@example.com", size)
        await team.click("#lines a.open")
        await expect(team.locator("#ask button")).to_be_visible()
        await check_page(team)
        await team.get_by_role("button", name="Ask for a draft").click()
        await expect(team.locator("#reply .note")).to_contain_text("Alone it would have handed this over")
        await expect(team.locator("#asked")).to_contain_text("The draft is in the box")
        await check_page(team)
        assert await list_replies(conn, reference) == [handed_over]
        await team.fill("#message", "In my own words: choose Forgot your password?")
        await team.get_by_role("button", name="Send", exact=True).click()
        await expect(team.locator("#messages")).to_contain_text("In my own words")
        await expect(team.locator("#reply .note")).to_have_count(0)
        await until(lambda: conn.fetchval("select delivery = 'sent' from messages where author = 'person'"))
    assert await conn.fetchval("select state from drafts where source = 'asked'") == "edited"


async def test_what_somebody_has_begun_to_write_stays_when_a_draft_is_asked_for_by_its_key(
    browser: Browser, site: str, database_url: str, pool: Pool, conn: Connection
) -> None:
    await import_files(pool, [SAMPLE_COMPANY])
    reference = await submit(conn, QUESTION)
    async with process("worker", database_url):
        await until(lambda: list_replies(conn, reference))
        team = await log_in(browser, site, conn, "kim@example.com")
        await team.click("#lines a.open")
        await team.fill("#message", "Half a sent")
        await team.locator("h1").click()
        await team.keyboard.press("d")
        await expect(team.locator("#asked")).to_contain_text("The draft is in the box. If you had begun")
        assert await team.input_value("#message") == "Half a sent"
        await team.reload()
        await expect(team.locator("#message")).to_have_value(re.compile("password"))
        await team.get_by_role("button", name="Put back what you had typed").click()
        await expect(team.locator("#message")).to_have_value("Half a sent")
        await expect(team.locator("#reply [name=draft]")).to_have_count(0)
