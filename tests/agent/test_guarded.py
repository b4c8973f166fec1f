"""What a team may rely on when an article is internal: its words are guarded as soon as they are there, and stay so."""

import asyncio

from agent.guarded import FRESH_SECONDS, Guard
from db.guarded import list_internal_texts
from db.knowledge import retire_article
from db.pool import Connection, Pool, acquire
from tests.agent.word_embedder import take_in

OFFER = "Whoever wants to leave is offered twenty percent off for six months with the code STAY-20."


async def find_quoted(pool: Pool, guard: Guard, text: str) -> str | None:
    async with acquire(pool) as conn:
        return (await guard.load(conn)).find_quotation(text, "")


async def test_an_internal_text_is_guarded_also_after_it_was_replaced_or_retired(pool: Pool, conn: Connection) -> None:
    await take_in(pool, "offers", OFFER, visibility="internal")
    await take_in(pool, "offers", "Nothing is offered any more.", visibility="internal")
    await retire_article(conn, "offers")
    assert await find_quoted(pool, Guard(), "Use STAY-20 then.") == "stay-20"
    assert await find_quoted(pool, Guard(), OFFER) is not None


async def test_a_text_that_came_back_is_read_once(pool: Pool, conn: Connection) -> None:
    for body in (OFFER, "Nothing is offered any more.", OFFER):
        await take_in(pool, "offers", body, visibility="internal")
    assert len(await list_internal_texts(conn)) == 2


async def test_replies_checked_at_once_are_all_held_to_the_newest_internal_text(pool: Pool) -> None:
    guard = Guard()
    assert await find_quoted(pool, guard, OFFER) is None
    await take_in(pool, "offers", OFFER, visibility="internal")
    guard.looked_at -= FRESH_SECONDS
    found = await asyncio.gather(*(find_quoted(pool, guard, OFFER) for _ in range(4)))
    assert None not in found
