"""The page of a conversation in a real browser, as the team has it open while the conversation moves on."""

import base64

from playwright.async_api import Browser, Page, expect

from db.attachments import NewAttachment, keep_attachment
from db.handover import add_note
from db.pool import Connection, Pool
from db.queue import REPLY_CHANNEL, notify
from db.sessions import TOKEN_HOLDER
from tests.app.desk import ADMIN_TOKEN, Answer, answer_waiting
from tests.e2e.test_pages import PHONE, browser, check_page, fill_in, pytestmark, site
from tests.fakes import claim_now
from worker.deliver import Deliver

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
    await page.click("form:has(#token) button[type=submit]")
    await page.wait_for_url("**/conversations/*")
    return page


async def write_as_customer(browser: Browser, site: str) -> str:
    """The reference of a new ticket."""
    customer = await browser.new_page()
    await fill_in(customer, site)
    return (await customer.inner_text(".eyebrow strong")).strip()


async def deliver(pool: Pool, conn: Connection) -> None:
    """Send what waits to be sent; what somebody may take back is theirs no longer."""
    await Deliver(pool, {}, "TF").run(await claim_now(conn, "out:"))


async def test_what_the_team_may_do_follows_the_conversation(
    browser: Browser, site: str, pool: Pool, conn: Connection
) -> None:
    reference = await write_as_customer(browser, site)
    page = await open_as_staff(browser, site, reference)
    actions = page.locator("#actions")
    await expect(actions).to_contain_text("The assistant answers here.")
    await page.fill("#message", "half a sent")

    await answer_waiting(conn, Answer("Handed over.", kind="handoff", outcome="escalated", effects=[ESCALATION]))
    await notify(conn, REPLY_CHANNEL, reference)
    await expect(actions).to_contain_text("customer waits")
    await expect(actions.locator("button", has_text="Resolve")).to_have_text("Resolved in another way")
    await expect(actions.locator("button", has_text="Give it back")).to_have_count(0)
    await expect(page.locator("#because")).to_contain_text("Two invoices")
    assert await page.input_value("#message") == "half a sent"

    await page.click("#reply button")  # something was said since they began to type
    await expect(page.locator("#reply-errors")).to_contain_text("Something was said here")
    assert await page.input_value("#message") == "half a sent"
    await page.click("#reply button")
    await expect(page.locator("#message")).to_have_value("")
    await expect(page.locator(".message.person")).to_contain_text("half a sent")
    await deliver(pool, conn)
    await expect(actions.locator("button", has_text="Give it back")).to_have_count(1)
    await check_page(page)
    await actions.locator("button", has_text="Give it back").click()
    await expect(actions.locator("button", has_text="Take over")).to_have_count(1)


async def test_an_answer_begun_after_what_was_said_goes_at_once(browser: Browser, site: str, conn: Connection) -> None:
    reference = await write_as_customer(browser, site)
    page = await open_as_staff(browser, site, reference)
    await answer_waiting(conn, Answer("Handed over.", kind="handoff", outcome="escalated", effects=[ESCALATION]))
    await notify(conn, REPLY_CHANNEL, reference)
    await expect(page.locator(".message.agent")).to_contain_text("Handed over.")
    await page.fill("#message", "Jane here.")
    await page.click("#reply button")
    await expect(page.locator(".message.person")).to_contain_text("Jane here.")


async def test_what_somebody_opened_stays_open_when_something_is_new(
    browser: Browser, site: str, conn: Connection
) -> None:
    reference = await write_as_customer(browser, site)
    await answer_waiting(conn)
    page = await open_as_staff(browser, site, reference)
    why = page.locator(".message.agent details")
    await why.locator("summary").click()
    await page.locator("#message").focus()
    await add_note(conn, await conn.fetchval("select id from conversations"), "Look here.", TOKEN_HOLDER)
    await notify(conn, REPLY_CHANNEL, reference)
    await expect(page.locator(".message.note")).to_contain_text("Look here.")
    await expect(why).to_have_attribute("open", "")


async def test_a_button_drawn_too_early_leads_back_to_the_conversation(
    browser: Browser, site: str, conn: Connection
) -> None:
    reference = await write_as_customer(browser, site)
    await answer_waiting(conn, Answer("Handed over.", kind="handoff", outcome="escalated", effects=[ESCALATION]))
    page = await open_as_staff(browser, site, reference)
    talk = page.url
    form = "document.querySelector('form[action$=take-over]')"
    await page.evaluate(f"{form}.action = {form}.action.replace('take-over', 'hand-back')")
    await page.click("#actions form[action$=hand-back] button")
    await expect(page.locator("#reply-errors")).to_contain_text("Answer it first.")
    await expect(page).to_have_url(talk)


async def test_files_fit_a_phone_and_open_by_keyboard(browser: Browser, site: str, conn: Connection) -> None:
    reference = await write_as_customer(browser, site)
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
