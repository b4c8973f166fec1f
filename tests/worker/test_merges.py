"""Promises about customers who are merged or parted while the agent answers them, and about two people who do it."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from agent.models.scripted import ScriptedModel
from channels.base import Channel
from db import asked_drafts, merges, queue, turns
from db.people import Actor
from db.pool import Connection, Pool, acquire
from db.turns import Budgets
from tests.fakes import claim_now, make_runner, reply_with, submit
from tests.worker.racing import Happening, Interrupted, Vendor, see_waiting
from tests.worker.two_customers import (
    ANA,
    BEN,
    CHAT,
    FORM,
    MAIL,
    begin_turn,
    chat,
    fill_in_form,
    find_owner,
    find_talk,
    list_owners,
    mail,
    merge,
    propose,
    queue_chat,
    queue_mail,
    take_up,
    undo,
)

ROUNDS = 8
"""Of letters: fewer than one customer may get answers to in a day."""
BUDGETS = Budgets(day=Decimal(5), conversation=Decimal(1), customer=Decimal(1))
SPENT = "select level from quotas where key like 'spend:%:customer:' || $1::uuid"


async def answer_while(pool: Pool, conn: Connection, lane: str, reply: str, happens: Happening) -> None:
    """A turn during whose thinking something happens."""
    runner = make_runner(pool, Interrupted([*reply_with(reply)], happens), channels=[Vendor()])
    await runner.run(await claim_now(conn, lane))


async def list_waits(conn: Connection, talk: UUID) -> set[str]:
    rows = await conn.fetch(
        "select waits_for from waiting_customers where conversation_id = $1 and waits_for <> 'delivery'", talk
    )
    return {row["waits_for"] for row in rows}


async def list_said(conn: Connection) -> list[str]:
    rows = await conn.fetch("select body from messages where direction = 'outbound' order by sent_at, id")
    return [row["body"] for row in rows]


@pytest.mark.parametrize("kept", [MAIL, CHAT])
async def test_a_turn_in_the_making_says_nothing_once_its_customer_is_parted_from_another(
    pool: Pool, conn: Connection, kept: str
) -> None:
    by_mail, by_chat = await mail(pool, conn), await chat(pool, conn)
    here, other = (by_mail, CHAT) if kept == MAIL else (by_chat, MAIL)
    merged, lane = await merge(conn, here, other), await queue_chat(conn)

    async def part() -> None:
        async with acquire(pool) as own:
            await undo(own, here, merged)

    await answer_while(pool, conn, lane, "Of your mail.", part)
    assert "Of your mail." not in await list_said(conn)
    assert await list_waits(conn, by_chat) == {"queue"}
    await take_up(pool, conn, lane, "Hello again.")
    assert (await list_said(conn))[-1] == "Hello again."


async def test_a_turn_in_the_making_begins_anew_once_its_customer_is_merged(pool: Pool, conn: Connection) -> None:
    by_mail, by_chat = await mail(pool, conn), await chat(pool, conn)
    lane = await queue_chat(conn)

    async def join() -> None:
        async with acquire(pool) as own:
            await merge(own, by_mail, CHAT)

    await answer_while(pool, conn, lane, "Too early.", join)
    assert "Too early." not in await list_said(conn)
    assert await take_up(pool, conn, lane, "One story.") == by_chat
    assert (await list_said(conn))[-1] == "One story."
    assert set((await list_owners(conn)).values()) == {await find_owner(conn, by_mail)}


async def test_money_set_aside_before_a_merge_is_given_back_to_whom_it_was_taken_from(
    pool: Pool, conn: Connection
) -> None:
    by_mail, by_chat = await mail(pool, conn), await chat(pool, conn)
    kept, other = await find_owner(conn, by_mail), await find_owner(conn, by_chat)
    turn = await begin_turn(pool, conn, await queue_chat(conn))
    for whose, talk in ((kept, by_mail), (other, by_chat)):
        held = turn.turn_id if whose == other else None
        assert await turns.reserve_spend(conn, talk, Decimal("0.25"), BUDGETS, turn_id=held) is None
    await merge(conn, by_mail, CHAT)
    await conn.execute("select return_reserve($1)", turn.turn_id)
    assert [await conn.fetchval(SPENT, whose) for whose in (kept, other)] == [0.25, 0]


async def test_the_addresses_of_a_merged_customer_share_one_allowance_of_replies(pool: Pool, conn: Connection) -> None:
    await conn.execute("update channel_configs set replies_per_address = 1 where channel = 'gmail'")
    by_mail, _ = await mail(pool, conn), await mail(pool, conn, "lena.roth@work.example")
    await merge(conn, by_mail, "lena.roth@work.example")
    late = await mail(pool, conn, "lena.roth@work.example")
    assert await conn.fetchval("select handler from conversations where id = $1", late) == "human"


async def test_a_merged_customer_is_braked_by_the_domain_they_write_from(pool: Pool, conn: Connection) -> None:
    await conn.execute("update channel_configs set replies_per_domain = 1 where channel = 'gmail'")
    by_robot = await mail(pool, conn, "a@robots.example")
    await fill_in_form(pool, conn, "b@work.example")
    await merge(conn, by_robot, "b@work.example")
    for address, handler in (("b@work.example", "agent"), ("a@robots.example", "human")):
        late = await mail(pool, conn, address)
        assert await conn.fetchval("select handler from conversations where id = $1", late) == handler


async def test_a_draft_written_of_two_in_one_says_so_once_they_are_parted(pool: Pool, conn: Connection) -> None:
    by_mail, by_form = await mail(pool, conn), await fill_in_form(pool, conn)
    await conn.execute("update channel_configs set mode = 'draft' where channel = 'gmail'")
    before = await take_up(pool, conn, await queue_mail(conn), "Before.")
    merged = await merge(conn, by_mail, FORM)
    since = await take_up(pool, conn, await queue_mail(conn), "Since.")
    await undo(conn, by_form, merged)
    notes = {
        row[0]: row[1] for row in await conn.fetch("select conversation_id, note from drafts where state = 'pending'")
    }
    assert notes[before] is None
    assert "may tell of the other one" in notes[since]


async def test_a_draft_that_was_asked_for_of_two_in_one_is_not_written_once_they_are_parted(
    pool: Pool, conn: Connection
) -> None:
    by_mail, _ = await mail(pool, conn), await chat(pool, conn)
    merged = await merge(conn, by_mail, CHAT)
    assert await asked_drafts.ask_for_draft(conn, by_mail, ANA) == "accepted"
    await undo(conn, by_mail, merged)
    assert await conn.fetchval("select state from draft_requests") == "dropped"


async def test_of_two_people_who_decide_at_once_one_does_and_the_other_is_told(pool: Pool, conn: Connection) -> None:
    by_mail, _ = await mail(pool, conn), await chat(pool, conn)
    before = await list_owners(conn)
    for _round in range(10):
        said = await propose(conn, by_mail, CHAT)

        async def decide(who: Actor, said: UUID = said) -> str:
            async with acquire(pool) as own:
                return await merges.accept_merge(own, by_mail, said, who)

        assert sorted(await asyncio.gather(decide(ANA), decide(BEN))) == ["accepted", "decided"]
        assert await conn.fetchval("select count(*) from customer_merges where state = 'merged'") == 1

        async def part(said: UUID = said) -> str:
            async with acquire(pool) as own:
                return await merges.undo_merge(own, by_mail, said, ANA)

        assert sorted(await asyncio.gather(part(), part())) == ["accepted", "decided"]
        assert await list_owners(conn) == before


@pytest.mark.parametrize("address", [MAIL, FORM])
async def test_a_conversation_that_begins_during_a_merge_is_the_kept_customers(
    pool: Pool, conn: Connection, address: str
) -> None:
    by_chat, here = await chat(pool, conn), await write_from(pool, conn, address)
    said, lane = await propose(conn, by_chat, address), await queue_from(conn, address)
    async with acquire(pool) as deciding:
        async with acquire(pool) as beginning, beginning.transaction():
            await begin_turn(pool, beginning, lane)
            decided = asyncio.create_task(merges.accept_merge(deciding, by_chat, said, BEN))
            await see_waiting(pool, 1)
        assert await decided == "accepted"
    for talk in (await find_talk(conn, lane), here):
        assert await find_owner(conn, talk) == await find_owner(conn, by_chat)


@pytest.mark.parametrize("address", [MAIL, FORM])
async def test_a_turn_that_begins_during_a_merge_is_the_kept_customers(
    pool: Pool, conn: Connection, address: str
) -> None:
    by_chat, _ = await chat(pool, conn), await write_from(pool, conn, address)
    said, lane = await propose(conn, by_chat, address), await queue_from(conn, address)
    async with acquire(pool) as own:
        async with acquire(pool) as deciding, deciding.transaction():
            assert await merges.accept_merge(deciding, by_chat, said, BEN) == "accepted"
            begun = asyncio.create_task(begin_turn(pool, own, lane))
            await see_waiting(pool, 1)
        turn = await begun
    assert turn.customer_id == await find_owner(conn, by_chat)


async def queue_from(conn: Connection, address: str) -> str:
    """A proven mail, or a form in which somebody only claims the address; gives its lane."""
    return await queue_mail(conn) if address == MAIL else f"web:{await submit(conn, 'Hello there', email=address)}"


async def write_from(pool: Pool, conn: Connection, address: str) -> UUID:
    return await take_up(pool, conn, await queue_from(conn, address))


async def test_merging_and_parting_while_both_are_answered_loses_nobody(pool: Pool, conn: Connection) -> None:
    by_mail, by_chat = await mail(pool, conn), await chat(pool, conn)
    kept, other = await find_owner(conn, by_mail), await find_owner(conn, by_chat)

    async def write() -> None:
        async with acquire(pool) as own:
            for _ in range(ROUNDS):
                await queue_chat(own)
                await queue_mail(own)
                await asyncio.sleep(0.02)

    async def keep_merging() -> None:
        async with acquire(pool) as own:
            for _ in range(ROUNDS):
                await undo(own, by_mail, await merge(own, by_mail, CHAT))

    async with asyncio.timeout(100):
        await asyncio.gather(write(), keep_merging(), *(answer_all(pool, (ROUNDS + 1) * 2) for _ in range(2)))
    assert await conn.fetchval("select count(*) from waiting_customers where waits_for <> 'delivery'") == 0
    heard = "select channel, customer_id, count(*) from messages where direction = 'inbound' group by 1, 2"
    owners = {tuple(row) for row in await conn.fetch(heard)}
    assert owners == {("gmail", kept, ROUNDS + 1), ("whatsapp", other, ROUNDS + 1)}
    assert await conn.fetchval("select count(*) from dead_letters") == 0


async def answer_all(pool: Pool, messages: int) -> None:
    """A worker that takes up what customers write until so many messages are in the log; it delivers nothing."""
    vendors: list[Channel] = [Vendor(name=name) for name in ("gmail", "whatsapp")]
    while True:
        async with acquire(pool) as conn:
            if await conn.fetchval("select count(*) from messages where direction = 'inbound'") == messages:
                return
            claimed = await queue.claim_lanes(conn, worker="w", lanes=1, messages=9, lease=timedelta(minutes=5))
        for lane in claimed:
            if not lane.lane.startswith("out:"):
                await make_runner(pool, ScriptedModel([reply_with("Here.")]), channels=vendors).run(lane)
        await asyncio.sleep(0.005)
