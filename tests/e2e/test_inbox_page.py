"""The inbox in a real browser: who waits is seen, taken, answered, and nothing is said that nobody meant to say."""

from datetime import timedelta

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from db import queue, turns
from db.handover import add_note
from db.pool import Connection, Pool
from db.queue import REPLY_CHANNEL, notify
from db.sessions import TOKEN_HOLDER
from tests.app.desk import FORM, Answer, answer_waiting
from tests.app.people import PASSWORD, add_person
from tests.e2e.test_pages import browser, check_page, fill_in, pytestmark, site
from tests.fakes import claim_now
from worker.deliver import Deliver

__all__ = ["browser", "pytestmark", "site"]

PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 900}
ESCALATION = {
    "kind": "escalate", "category": "billing", "team": "billing", "assignee": None, "priority": 7,
    "priority_why": "rule", "reason": "billing_dispute", "handoff_note": "Two invoices",
    "due_at": "2099-01-05T10:00:00Z",
}  # fmt: skip
ATTACK = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script> verbatim"


async def log_in(browser: Browser, site: str, conn: Connection, email: str, size: ViewportSize = DESK) -> Page:
    """A browser of somebody of the team, at the list."""
    await add_person(conn, email)
    page = await (await browser.new_context(viewport=size, bypass_csp=True)).new_page()
    await page.goto(f"{site}/login")
    await page.fill("#email", email)
    await page.fill("#password", PASSWORD)
    await page.get_by_role("button", name="Log in", exact=True).click()
    await page.wait_for_url("**/inbox")
    return page


async def ask(browser: Browser, site: str) -> tuple[Page, str]:
    """A customer who has written: their page, and the reference."""
    page = await browser.new_page()
    await fill_in(page, site)
    return page, (await page.inner_text(".eyebrow strong")).strip()


async def hand_over(conn: Connection, reference: str) -> None:
    await answer_waiting(conn, Answer("Handed over.", kind="handoff", outcome="escalated", effects=[ESCALATION]))
    await notify(conn, REPLY_CHANNEL, reference)


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_an_escalated_customer_is_seen_at_once_and_answered_and_reads_it_on_the_ticket_page(
    browser: Browser, site: str, conn: Connection, pool: Pool, size: ViewportSize
) -> None:
    team = await log_in(browser, site, conn, "kim@example.com", size)
    await expect(team.locator("#lines")).to_contain_text("Nobody.")
    await check_page(team)
    customer, reference = await ask(browser, site)
    await hand_over(conn, reference)
    await expect(team.locator("#lines")).to_contain_text(FORM["name"])
    await expect(team.locator("#boxes [aria-current] .count")).to_have_text("1")
    await check_page(team)
    await team.keyboard.press("j")
    await team.keyboard.press("Enter")
    await expect(team.locator("#because")).to_contain_text("Two invoices")
    await check_page(team)
    await team.get_by_role("button", name="Take it").click()
    await expect(team.locator("#actions")).to_contain_text("You have this conversation")
    await team.fill("#message", "We have paid it back.")
    await team.get_by_role("button", name="Send", exact=True).click()
    await expect(team.locator("#messages")).to_contain_text("waiting to be sent")
    await expect(team.locator("#message")).to_have_value("")
    assert "paid it back" not in await customer.inner_text("#messages")
    await Deliver(pool, {}, "TF").run(await claim_now(conn, "out:"))
    await expect(customer.locator("#messages")).to_contain_text("We have paid it back.")
    await expect(team.locator("#standing")).to_contain_text("waits for nothing")
    await team.goto(f"{site}/inbox")
    await expect(team.locator("#lines")).to_contain_text("Nobody.")


async def hold_longer(conn: Connection, page: Page) -> None:
    """The answer may be taken back for an hour: no browser is too slow for it."""
    await conn.execute("update messages set held_until = now() + interval '1 hour' where held_until is not null")
    await conn.execute("update lanes set run_at = now() + interval '1 hour' where lane like 'out:%'")
    await page.reload()


async def test_an_answer_taken_back_in_time_was_never_said_and_is_there_to_be_mended(
    browser: Browser, site: str, conn: Connection, pool: Pool
) -> None:
    customer, reference = await ask(browser, site)
    await hand_over(conn, reference)
    team = await log_in(browser, site, conn, "kim@example.com")
    await team.click("#lines a.open")
    await team.fill("#message", "To the wrong person.")
    await team.get_by_role("button", name="Send", exact=True).click()
    await expect(team.locator("#messages")).to_contain_text("To the wrong person.")
    await hold_longer(conn, team)
    await team.get_by_role("button", name="Take it back").click()
    await expect(team.locator("#message")).to_have_value("To the wrong person.")
    await expect(team.locator(".unsent")).to_contain_text("was not sent")
    await Deliver(pool, {}, "TF").run(await claim_now(conn, "out:"))
    await customer.reload()
    assert "wrong person" not in await customer.inner_text("#messages")


async def test_a_page_left_open_shows_what_is_new_and_has_not_seen_it_for_anybody(
    browser: Browser, site: str, conn: Connection
) -> None:
    unseen = "select count(*) from notices where seen_at is null"
    _, reference = await ask(browser, site)
    await hand_over(conn, reference)
    team = await log_in(browser, site, conn, "kim@example.com")
    await team.click("#lines a.open")
    await expect(team.locator("#because")).to_contain_text("Two invoices")
    assert await conn.fetchval(unseen) == 0
    await conn.execute("update sessions set last_seen_at = now() - interval '7 hours'")
    await conn.execute("select call_person(id, 'late', '', 'TF') from conversations")
    await add_note(conn, await conn.fetchval("select id from conversations"), "Who is there?", TOKEN_HOLDER)
    await notify(conn, REPLY_CHANNEL, reference)
    await expect(team.locator("#messages")).to_contain_text("Who is there?")
    assert await conn.fetchval(unseen) == 1
    assert await conn.fetchval("select last_seen_at < now() - interval '6 hours' from sessions")
    await team.reload()
    assert await conn.fetchval(unseen) == 0


async def test_of_two_who_answer_one_is_told_and_keeps_what_they_wrote(
    browser: Browser, site: str, conn: Connection
) -> None:
    _, reference = await ask(browser, site)
    await hand_over(conn, reference)
    ana, ben = [await log_in(browser, site, conn, f"{name}@example.com") for name in ("ana", "ben")]
    for page in (ana, ben):
        await page.click("#lines a.open")
        await page.wait_for_selector("#reply")
    await expect(ana.locator("#present")).to_have_text("Ben has this open too.")
    await ben.fill("#message", "Ben's answer")
    await ana.fill("#message", "Ana's answer")
    await ana.get_by_role("button", name="Send", exact=True).click()
    await expect(ana.locator("#message")).to_have_value("")
    await ben.get_by_role("button", name="Send", exact=True).click()
    await expect(ben.locator("#reply-errors")).to_contain_text("in the meantime")
    assert await ben.input_value("#message") == "Ben's answer"
    await expect(ben.locator("#messages")).to_contain_text("Ana's answer")
    assert await conn.fetchval("select count(*) from messages where author = 'person'") == 1
    await check_page(ben)


async def test_what_the_agent_was_writing_when_a_person_took_over_never_appears(
    browser: Browser, site: str, conn: Connection
) -> None:
    customer, _ = await ask(browser, site)
    [lane] = await queue.claim_lanes(conn, worker="w", lanes=1, messages=9, lease=timedelta(minutes=1))
    first = lane.jobs[0].payload
    turn = await turns.open_turn(
        conn,
        turns.TurnStart(
            lane=lane.lane, token=lane.token, newest=lane.jobs[-1].id, channel="web", thread_key=first["thread_key"],
            subject="", trust=0, customer=first["customer"], covers_external=[first["external_id"]],
        ),
    )  # fmt: skip
    assert turn is not None
    team = await log_in(browser, site, conn, "kim@example.com")
    await team.goto(f"{site}/conversations/{turn.conversation_id}")
    await team.get_by_role("button", name="Take over").click()
    await expect(team.locator("#actions")).to_contain_text("You have this conversation")
    end = turns.TurnEnd(
        lane=lane.lane, token=lane.token, turn_id=turn.turn_id, covers=lane.job_ids, outcome="answered",
        inbound=[{name: first[name] for name in ("external_id", "body", "sent_at")}],
        reply={"bodies": ["Too late."], "kind": "answer", "citations": [], "delivery": "sent"},
    )  # fmt: skip
    assert await turns.commit_turn(conn, end) == "silenced"
    await customer.reload()
    assert "Too late." not in await customer.inner_text("#messages")


async def test_a_draft_is_sent_by_one_key_and_refused_by_another(
    browser: Browser, site: str, conn: Connection, pool: Pool
) -> None:
    await conn.execute("update channel_configs set mode = 'draft' where channel = 'web'")
    team = await log_in(browser, site, conn, "kim@example.com")
    for key, sent in (("y", 1), ("x", 1)):
        await ask(browser, site)
        await answer_waiting(conn, Answer("What the agent suggests."))
        await team.goto(f"{site}/inbox")
        await team.click("#lines a.open >> nth=0")
        await expect(team.locator("#message")).to_have_value("What the agent suggests.")
        await check_page(team)
        await team.keyboard.press(key)
        await expect(team.locator("#reply .note")).to_have_count(0)
        assert await conn.fetchval("select count(*) from messages where direction = 'outbound'") == sent
        await conn.execute("delete from lanes where lane like 'web:%'")
        if key == "y":
            await Deliver(pool, {}, "TF").run(await claim_now(conn, "out:"))
    assert await conn.fetchval("select array_agg(state order by created_at) from drafts") == ["approved", "rejected"]


async def test_nothing_that_customers_write_runs_on_the_teams_pages(
    browser: Browser, site: str, conn: Connection
) -> None:
    customer = await browser.new_page()
    await customer.goto(site)
    for name, text in (FORM | {"name": ATTACK, "subject": ATTACK, "message": ATTACK}).items():
        if name in ("name", "email", "subject", "message"):
            await customer.fill(f"#{name}", text)
    await customer.click("form button[type=submit]")
    await customer.wait_for_url("**/support/ticket/**")
    reference = (await customer.inner_text(".eyebrow strong")).strip()
    await hand_over(conn, reference)
    team = await log_in(browser, site, conn, "kim@example.com")
    for path in ("/inbox", "/inbox?words=verbatim", "/inbox?box=all"):
        await team.goto(site + path)
        await expect(team.locator("#lines")).to_contain_text("onerror")
        assert await team.title() != "taken"
    await team.click("#lines a.open")
    await team.fill("#note", ATTACK)
    await team.get_by_role("button", name="Keep the note").click()
    await expect(team.locator("#messages .note")).to_contain_text("onerror")
    assert await team.title() != "taken"
    assert await team.locator("img[src=x]").count() == 0


async def test_the_list_and_a_conversation_work_without_scripts(browser: Browser, site: str, conn: Connection) -> None:
    _, reference = await ask(browser, site)
    await hand_over(conn, reference)
    await add_person(conn, "kim@example.com")
    page = await (await browser.new_context(java_script_enabled=False)).new_page()
    await page.goto(f"{site}/login")
    await page.fill("#email", "kim@example.com")
    await page.fill("#password", PASSWORD)
    await page.get_by_role("button", name="Log in", exact=True).click()
    await page.click("#lines a.open")
    await page.fill("#message", "Without scripts.")
    await page.get_by_role("button", name="Send", exact=True).click()
    assert "Without scripts." in await page.inner_text("#messages")
    await hold_longer(conn, page)
    await page.get_by_role("button", name="Take it back").click()
    assert await page.input_value("#message") == "Without scripts."
