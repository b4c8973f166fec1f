import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.wakeup import Announcer, ReplyHub, Waker, open_hub, open_waker
from db.listen import listen
from db.pool import Pool, open_pool
from db.queue import REPLY_CHANNEL, WORK_CHANNEL, notify


@asynccontextmanager
async def hear(url: str, channel: str) -> AsyncIterator[list[str]]:
    """What arrives on a channel; the first is the empty hint that we are listening."""
    heard: list[str] = []
    task = asyncio.create_task(listen(url, channel, heard.append))
    async with asyncio.timeout(5):
        while not heard:
            await asyncio.sleep(0.01)
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.wait([task])


async def wait_for(count: int, heard: list[str]) -> None:
    async with asyncio.timeout(5):
        while len(heard) < count:
            await asyncio.sleep(0.01)


async def test_poke_wakes_whoever_listens(database_url: str, pool: Pool) -> None:
    async with hear(database_url, WORK_CHANNEL) as heard, open_waker(pool) as waker:
        waker.poke()
        await wait_for(2, heard)
        waker.poke(0.02)
        await wait_for(3, heard)


async def test_pokes_while_one_is_in_flight_become_one_more(database_url: str, pool: Pool) -> None:
    async with hear(database_url, WORK_CHANNEL) as heard, open_waker(pool) as waker:
        for _ in range(100):
            waker.poke()
        await asyncio.sleep(0)
        for _ in range(100):
            waker.poke()
        assert waker.task is not None
        await waker.task
        await wait_for(2, heard)
        await asyncio.sleep(0.05)
        assert len(heard) <= 3


async def test_failed_poke_is_nobodys_problem() -> None:
    async with open_pool("postgresql://desk:desk@127.0.0.1:1/none", size=1) as pool:
        waker = Waker(pool)
        waker.poke()
        assert waker.task is not None
        await waker.task
        await waker.close()


async def test_announcements_of_many_threads_go_together_and_none_is_lost(database_url: str, pool: Pool) -> None:
    threads = [f"TF-{number}" for number in range(200)]
    statements: list[str] = []
    async with hear(database_url, REPLY_CHANNEL) as heard, open_pool(database_url, size=1) as own:
        async with own.acquire() as conn:
            conn.add_query_logger(lambda record: statements.append(record.query))
        announcer = Announcer(own)
        for thread in threads * 3:
            await announcer.announce(thread)
        await announcer.flush()
        await wait_for(201, heard)
    assert sorted(heard[1:]) == sorted(threads)
    assert len(statements) == 1


async def test_thread_that_changes_while_its_hint_is_in_flight_is_announced_again(
    database_url: str, pool: Pool
) -> None:
    async with hear(database_url, REPLY_CHANNEL) as heard:
        announcer = Announcer(pool)
        await announcer.announce("TF-1")
        await asyncio.sleep(0)
        assert not announcer.wanted  # on its way: what comes now is another change
        await announcer.announce("TF-1")
        await announcer.announce("TF-2")
        await announcer.flush()
        await wait_for(4, heard)
    assert sorted(heard[1:]) == ["TF-1", "TF-1", "TF-2"]


async def test_announcer_whose_worker_ends_sends_what_is_left_first(database_url: str, pool: Pool) -> None:
    async with hear(database_url, REPLY_CHANNEL) as heard:
        announcer = Announcer(pool)
        beside = asyncio.create_task(announcer.flush_at_the_end())
        await asyncio.sleep(0)
        await announcer.announce("TF-1")
        beside.cancel()
        await asyncio.wait([beside])
        assert announcer.task is not None
        assert announcer.task.done()
        await wait_for(2, heard)
    assert heard[1:] == ["TF-1"]


async def test_announcement_nobody_can_carry_is_nobodys_problem() -> None:
    async with open_pool("postgresql://desk:desk@127.0.0.1:1/none", size=1) as pool:
        announcer = Announcer(pool)
        await announcer.announce("TF-1")
        await announcer.flush()
        assert not announcer.wanted


async def test_page_is_woken_by_its_own_ticket_only(database_url: str, pool: Pool) -> None:
    async with open_hub(database_url) as hub, hub.subscribe("TF-1") as mine, hub.subscribe("TF-2") as other:
        async with asyncio.timeout(5):
            await mine.wait()  # the hint that comes with the connection
        mine.clear()
        other.clear()
        async with pool.acquire() as conn:
            await notify(conn, REPLY_CHANNEL, "TF-1")
        async with asyncio.timeout(5):
            await mine.wait()
        assert not other.is_set()


async def test_hub_without_a_database_serves_those_who_look_by_the_clock() -> None:
    async with open_hub("postgresql://desk:desk@127.0.0.1:1/none") as hub, hub.subscribe("TF-1") as hint:
        hub.wake("TF-1")
        assert hint.is_set()


async def test_hub_forgets_pages_that_are_gone() -> None:
    hub = ReplyHub()
    async with hub.subscribe("TF-1"), hub.subscribe("TF-1"):
        assert hub.count == 2
    assert (hub.count, hub.waiting) == (0, {})
