"""Only somebody who looks has looked: what an open page does by itself is nobody's look and keeps nobody logged in."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import httpx2
import pytest
from starlette.responses import Response

from app.access import staff
from app.live import stream_changes
from app.state import DeskRequest
from app.wakeup import ALL
from db.people import Actor, deactivate_person
from db.pool import Connection, Pool
from db.sessions import TOKEN_HOLDER
from tests.app.desk import HTML, open_desk
from tests.app.people import add_person, open_browser
from tests.worker.telling_desk import escalate, find_talk

REFRESH = {"X-Refresh": "1"}
BY_ITSELF = [REFRESH, {"Sec-Fetch-Dest": "image"}, {"Sec-Fetch-Dest": "iframe"}]
BY_SOMEBODY: list[dict[str, str]] = [{}, {"Sec-Fetch-Dest": "document"}, {"Sec-Fetch-Dest": "empty"}]


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with open_desk(database_url) as client:
        yield client


async def add_view(conn: Connection, who: Actor, talk: UUID, ago: timedelta) -> None:
    """Somebody looked at a conversation so long ago."""
    await conn.execute(
        """
        insert into audit (at, actor_kind, actor_id, actor_name, action, about)
        values (now() - $1::interval, $2, $3, $4, 'view', $5)
        """,
        ago, who.kind, who.id, who.name, f"conversation:{talk}",
    )  # fmt: skip


async def count_views(conn: Connection) -> int:
    found: int = await conn.fetchval("select count(*) from audit where action = 'view'")
    return found


async def is_seen(conn: Connection) -> bool:
    found: bool = await conn.fetchval("select bool_and(seen_at is not null) from notices")
    return found


async def test_a_page_left_open_has_not_seen_that_the_customer_needs_a_person_again(
    desk: httpx2.AsyncClient, pool: Pool, conn: Connection
) -> None:
    who = await add_person(conn)
    kim = await open_browser(conn, who) | HTML
    talk = await find_talk(conn, await escalate(pool, conn))
    await add_view(conn, who, talk, timedelta(hours=1))
    assert (await desk.get(f"/conversations/{talk}", headers=kim | REFRESH)).status_code == 200
    assert not await is_seen(conn)
    assert await count_views(conn) == 1
    assert (await desk.get(f"/conversations/{talk}", headers=kim)).status_code == 200
    assert await is_seen(conn)
    assert await count_views(conn) == 2


async def test_who_reads_a_conversation_is_recorded_whatever_their_program_says(
    desk: httpx2.AsyncClient, pool: Pool, conn: Connection
) -> None:
    who = await add_person(conn)
    kim = await open_browser(conn, who) | HTML
    talk = await find_talk(conn, await escalate(pool, conn))
    await add_view(conn, who, talk, timedelta(hours=25))  # no session is that old
    for _ in range(2):
        assert (await desk.get(f"/conversations/{talk}", headers=kim | REFRESH)).status_code == 200
        assert await count_views(conn) == 2


async def is_kept_alive(desk: httpx2.AsyncClient, conn: Connection, method: str, path: str, **more: str) -> bool:
    """Whether this request puts off that the session, unused for seven hours, is over."""
    await conn.execute("update sessions set last_seen_at = now() - interval '7 hours'")
    await conn.execute("update people set last_seen_at = now() - interval '7 hours'")
    answer = await desk.request(method, path, headers=more)
    assert answer.status_code == 200, answer.text
    moved = "select last_seen_at > now() - interval '1 hour' from"
    in_session, in_team = await conn.fetchval(f"{moved} sessions"), await conn.fetchval(f"{moved} people")
    assert in_session == in_team
    return bool(in_session)


async def test_a_session_is_over_eight_hours_after_somebody_did_something_however_many_pages_are_open(
    desk: httpx2.AsyncClient, pool: Pool, conn: Connection
) -> None:
    kim = await open_browser(conn, await add_person(conn)) | HTML
    talk = await find_talk(conn, await escalate(pool, conn))
    for path in ("/inbox", f"/conversations/{talk}"):
        assert not await is_kept_alive(desk, conn, "HEAD", f"{path}/events", **kim)
        for marks in BY_ITSELF:
            assert not await is_kept_alive(desk, conn, "GET", path, **kim, **marks)
        for marks in BY_SOMEBODY:
            assert await is_kept_alive(desk, conn, "GET", path, **kim, **marks)
    pressed = kim | REFRESH | {"Accept": "application/json"}
    assert await is_kept_alive(desk, conn, "POST", f"/conversations/{talk}/take-over", **pressed)
    await conn.execute("update sessions set last_seen_at = now() - interval '481 minutes'")
    assert (await desk.get("/inbox", headers=kim)).status_code == 401


End = Callable[[Connection, Actor], Awaitable[object]]


async def log_out(conn: Connection, who: Actor) -> object:
    return await conn.execute("update sessions set ended_at = now() where person_id = $1", who.id)


async def idle(conn: Connection, who: Actor) -> object:
    return await conn.execute(
        "update sessions set last_seen_at = now() - interval '9 hours' where person_id = $1", who.id
    )


async def deactivate(conn: Connection, who: Actor) -> object:
    assert who.id
    return await deactivate_person(conn, TOKEN_HOLDER, who.id)


@pytest.mark.parametrize("end", [log_out, idle, deactivate])
async def test_an_open_page_is_told_nothing_more_once_its_session_is_over(
    database_url: str, conn: Connection, end: End
) -> None:
    kim, readings = await add_person(conn), 0

    async def stream(request: DeskRequest) -> Response:
        async def read() -> str:
            nonlocal readings
            readings += 1
            if readings == 3:
                await end(conn, kim)
            request.state["hub"].wake(ALL)
            return f"stamp {readings}"

        return await stream_changes(request, ALL, read, check_every=0)

    async with open_desk(database_url, more=[staff("/watched/events", stream)]) as desk, asyncio.timeout(30):
        told = await desk.get("/watched/events", headers=await open_browser(conn, kim))
    assert (told.status_code, told.text.count("event: change"), readings) == (200, 3, 3)
