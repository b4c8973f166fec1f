"""The pages in a real browser: without scripts, with them, on a phone, and for people who do not see them."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, ViewportSize, async_playwright, expect

from db.pool import Connection
from db.queue import REPLY_CHANNEL, notify
from tests.app.desk import ADMIN_TOKEN, FORM, Answer, answer_waiting
from tests.app.test_serving import open_server

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None and "REQUIRE_CHROMIUM" not in os.environ, reason="chromium is not installed"
)
"""Where a browser is required, a missing one is a failure, not a skip."""

PHONE: ViewportSize = {"width": 360, "height": 740}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield opened
        await opened.close()


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[str]:
    async with open_server(database_url) as (client, _):
        yield str(client.base_url).rstrip("/")


async def fill_in(page: Page, site: str) -> None:
    await page.goto(site)
    for name in ("name", "email", "subject", "message"):
        await page.fill(f"#{name}", FORM[name])
    await page.click("form button[type=submit]")
    await page.wait_for_url("**/support/ticket/**")


async def test_form_and_ticket_work_without_scripts(browser: Browser, site: str, conn: Connection) -> None:
    page = await browser.new_page(java_script_enabled=False, viewport=PHONE)
    await fill_in(page, site)
    assert await page.locator(".message").count() == 1
    await answer_waiting(conn, Answer("The answer."))
    await page.click("noscript a, a:text('Reload')")
    assert "The answer." in await page.inner_text("#messages")
    await page.fill("#message", "And without scripts?")
    await page.click("#reply button")
    assert "And without scripts?" in await page.inner_text("#messages")


async def test_answer_appears_by_itself_and_leaves_what_is_being_typed(
    browser: Browser, site: str, conn: Connection
) -> None:
    page = await browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await fill_in(page, site)
    await page.fill("#message", "half a sent")
    await answer_waiting(conn, Answer("The answer."))
    await notify(conn, REPLY_CHANNEL, (await page.inner_text(".eyebrow strong")).strip())
    await page.wait_for_selector(".message.agent")
    assert await page.input_value("#message") == "half a sent"
    assert "We have answered" in await page.inner_text("#standing")
    await page.click("#reply button")
    await page.wait_for_selector("#messages > li:nth-child(3)")
    await expect(page.locator("#message")).to_have_value("")
    assert "half a sent" in await page.inner_text("#messages > li:nth-child(3)")
    assert complaints == []


async def test_message_that_cannot_be_sent_stays_in_the_box(browser: Browser, site: str, conn: Connection) -> None:
    page = await browser.new_page()
    await fill_in(page, site)
    await conn.execute("update channel_configs set rate_per_address = 1")
    await page.fill("#message", "first")
    await page.click("#reply button")
    await expect(page.locator("#message")).to_have_value("")
    await page.fill("#message", "second")
    await page.click("#reply button")
    await expect(page.locator("#reply-errors")).to_contain_text("Too many messages")
    assert await page.input_value("#message") == "second"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_are_accessible_and_fit_a_phone(browser: Browser, site: str, conn: Connection, scheme: str) -> None:
    page = await browser.new_page(viewport=PHONE, bypass_csp=True)
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.goto(site)
    await check_page(page)
    await page.evaluate("document.querySelector('form').noValidate = true")
    await page.click("form button[type=submit]")
    await check_page(page)
    assert await page.evaluate("document.activeElement.id") == "summary"
    await fill_in(page, site)
    cited = {"passage": 1, "version": 1, "slug": "prices", "title": "Prices", "url": None}
    await answer_waiting(conn, Answer("Do:\n1. this\n2. that\n\nhttps://example.com/" + "x" * 200, citations=[cited]))
    await page.reload()
    await check_page(page)
    await page.goto(f"{site}/metrics/channels")
    await check_page(page)
    await page.fill("#token", ADMIN_TOKEN)
    await page.click("#token-form button")
    await page.wait_for_selector("table")
    await check_page(page)


async def check_page(page: Page) -> None:
    """No serious finding of axe, and nothing to scroll sideways for."""
    result = await Axe().run(page)
    grave = [finding for finding in result.response["violations"] if finding["impact"] in ("serious", "critical")]
    assert not grave, result.generate_report()
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
