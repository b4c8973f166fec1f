"""Knowledge is mended in a real browser, on a phone and at a desk: written, changed, and the misled are corrected."""

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from db.pool import Connection
from tests.app.desk import ADMIN_TOKEN
from tests.db.test_knowledge_desk import NOTHING, ask, cite, open_talk, say
from tests.e2e.test_pages import browser, check_page, pytestmark, site

__all__ = ["browser", "pytestmark", "site"]

PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 900}


async def write_article(page: Page, site: str) -> None:
    await page.get_by_role("link", name="Write an article").click()
    await page.fill("#title", "Prices")
    await page.fill("#body", "Pro costs nine dollars a month.")
    await page.fill("#question", "What does Pro cost?")
    await page.get_by_role("button", name="Preview").click()
    await expect(page.get_by_text("Cut into 1 passage")).to_be_visible()
    await expect(page.locator("aside")).to_contain_text("version 1, score")
    await check_page(page)
    await page.get_by_role("button", name="Publish").click()
    await page.wait_for_url(f"{site}/knowledge/prices")
    await check_page(page)


async def propose_answer(page: Page, conn: Connection, site: str) -> None:
    talk = await open_talk(conn)
    await ask(conn, talk, "Do you ship to Peru?", NOTHING)
    await say(conn, talk, "We ship to Peru, Ana.", [], author="person")
    await page.goto(f"{site}/knowledge?tab=gaps")
    await check_page(page)
    await page.goto(f"{site}/conversations/{talk}")
    await page.get_by_role("button", name="Propose an article").click()
    await expect(page.get_by_role("status")).to_contain_text("the customer's name, ana")
    await check_page(page)
    await page.fill("#body", "We ship to Peru.")
    await page.get_by_role("button", name="Keep the proposal").click()
    await expect(page.get_by_role("list", name="Proposals")).to_contain_text("A new article")
    await check_page(page)


async def mend_and_correct(page: Page, conn: Connection, site: str) -> None:
    await say(conn, await open_talk(conn), "Nine dollars.", await cite(conn, "prices"))
    await page.goto(f"{site}/knowledge/prices")
    await page.fill("#body", "Pro costs ten dollars a month.")
    await page.get_by_role("button", name="Publish").click()
    await page.wait_for_url("**/misled")
    await check_page(page)
    await page.get_by_label("was told something wrong").check()
    await page.get_by_role("button", name="Draft corrections").click()
    await expect(page.get_by_role("status")).to_contain_text("1 correction waits")
    await check_page(page)
    await page.goto(f"{site}/knowledge/prices?from=1&to=2")
    await check_page(page)


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
async def test_an_article_is_written_and_mended_and_the_misled_are_corrected(
    browser: Browser, site: str, conn: Connection, viewport: ViewportSize
) -> None:
    page = await browser.new_page(viewport=viewport, bypass_csp=True)
    await page.goto(f"{site}/knowledge")
    await page.fill("#token", ADMIN_TOKEN)
    await page.get_by_role("button", name="Log in with the token").click()
    await write_article(page, site)
    await propose_answer(page, conn, site)
    await mend_and_correct(page, conn, site)
    assert "ten dollars" in await conn.fetchval("select body from drafts")
    await page.goto(f"{site}/knowledge")
    await check_page(page)
