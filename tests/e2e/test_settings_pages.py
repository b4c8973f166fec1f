"""Those who run the desk set it up in a real browser, on a phone and at a desk: hours, channels and webhooks."""

import re

import pytest
from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

from db.pool import Connection
from tests.app.desk import ADMIN_TOKEN
from tests.e2e.test_pages import browser, check_page, pytestmark, site
from tests.e2e.test_people_pages import DESK, PHONE

__all__ = ["browser", "pytestmark", "site"]

VIEWPORTS = pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])


async def open_page(browser: Browser, address: str, viewport: ViewportSize) -> Page:
    """As somebody who may do everything."""
    page = await browser.new_page(viewport=viewport, bypass_csp=True)
    await page.goto(address)
    await page.fill("#token", ADMIN_TOKEN)
    await page.get_by_role("button", name="Log in with the token").click()
    await check_page(page)
    return page


async def unfold(page: Page, name: str) -> Locator:
    """The form below a heading of the page, opened by keyboard."""
    folded = page.locator("details").filter(has=page.get_by_role("heading", name=name, exact=True))
    await folded.locator("summary").press("Enter")
    await check_page(page)
    return folded


async def is_cut_off(box: Locator) -> bool:
    """Whether a text is longer than its box shows."""
    return bool(await box.evaluate("box => box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight"))


@VIEWPORTS
async def test_a_manager_sets_hours_a_holiday_and_what_is_promised(
    browser: Browser, site: str, conn: Connection, viewport: ViewportSize
) -> None:
    page = await open_page(browser, f"{site}/hours", viewport)
    office = await unfold(page, "office")
    await office.get_by_label("Time zone").fill("Mars/Olympus")
    await office.get_by_label("Monday").fill("09:00-12:30, 13:30-17:00")
    await office.get_by_label("Saturday").fill("10:00-12:00")
    await office.get_by_label("Holidays").fill("2026-12-25\n2026-12-26")
    await office.get_by_role("button", name="Keep office").click()
    await expect(page.get_by_role("alert")).to_contain_text("Europe/Berlin or UTC")
    await check_page(page)
    await expect(office.get_by_label("Saturday")).to_have_value("10:00-12:00")
    await office.get_by_label("Time zone").fill("Europe/Berlin")
    await office.get_by_label("Time zone").press("Enter")
    await expect(office.locator("summary")).to_contain_text("Europe/Berlin, open Mon Tue Wed Thu Fri Sat")
    new = await unfold(page, "Add a target")
    await new.get_by_label("Category").select_option("billing")
    await new.get_by_label("First answer within").fill("30 min")
    await new.get_by_label("Solved within").fill("6 h")
    await new.get_by_label("In the hours of").select_option("office")
    await new.get_by_role("button", name="Add the target").click()
    gist = "Billing, any plan answered within 30 min, solved within 6 h, in the hours of office"
    await expect(page.locator("summary").filter(has_text=gist)).to_have_count(1)
    assert await conn.fetchval("select count(*) from calendar_holidays") == 2
    assert await conn.fetchval("select first_response from sla_targets where category = 'billing'") is not None


@VIEWPORTS
async def test_a_manager_tries_a_greeting_out_before_it_is_kept(
    browser: Browser, site: str, conn: Connection, viewport: ViewportSize
) -> None:
    page = await open_page(browser, f"{site}/channels", viewport)
    mail = page.get_by_role("form", name="Gmail")
    await mail.get_by_label("Greeting").fill("Dear {first},")
    await mail.get_by_label("Signature").fill("Your team\nTidefern")
    await mail.get_by_role("button", name="Keep Gmail").press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("There is no {first}")
    await expect(mail.get_by_label("Greeting")).to_have_attribute("aria-invalid", "true")
    await check_page(page)
    await mail.get_by_label("Greeting").fill("{hello} {name}!")
    await mail.get_by_label("Ask customers").check()
    await mail.get_by_role("button", name="Preview Gmail").press("Enter")
    await expect(mail.get_by_role("status")).to_be_focused()
    await expect(mail.get_by_role("status")).to_contain_text("Not kept yet.")
    await expect(mail.get_by_role("status")).to_contain_text("Hello Ana!")
    await check_page(page)
    assert await conn.fetchval("select signature from channel_configs where channel = 'gmail'") == ""
    await mail.get_by_role("button", name="Keep Gmail").click()
    await expect(mail.get_by_role("status")).to_have_count(0)
    await expect(mail.get_by_label("Ask customers")).to_be_checked()
    await expect(mail.get_by_label("Signature")).to_have_value("Your team\nTidefern")


@VIEWPORTS
async def test_an_admin_adds_a_webhook_reads_its_secret_once_tests_it_and_switches_it_off(
    browser: Browser, site: str, conn: Connection, viewport: ViewportSize
) -> None:
    address = "https://hooks.example.com/desk/incoming/with-a-rather-long-path"
    page = await open_page(browser, f"{site}/webhooks", viewport)
    await page.get_by_label("Address").fill(address.replace("https", "http"))
    await page.get_by_label("a conversation was resolved").check()
    await page.get_by_role("button", name="Add it").click()
    await expect(page.get_by_role("alert")).to_contain_text("begins with https://")
    await check_page(page)
    await expect(page.get_by_label("Address")).to_have_value(address.replace("https", "http"))
    await expect(page.get_by_label("a conversation was resolved")).to_be_checked()
    await page.get_by_label("Address").fill(address)
    await page.get_by_label("Address").press("Enter")
    secret = page.get_by_label(f"The secret of {address}")
    assert re.fullmatch(r"whsec_[\w-]{43}", await secret.input_value())
    assert not await is_cut_off(secret)
    await expect(page.get_by_role("status")).to_be_focused()
    await check_page(page)
    await page.get_by_role("button", name=f"Send a test to {address}").press("Enter")
    await expect(page.get_by_text("Waiting to be told: 1.")).to_be_visible()
    await expect(secret).to_have_count(0)
    await page.get_by_role("button", name=f"Switch off {address}").click()
    await expect(page.get_by_role("button", name=f"Switch on {address}")).to_be_visible()
    await check_page(page)
    assert await conn.fetchval("select is_on from webhooks") is False
