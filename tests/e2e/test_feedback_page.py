"""A customer says in a real browser how content they were: by keyboard, without scripts, in their own language."""

import httpx2
import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from app.customer_words import say
from db.pool import Connection
from tests.app.test_feedback import ask
from tests.e2e.test_pages import browser, check_page, pytestmark, site
from tests.e2e.test_people_pages import DESK, PHONE

__all__ = ["browser", "pytestmark", "site"]


async def open_link(browser: Browser, site: str, conn: Connection, viewport: ViewportSize, language: str) -> Page:
    """The page of somebody who was asked in this language."""
    async with httpx2.AsyncClient(base_url=site) as desk:
        link, _ = await ask(desk, conn)
    await conn.execute("update csat set language = $1", language)
    page = await browser.new_page(viewport=viewport, bypass_csp=True)
    await page.goto(site + link)
    await check_page(page)
    return page


@pytest.mark.parametrize("language", ["en", "de", "ar"])
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
async def test_a_customer_gives_a_mark_and_a_comment_by_keyboard(
    browser: Browser, site: str, conn: Connection, viewport: ViewportSize, language: str
) -> None:
    page = await open_link(browser, site, conn, viewport, language)
    await expect(page.get_by_role("heading", level=1)).to_have_text(say("question", language))
    for _ in range(4):  # the way past the content, the company, the best mark, the second
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    mark = say("mark_4", language)
    await expect(page.get_by_role("status")).to_contain_text(say("answered", language, mark=mark))
    await expect(page.get_by_role("button", name=mark, exact=True, pressed=True)).to_be_visible()
    await check_page(page)
    await page.get_by_label(say("why", language)).fill("Quick!")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text(say("commented", language))
    await check_page(page)
    row = await conn.fetchrow("select score, comment from csat")
    assert tuple(row or ()) == (4, "Quick!")


async def test_the_page_runs_in_the_direction_of_its_language(browser: Browser, site: str, conn: Connection) -> None:
    page = await open_link(browser, site, conn, PHONE, "ar")
    brand = await page.locator(".brand img").bounding_box()
    assert brand is not None
    assert brand["x"] > PHONE["width"] / 2
