"""What the database itself promises about people, sessions and the record."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg
import pytest

from db.audit import list_audit, note_audit, note_view
from db.handover import assign
from db.people import (
    Actor,
    accept_invitation,
    change_password,
    change_role,
    deactivate_person,
    invite,
    list_people,
    win_totp_step,
)
from db.pool import Connection, Pool
from db.sessions import TOKEN_HOLDER, find_session, list_sessions, start_session

KIM = Actor("person", None, "kim@example.com", "agent")


async def add_admin(conn: Connection, email: str) -> Actor:
    token = secrets.token_bytes(32)
    await invite(conn, TOKEN_HOLDER, email, "admin", token)
    person = await accept_invitation(conn, token, name="Somebody", password_hash="x")
    assert person is not None
    return person


@pytest.mark.parametrize(
    "statement",
    ["update audit set action = 'x'", "delete from audit", "delete from audit where false", "truncate audit",
     "truncate audit cascade", "insert into audit (id, actor_kind, actor_name, action, about) overriding system value "
     "values (1, 'person', 'x', 'x', 'x') on conflict (id) do update set action = 'y'"],
)  # fmt: skip
async def test_the_record_only_grows(conn: Connection, statement: str) -> None:
    await note_audit(conn, KIM, "login", "person:1")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await conn.execute(statement)
    assert await conn.fetchval("select array_agg(action) from audit") == ["login"]


async def test_what_is_undone_is_not_recorded(conn: Connection) -> None:
    undone = conn.transaction()
    await undone.start()
    await add_admin(conn, "kim@example.com")
    await undone.rollback()
    assert await list_audit(conn, actor=None, about=None, before=None, limit=10) == []


async def test_a_view_is_recorded_again_after_ten_minutes_and_for_everybody_apart(conn: Connection) -> None:
    await conn.execute(
        "insert into audit (at, actor_kind, actor_name, action, about) values "
        "(now() - interval '10 minutes 1 second', 'person', 'kim@example.com', 'view', 'customer:1'), "
        "(now() - interval '9 minutes', 'person', 'kim@example.com', 'view', 'customer:2'), "
        "(now(), 'person', 'kim@example.com', 'login', 'customer:3')"
    )
    for about in ("customer:1", "customer:2", "customer:3"):
        for _ in range(2):
            await note_view(conn, KIM, about)
    await note_view(conn, Actor("key", None, "kim@example.com", "agent"), "customer:2")
    added = await conn.fetch("select actor_kind, about from audit order by id offset 3")
    assert [tuple(row) for row in added] == [
        ("person", "customer:1"), ("person", "customer:3"), ("key", "customer:2"),
    ]  # fmt: skip


async def test_two_admins_who_demote_each_other_leave_one(pool: Pool, conn: Connection) -> None:
    for attempt in range(10):
        pair = [await add_admin(conn, f"{name}{attempt}@example.com") for name in ("kim", "lee")]

        async def remove(who: Actor, whom: Actor, way: int) -> str:
            assert whom.id
            async with pool.acquire() as other:
                if way:
                    return await deactivate_person(other, who, whom.id)
                return await change_role(other, who, whom.id, "agent")

        outcomes = await asyncio.gather(remove(pair[0], pair[1], attempt % 2), remove(pair[1], pair[0], 0))
        assert sorted(outcomes) == ["accepted", "last_admin"]
        admins = [one for one in await list_people(conn) if one.role == "admin" and one.is_active]
        assert len(admins) == 1
        await conn.execute("update people set role = 'agent'")


async def test_an_invitation_accepted_twice_at_once_makes_one_person(pool: Pool, conn: Connection) -> None:
    token = secrets.token_bytes(32)
    await invite(conn, TOKEN_HOLDER, "kim@example.com", "agent", token)

    async def accept(password: str) -> Actor | None:
        async with pool.acquire() as other:
            return await accept_invitation(other, token, name="Kim", password_hash=password)

    joined = await asyncio.gather(*(accept(str(n)) for n in range(5)))
    assert sum(one is not None for one in joined) == 1
    assert len(await list_people(conn)) == 1


async def test_a_code_used_twice_at_once_is_good_once(pool: Pool, conn: Connection) -> None:
    person = await add_admin(conn, "kim@example.com")

    async def use() -> bool:
        assert person.id
        async with pool.acquire() as other:
            return await win_totp_step(other, person.id, 7)

    assert sorted(await asyncio.gather(*(use() for _ in range(5)))) == [False] * 4 + [True]


Act = Callable[[Connection, Actor], Coroutine[Any, Any, None]]


async def demote(conn: Connection, who: Actor) -> None:
    assert who.id
    await change_role(conn, TOKEN_HOLDER, who.id, "agent")


async def deactivate(conn: Connection, who: Actor) -> None:
    assert who.id
    await deactivate_person(conn, TOKEN_HOLDER, who.id)


async def give_password(conn: Connection, who: Actor) -> None:
    await change_password(conn, who, "another", keep=None)


async def look(conn: Connection, who: Actor) -> None:
    await find_session(conn, b"second", None)


async def log_in_again(conn: Connection, who: Actor) -> None:
    await start_session(conn, who, b"third", token_hash=None, browser=None, old=b"second")


async def until_blocked(conn: Connection, number: int, task: asyncio.Task[Any]) -> None:
    """Until so many connections to this database wait for a lock, or the task is done."""
    count = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    while await conn.fetchval(count) < number and not task.done():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("use", [look, log_in_again])
@pytest.mark.parametrize("change", [demote, deactivate, give_password])
async def test_a_session_is_used_while_its_person_is_changed_and_neither_fails(
    pool: Pool, conn: Connection, change: Act, use: Act
) -> None:
    await add_admin(conn, "lee@example.com")
    for attempt in range(3):
        kim = await add_admin(conn, f"kim{attempt}@example.com")
        await conn.execute("delete from sessions")
        for name in (b"first", b"second"):
            await start_session(conn, kim, name, token_hash=None, browser=None, old=None)
        await conn.execute("update sessions set last_seen_at = now() - interval '2 minutes'")
        async with pool.acquire() as one, pool.acquire() as two, pool.acquire() as three:
            async with three.transaction():
                await three.execute("select from sessions where id_hash = 'first' for update")
                changing = asyncio.create_task(change(one, kim))
                await until_blocked(conn, 1, changing)  # it has the person, and waits for the first session
                using = asyncio.create_task(use(two, kim))
                await until_blocked(conn, 2, using)
                assert using.done()  # it waits for nobody who may come to wait for it
            await asyncio.gather(changing, using)


async def test_an_invitation_is_accepted_while_its_person_is_deactivated_and_neither_fails(
    pool: Pool, conn: Connection
) -> None:
    pair = [await add_admin(conn, f"{name}@example.com") for name in ("kim", "lee")]
    kim, lee = sorted(pair, key=lambda one: str(one.id))  # admins are taken in this order
    await invite(conn, TOKEN_HOLDER, kim.name, "admin", b"token")
    async with pool.acquire() as one, pool.acquire() as two, pool.acquire() as three:
        async with three.transaction():
            await three.execute("select from people where id = $1 for no key update", lee.id)
            leaving = asyncio.create_task(deactivate(one, kim))
            await until_blocked(conn, 1, leaving)  # it has Kim, and waits for Lee
            joining = asyncio.create_task(accept_invitation(two, b"token", name="Kim", password_hash="y"))
            await until_blocked(conn, 2, joining)
        _, joined = await asyncio.gather(leaving, joining)
    assert joined is None  # who was deactivated comes back by an invitation made after that
    assert [one.email for one in await list_people(conn) if one.is_active] == [lee.name]


async def add_tickets_of(conn: Connection, email: str) -> None:
    """One open, one answered, one resolved, each in a conversation of its own."""
    await conn.execute(
        """
        with talks as (insert into conversations (channel, thread_key) select 'web', n from generate_series(1, 3) n
                       returning id, thread_key)
        insert into tickets (reference, conversation_id, status, assignee, team)
        select 'TF-' || thread_key, id, (array['escalated', 'answered', 'resolved'])[thread_key::int], $1, 'support'
          from talks
        """,
        email,
    )


async def test_whoever_leaves_leaves_their_open_customers_to_the_team_and_no_route_names_them(
    conn: Connection,
) -> None:
    kim, lee = [await add_admin(conn, f"{name}@example.com") for name in ("kim", "lee")]
    await add_tickets_of(conn, kim.name)
    await conn.execute("update tickets set team = null where status = 'answered'")
    await conn.execute(
        "update escalation_routes set team = 'billing', assignee = $1, notify = array[$1, $2]", kim.name, lee.name
    )
    await deactivate(conn, kim)
    held = await conn.fetch("select reference, assignee, team from tickets order by reference")
    assert [tuple(row) for row in held] == [
        ("TF-1", None, "support"), ("TF-2", None, "billing"), ("TF-3", kim.name, "support"),
    ]  # fmt: skip
    routes = await conn.fetch("select distinct team, assignee, notify from escalation_routes")
    assert [tuple(row) for row in routes] == [("billing", None, [lee.name])]
    noted = await conn.fetchval("select details from audit where action = 'deactivated'")
    assert noted == {"tickets": 2, "routes": await conn.fetchval("select count(*) from escalation_routes")}
    # a ticket that was resolved says who had it, until it is opened again
    again = "update tickets set status = 'escalated' where reference = 'TF-3' returning assignee"
    assert await conn.fetchval(again) is None


async def test_the_last_admin_who_may_not_leave_keeps_their_customers(conn: Connection) -> None:
    kim = await add_admin(conn, "kim@example.com")
    await add_tickets_of(conn, kim.name)
    await deactivate(conn, kim)
    assert await conn.fetchval("select count(*) from tickets where assignee = $1", kim.name) == 3


async def test_a_conversation_is_held_by_somebody_while_its_person_leaves_and_nobody_fails(
    pool: Pool, conn: Connection
) -> None:
    kim, _ = [await add_admin(conn, f"{name}@example.com") for name in ("kim", "lee")]
    await add_tickets_of(conn, kim.name)
    async with pool.acquire() as one, pool.acquire() as two:
        async with two.transaction():
            await two.execute("select from conversations where thread_key = '1' for update")
            leaving = asyncio.create_task(deactivate(one, kim))
            await until_blocked(conn, 1, leaving)  # it has no person yet
            await two.execute("set local lock_timeout = '2s'")
            await two.execute("select from people for no key update")
        await leaving
    assert await conn.fetchval("select count(*) from tickets where assignee is null") == 2


async def test_a_ticket_given_to_somebody_who_is_leaving_is_not_theirs(pool: Pool, conn: Connection) -> None:
    kim, lee = [await add_admin(conn, f"{name}@example.com") for name in ("kim", "lee")]
    await add_tickets_of(conn, lee.name)
    async with pool.acquire() as one, pool.acquire() as two:
        async with two.transaction():
            await deactivate(two, kim)
            giving = asyncio.create_task(assign(one, "TF-1", kim.name, lee))
            await until_blocked(conn, 1, giving)
        assert await giving == "unknown"
    assert await conn.fetchval("select count(*) from tickets where assignee = $1", kim.name) == 0


async def test_sessions_long_over_are_forgotten(conn: Connection) -> None:
    person = await add_admin(conn, "kim@example.com")
    for name in (b"old", b"recent"):
        await start_session(conn, person, name, token_hash=None, browser=None, old=None)
    await conn.execute("update sessions set expires_at = now() - interval '31 days' where id_hash = 'old'")
    await conn.execute("update sessions set expires_at = now() - interval '29 days' where id_hash = 'recent'")
    await start_session(conn, person, b"new", token_hash=None, browser=None, old=None)
    assert {row["id_hash"] for row in await conn.fetch("select id_hash from sessions")} == {b"recent", b"new"}
    assert [one.id_hash for one in await list_sessions(conn, person.id)] == [b"new"]


async def test_every_table_and_column_of_people_says_what_it_is(conn: Connection) -> None:
    bare = await conn.fetch(
        """
        select c.relname || '.' || a.attname as name
          from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         where c.oid = any (array['people', 'invitations', 'sessions', 'api_keys', 'audit']::regclass[])
           and (col_description(c.oid, a.attnum) is null or obj_description(c.oid) is null)
        """
    )
    assert [row["name"] for row in bare] == []
