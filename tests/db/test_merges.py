"""Promises about customers who are one person: a person says so, it is written down, and it can be undone exactly."""

from uuid import UUID, uuid4

import pytest

from db import history, merges
from db.people import Actor
from db.pool import Connection, Pool
from db.threads import list_entries, load_thread
from tests.fakes import submit
from tests.worker.two_customers import (
    ANA,
    BEN,
    CHAT,
    FORM,
    MAIL,
    chat,
    fill_in_form,
    find_owner,
    list_owners,
    mail,
    merge,
    propose,
    queue_chat,
    take_up,
    undo,
)

STRAYS = """
select count(*) from conversations c
 where exists (select from messages m where m.conversation_id = c.id and m.customer_id is distinct from c.customer_id)
    or exists (select from tickets t where t.conversation_id = c.id and t.customer_id is distinct from c.customer_id)
"""


async def list_acts(conn: Connection) -> list[tuple[str, str]]:
    rows = await conn.fetch("select actor_name, action from audit order by id")
    return [(row["actor_name"], row["action"]) for row in rows]


async def ask_csat(conn: Connection, talk: UUID, whose: UUID) -> None:
    await conn.execute(
        "insert into csat (conversation_id, customer_id, channel, about) values ($1, $2, 'whatsapp', 'agent')",
        talk,
        whose,
    )


async def count_notes(conn: Connection, talk: UUID) -> int:
    count: int = await conn.fetchval("select count(*) from notes where conversation_id = $1", talk)
    return count


async def test_a_proposal_moves_nothing_until_a_person_accepts_it(pool: Pool, conn: Connection) -> None:
    by_mail, _ = await mail(pool, conn), await chat(pool, conn)
    before = await list_owners(conn)
    said = await propose(conn, by_mail, CHAT, "Same order number")
    assert await list_owners(conn) == before
    [shown] = await merges.list_merges(conn, await find_owner(conn, by_mail))
    assert (shown.state, shown.addresses, shown.reason, shown.proposed_by) == (
        "proposed", [f"{CHAT} (proven)"], "Same order number", ANA.name,
    )  # fmt: skip
    assert await merges.accept_merge(conn, by_mail, said, BEN) == "accepted"
    assert await list_owners(conn) != before
    assert await list_acts(conn) == [(ANA.name, "proposed a merge"), (BEN.name, "merged customers")]


async def test_after_a_merge_all_of_both_is_one_customers_and_one_story(pool: Pool, conn: Connection) -> None:
    by_mail, by_chat = await mail(pool, conn), await chat(pool, conn)
    kept, gone = await find_owner(conn, by_mail), await find_owner(conn, by_chat)
    await ask_csat(conn, by_chat, gone)
    await merge(conn, by_mail, CHAT)
    assert set((await list_owners(conn)).values()) == {kept}
    for talk in (by_mail, by_chat):
        thread = await load_thread(conn, talk)
        entries, _ = await list_entries(conn, thread, most=50)
        assert {entry.channel for entry in entries if entry.author == "customer"} == {"gmail", "whatsapp"}
        assert {address.split(" ")[0] for address in thread.addresses} == {MAIL, CHAT}


async def test_what_an_address_that_moved_writes_next_is_the_kept_customers(pool: Pool, conn: Connection) -> None:
    by_chat, by_mail = await chat(pool, conn), await mail(pool, conn)
    await merge(conn, by_chat, MAIL)
    assert await find_owner(conn, await mail(pool, conn)) == await find_owner(conn, by_mail)
    assert await conn.fetchval("select count(distinct customer_id) from customer_identifiers") == 1


async def test_an_undone_merge_leaves_everything_as_it_was(pool: Pool, conn: Connection) -> None:
    talks = [await mail(pool, conn), await chat(pool, conn), await fill_in_form(pool, conn)]
    gone = await find_owner(conn, talks[1])
    await ask_csat(conn, talks[1], gone)
    before = await list_owners(conn)
    await undo(conn, talks[0], await merge(conn, talks[0], CHAT))
    assert await list_owners(conn) == before
    assert (await list_acts(conn))[-1] == (BEN.name, "undid a merge")
    assert await count_notes(conn, talks[0]) == 2
    [shown] = await merges.list_merges(conn, gone)
    assert (shown.state, shown.is_kept, shown.undone_by) == ("undone", False, BEN.name)


async def test_what_came_after_a_merge_goes_back_with_the_address_it_came_by(pool: Pool, conn: Connection) -> None:
    by_mail, by_chat = await mail(pool, conn), await chat(pool, conn)
    by_form = await fill_in_form(pool, conn)
    kept, other, typed = [await find_owner(conn, talk) for talk in (by_mail, by_chat, by_form)]
    of_chat, of_form = await merge(conn, by_mail, CHAT), await merge(conn, by_mail, FORM)
    late = {
        await mail(pool, conn): kept,  # a new thread of an address that was theirs all along
        await take_up(pool, conn, await queue_chat(conn)): other,  # one word more where they wrote before
        await fill_in_form(pool, conn): typed,  # a new form
    }
    assert {await find_owner(conn, talk) for talk in late} == {kept}
    await undo(conn, by_mail, of_chat)
    await undo(conn, by_mail, of_form)
    assert {talk: await find_owner(conn, talk) for talk in late} == late
    assert await conn.fetchval(STRAYS) == 0


async def test_merges_in_a_row_are_undone_from_the_last_one_and_each_exactly(pool: Pool, conn: Connection) -> None:
    by_mail, by_chat, by_form = await mail(pool, conn), await chat(pool, conn), await fill_in_form(pool, conn)
    before = await list_owners(conn)
    first = await merge(conn, by_chat, FORM)
    between = await list_owners(conn)
    second = await merge(conn, by_mail, CHAT)
    assert len(set((await list_owners(conn)).values())) == 1
    assert await merges.undo_merge(conn, by_form, first, BEN) == "chained"
    await undo(conn, by_mail, second)
    assert await list_owners(conn) == between
    await undo(conn, by_form, first)
    assert await list_owners(conn) == before


async def test_two_merges_into_one_are_undone_in_any_order(pool: Pool, conn: Connection) -> None:
    by_mail = await mail(pool, conn)
    await chat(pool, conn)
    await fill_in_form(pool, conn)
    before = await list_owners(conn)
    of_chat, of_form = await merge(conn, by_mail, CHAT), await merge(conn, by_mail, FORM)
    await undo(conn, by_mail, of_chat)
    await undo(conn, by_mail, of_form)
    assert await list_owners(conn) == before
    await undo(conn, by_mail, await merge(conn, by_mail, CHAT))  # they may be merged anew
    assert await list_owners(conn) == before


async def test_a_proposal_about_somebody_who_is_part_of_another_by_now_has_to_be_made_anew(
    pool: Pool, conn: Connection
) -> None:
    by_mail, by_form = await mail(pool, conn), await fill_in_form(pool, conn)
    await chat(pool, conn)
    stale, later = await propose(conn, by_mail, CHAT), await propose(conn, by_form, CHAT)
    assert await merges.accept_merge(conn, by_form, later, BEN) == "accepted"
    held = await list_owners(conn)
    assert await merges.accept_merge(conn, by_mail, stale, BEN) == "outdated"
    assert await list_owners(conn) == held
    assert await merges.decline_merge(conn, by_mail, stale, BEN) == "accepted"


async def test_a_merge_needs_two_customers_we_know_and_is_proposed_once(pool: Pool, conn: Connection) -> None:
    by_mail, by_chat = await mail(pool, conn), await chat(pool, conn)
    waiting = await conn.fetchval(
        "select conversation_id from tickets where reference = $1", await submit(conn, "Not taken up yet")
    )
    for talk, other, outcome in (
        (by_mail, MAIL, "same"), (by_mail, "nobody@example.com", "stranger"), (waiting, MAIL, "nobody"),
        (uuid4(), MAIL, "missing"), (by_mail, CHAT, "accepted"), (by_mail, CHAT, "proposed"),
        (by_chat, MAIL, "proposed"),
    ):  # fmt: skip
        assert (await merges.propose_merge(conn, talk, other, "", ANA))["outcome"] == outcome
    assert await conn.fetchval("select count(*) from customer_merges") == 1


async def test_the_other_one_may_be_named_by_a_ticket(pool: Pool, conn: Connection) -> None:
    by_mail, by_form = await mail(pool, conn), await fill_in_form(pool, conn)
    ticket = await conn.fetchval("select reference from tickets where conversation_id = $1", by_form)
    await merge(conn, by_mail, ticket.lower())
    assert await find_owner(conn, by_form) == await find_owner(conn, by_mail)


async def test_a_declined_proposal_moves_nothing_and_is_not_suggested_again(pool: Pool, conn: Connection) -> None:
    by_mail, _ = await mail(pool, conn), await chat(pool, conn)
    whose, before = await find_owner(conn, by_mail), await list_owners(conn)
    [suggested] = await merges.list_candidates(conn, whose, [CHAT])
    assert (suggested.addresses, suggested.because) == ([f"{CHAT} (proven)"], "mentioned")
    said = await propose(conn, by_mail, CHAT)
    assert await merges.decline_merge(conn, by_mail, said, BEN) == "accepted"
    assert await merges.list_candidates(conn, whose, [CHAT]) == []
    for decide in (merges.accept_merge, merges.decline_merge, merges.undo_merge):
        assert await decide(conn, by_mail, said, ANA) == "decided"
    assert await list_owners(conn) == before


async def test_whoever_is_called_the_same_is_suggested_and_nobody_else(pool: Pool, conn: Connection) -> None:
    by_mail = await mail(pool, conn)
    await mail(pool, conn, "lena.roth@work.example")
    await chat(pool, conn)
    suggested = await merges.list_candidates(conn, await find_owner(conn, by_mail), ["nobody@example.com", MAIL])
    assert [(one.address, one.because) for one in suggested] == [("lena.roth@work.example", "name")]


async def test_however_long_the_name_somebody_gives_they_are_taken_up_and_compared(
    pool: Pool, conn: Connection
) -> None:
    by_mail = await mail(pool, conn)
    await conn.execute(
        "update customers set name = (select string_agg(new_id()::text, '') from generate_series(1, 500))"
    )
    assert await merges.list_candidates(conn, await find_owner(conn, by_mail), []) == []


async def test_only_people_merge_and_only_the_customer_in_hand(pool: Pool, conn: Connection) -> None:
    by_mail, _ = await mail(pool, conn), await chat(pool, conn)
    elsewhere = await fill_in_form(pool, conn)
    said = await propose(conn, by_mail, CHAT)
    machine = Actor("key", uuid4(), "a machine", "manager")
    assert await merges.accept_merge(conn, by_mail, said, machine) == "machine"
    for decide in (merges.accept_merge, merges.decline_merge, merges.undo_merge):
        assert await decide(conn, elsewhere, said, BEN) == "missing"
        assert await decide(conn, by_mail, uuid4(), BEN) == "missing"
    assert await conn.fetchval("select state from customer_merges") == "proposed"


async def read_past(conn: Connection, talk: UUID, trust: int) -> set[str]:
    """The channels of what the agent is shown."""
    earlier = await history.list_earlier_conversations(conn, conversation_id=talk, trust=trust)
    return {row["channel"] for row in earlier}


@pytest.mark.parametrize("kept", [MAIL, CHAT])
async def test_the_agent_sees_across_channels_as_long_as_a_person_has_merged(
    pool: Pool, conn: Connection, kept: str
) -> None:
    by_mail, by_chat = await mail(pool, conn), await chat(pool, conn)
    talk, other = (by_mail, CHAT) if kept == MAIL else (by_chat, MAIL)
    seen = []
    for merged in (None, await merge(conn, talk, other)):
        if merged:
            seen.append((await read_past(conn, by_mail, 1), await read_past(conn, by_chat, 3)))
            await undo(conn, talk, merged)
        seen.append((await read_past(conn, by_mail, 1), await read_past(conn, by_chat, 3)))
    assert seen[-2:] == [({"whatsapp"}, {"gmail"}), (set(), set())]


async def test_a_merge_shows_whoever_proves_nothing_nothing_and_nothing_they_wrote(
    pool: Pool, conn: Connection
) -> None:
    by_mail, by_form = await mail(pool, conn), await fill_in_form(pool, conn)
    await merge(conn, by_mail, FORM)
    assert await read_past(conn, by_form, 0) == set()
    assert await read_past(conn, by_mail, 1) == set()
