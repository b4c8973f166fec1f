"""A team is built in a real browser, on a phone and at a desk: invited, joined, with codes and keys, and audited."""

import re
import time

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from app.totp import STEP, derive_secret, make_code
from tests.app.desk import ADMIN_TOKEN, make_settings
from tests.app.people import PASSWORD
from tests.e2e.test_pages import browser, check_page, pytestmark, site

__all__ = ["browser", "pytestmark", "site"]

PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 900}


async def invite(page: Page, site: str, email: str, role: str) -> str:
    """As whoever has the page of the team open; the link that is shown."""
    await page.goto(f"{site}/team")
    await page.fill("#email", email)
    await page.select_option("#role", role)
    await page.get_by_role("button", name="Make the link").click()
    link = await page.input_value("#link")
    await check_page(page)
    return site + link[link.index("/invitations/") :]


async def join(page: Page, link: str) -> None:
    await page.goto(link)
    await check_page(page)
    await page.fill("#name", "Kim Jones")
    await page.fill("#password", "passwordpassword")
    await page.get_by_role("button", name="Join").click()
    await expect(page.get_by_role("alert")).to_contain_text("too easy to guess")
    await check_page(page)
    assert await page.input_value("#name") == "Kim Jones"
    await page.fill("#password", PASSWORD)
    await page.get_by_role("button", name="Join").click()
    await expect(page.get_by_role("status")).to_contain_text("You can log in now.")
    await check_page(page)


async def log_in(page: Page) -> None:
    await page.fill("#email", "kim@example.com")
    await page.fill("#password", PASSWORD)
    await page.get_by_role("button", name="Log in", exact=True).click()


async def set_up_codes(page: Page, site: str) -> tuple[bytes, int]:
    """The secret that the app has from then on, and the step whose code is used up."""
    await page.goto(f"{site}/account")
    await check_page(page)
    await page.get_by_role("button", name="Set up the codes").click()
    await check_page(page)
    secret = derive_secret(make_settings(), await page.input_value("input[name=seed]"))
    step = int(time.time() // STEP)
    await page.fill("#code", make_code(secret, step))
    await page.get_by_role("button", name="Switch the codes on").click()
    await expect(page.get_by_role("status")).to_contain_text("asked for a code")
    return secret, step


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
async def test_the_first_admin_is_invited_and_logs_in_with_a_code(
    browser: Browser, site: str, viewport: ViewportSize
) -> None:
    page = await browser.new_page(viewport=viewport, bypass_csp=True)
    await page.goto(f"{site}/team")
    await page.fill("#token", ADMIN_TOKEN)
    await page.get_by_role("button", name="Log in with the token").click()
    link = await invite(page, site, "kim@example.com", "admin")
    await page.get_by_role("button", name="Log out", exact=True).click()
    await join(page, link)
    await log_in(page)
    secret, used = await set_up_codes(page, site)
    await page.get_by_role("button", name="Log out everywhere").click()
    await log_in(page)
    await check_page(page)
    # The step after the used one is good at once: the app may be a step ahead of the server.
    await page.fill("#code", make_code(secret, max(used + 1, int(time.time() // STEP))))
    await page.get_by_role("button", name="Log in", exact=True).click()
    await expect(page.get_by_role("navigation", name="For the team")).to_contain_text("Team")


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
async def test_an_admin_runs_the_team_and_reads_what_was_done(
    browser: Browser, site: str, viewport: ViewportSize
) -> None:
    page = await browser.new_page(viewport=viewport, bypass_csp=True)
    await page.goto(f"{site}/team")
    await page.fill("#token", ADMIN_TOKEN)
    await page.get_by_role("button", name="Log in with the token").click()
    await check_page(page)
    guest = await browser.new_page(viewport=viewport, bypass_csp=True)
    await join(guest, await invite(page, site, "kim@example.com", "admin"))
    await invite(page, site, "lee@example.com", "agent")
    await page.get_by_label("Role of kim@example.com", exact=True).select_option("manager")
    await page.get_by_role("button", name="Set the role of kim@example.com").click()
    await expect(page.get_by_role("alert")).to_contain_text("The team needs an active admin.")
    await check_page(page)
    await page.fill("#key-name", "Report")
    await page.get_by_role("button", name="Make the key").click()
    assert re.fullmatch(r"dk_[A-Za-z0-9_-]{43}", await page.input_value("#key"))
    await check_page(page)
    await page.get_by_role("button", name="Withdraw the invitation of lee@example.com").click()
    await page.get_by_role("button", name="Revoke the key Report").click()
    await page.get_by_role("link", name="Audit").click()
    await expect(page.get_by_role("row").nth(1)).to_contain_text("key revoked")
    await check_page(page)
    await page.fill("#about", "invitation:")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator("tbody tr")).to_have_count(3)


@pytest.mark.parametrize("has_scripts", [True, False])
async def test_the_pages_need_no_scripts_and_break_no_rule_of_their_policy(
    browser: Browser, site: str, has_scripts: bool
) -> None:
    page = await browser.new_page(viewport=PHONE, java_script_enabled=has_scripts)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    await page.goto(f"{site}/login?next=/team")
    await page.fill("#token", ADMIN_TOKEN)
    await page.get_by_role("button", name="Log in with the token").click()
    await page.fill("#email", "kim@example.com")
    await page.get_by_role("button", name="Make the link").click()
    link = await page.input_value("#link")
    await page.goto(site + link[link.index("/invitations/") :])
    await page.fill("#name", "Kim")
    await page.fill("#password", PASSWORD)
    await page.get_by_role("button", name="Join").click()
    await log_in(page)
    await page.goto(f"{site}/account")
    await page.fill("#name", "Kim Jones")
    await page.get_by_role("button", name="Save the name").click()
    await expect(page.get_by_role("status")).to_contain_text("Your name is changed.")
    assert complaints == []
