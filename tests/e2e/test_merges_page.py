"""Two customers who are one person, in a real browser: proposed, merged, read as one story, and parted again."""

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from db.pool import Connection, Pool
from tests.e2e.test_inbox_page import DESK, PHONE, log_in
from tests.e2e.test_pages import browser, check_page, pytestmark, site
from tests.worker.two_customers import CHAT, MAIL, chat, list_owners, mail

__all__ = ["browser", "pytestmark", "site"]


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_a_person_merges_two_customers_reads_one_story_and_parts_them(
    browser: Browser, site: str, pool: Pool, conn: Connection, size: ViewportSize
) -> None:
    by_mail, _ = await mail(pool, conn), await chat(pool, conn)
    await conn.execute("update messages set body = $2 where conversation_id = $1", by_mail, f"My number is {CHAT}.")
    before = await list_owners(conn)
    page = await log_in(browser, site, conn, "kim@example.com", size)
    await page.goto(f"{site}/conversations/{by_mail}")
    same, messages = page.locator("#same"), page.locator("#messages")
    await expect(messages.locator(".elsewhere")).to_have_count(0)
    await same.locator("summary").click()
    await check_page(page)
    await same.get_by_role("button", name=f"Propose to merge with {CHAT}").click()
    await expect(same).to_contain_text("kim@example.com says that this is one person with")
    await check_page(page)
    await same.get_by_role("button", name=f"They are one: merge with {CHAT}").click()
    await expect(messages.locator(".elsewhere")).to_have_count(2)
    await expect(messages.locator(".note")).to_contain_text(f"one person with {CHAT}")
    await expect(page.locator("#facts")).to_contain_text(CHAT)
    await expect(page.locator("#facts")).to_contain_text(MAIL)
    await same.locator("summary").click()
    await check_page(page)
    await same.get_by_role("button", name="Undo the merge").click()
    await expect(messages.locator(".elsewhere")).to_have_count(0)
    assert await list_owners(conn) == before


async def test_whoever_decides_second_is_told_and_nothing_happens_twice(
    browser: Browser, site: str, pool: Pool, conn: Connection
) -> None:
    by_mail, _ = await mail(pool, conn), await chat(pool, conn)
    ana, ben = [await log_in(browser, site, conn, f"{name}@example.com", PHONE) for name in ("ana", "ben")]
    await ana.goto(f"{site}/conversations/{by_mail}")
    await ana.locator("#same summary").click()
    await ana.fill("#merge-other", CHAT)
    await ana.locator("#same form", has=ana.locator("#merge-other")).get_by_role("button").click()
    await ana.wait_for_url("**#same")
    await ben.goto(f"{site}/conversations/{by_mail}")
    for page in (ana, ben):
        await page.get_by_role("button", name="They are one: merge").click()
    await expect(ben.locator("#reply-errors")).to_contain_text("Somebody was faster")
    await check_page(ben)
    assert await conn.fetchval("select count(*) from audit where action = 'merged customers'") == 1
