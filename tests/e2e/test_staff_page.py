"""The ticket page in a real browser, as the team has it open while the conversation moves on."""

import base64

from playwright.async_api import Browser, Page, expect

from db.attachments import NewAttachment, keep_attachment
from db.pool import Connection
from db.queue import REPLY_CHANNEL, notify
from tests.app.desk import ADMIN_TOKEN, Answer, answer_waiting
from tests.e2e.test_pages import PHONE, browser, check_page, fill_in, pytestmark, site

__all__ = ["browser", "pytestmark", "site"]

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""One pixel."""
ESCALATION = {
    "kind": "escalate", "category": "billing", "team": "billing", "assignee": None, "priority": 7,
    "priority_why": "rule", "reason": "billing_dispute", "handoff_note": "Two invoices",
    "due_at": "2099-01-05T10:00:00Z",
}  # fmt: skip


async def open_as_staff(browser: Browser, site: str, reference: str) -> Page:
    page = await browser.new_page(viewport=PHONE, bypass_csp=True)
    await page.goto(f"{site}/login?next=/support/ticket/{reference}")
    await page.fill("#token", ADMIN_TOKEN)
    await page.click("form button[type=submit]")
    await page.wait_for_selector("#handler")
    return page


async def test_what_the_team_may_do_follows_the_conversation(browser: Browser, site: str, conn: Connection) -> None:
    customer = await browser.new_page()
    await fill_in(customer, site)
    reference = (await customer.inner_text(".eyebrow strong")).strip()
    page = await open_as_staff(browser, site, reference)
    handler = page.locator("#handler")
    await expect(handler).to_contain_text("The assistant answers here.")
    await page.fill("#message", "half a sent")

    await answer_waiting(conn, Answer("Handed over.", kind="handoff", outcome="escalated", effects=[ESCALATION]))
    await notify(conn, REPLY_CHANNEL, reference)
    await expect(handler).to_contain_text("the customer waits for an answer")
    await expect(handler.locator("button")).to_have_text("Settled in another way")
    await expect(page.locator("#facts")).to_contain_text("Two invoices")
    assert await page.input_value("#message") == "half a sent"

    await page.click("#reply button")
    await expect(handler.locator("button")).to_have_text("Give it back to the assistant")
    await check_page(page)
    await handler.locator("button").click()
    await expect(handler.locator("button")).to_have_text("Take over")


async def test_a_button_drawn_too_early_leads_back_to_the_ticket(browser: Browser, site: str, conn: Connection) -> None:
    customer = await browser.new_page()
    await fill_in(customer, site)
    reference = (await customer.inner_text(".eyebrow strong")).strip()
    await answer_waiting(conn, Answer("Handed over.", kind="handoff", outcome="escalated", effects=[ESCALATION]))
    page = await open_as_staff(browser, site, reference)
    form = "document.querySelector('#handler')"
    await page.evaluate(f"{form}.action = {form}.action.replace('take-over', 'hand-back'); {form}.submit()")
    await expect(page.locator("#reply-errors")).to_contain_text("Answer it first.")
    await expect(page).to_have_url(f"{site}/support/ticket/{reference}")


async def test_files_fit_a_phone_and_open_by_keyboard(browser: Browser, site: str, conn: Connection) -> None:
    customer = await browser.new_page()
    await fill_in(customer, site)
    reference = (await customer.inner_text(".eyebrow strong")).strip()
    external_id = await conn.fetchval("select payload->>'external_id' from message_queue")
    sent = [
        *[("image/png", PICTURE, None)] * 3,
        ("application/pdf", b"%PDF-", None),
        ("video/mp4", None, "Twilio answered with status 404"),
    ]
    for place, (kind, content, error) in enumerate(sent):
        await keep_attachment(conn, "web", NewAttachment(external_id, place, kind, content, None, error))
    page = await open_as_staff(browser, site, reference)
    await expect(page.locator(".files li")).to_have_count(5)
    await page.wait_for_function("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    await check_page(page)
    async with page.expect_download() as saving:
        await page.click(".files a[download]")
    assert (await saving.value).suggested_filename.endswith(".pdf")
    await page.locator(".files a").first.focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/attachments/*")
