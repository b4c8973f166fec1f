import asyncio

from db.listen import listen
from db.pool import Connection, Pool
from db.queue import notify


async def hears(heard: list[str], text: str) -> None:
    async with asyncio.timeout(10):
        while text not in heard:
            await asyncio.sleep(0.01)


async def test_listener_survives_the_loss_of_its_connection(database_url: str, pool: Pool, conn: Connection) -> None:
    heard: list[str] = []
    task = asyncio.create_task(listen(database_url, "some_channel", heard.append))
    await hears(heard, "")
    await notify(conn, "some_channel", "first")
    await hears(heard, "first")
    heard.clear()
    await conn.execute(
        """
        select pg_terminate_backend(pid) from pg_stat_activity
         where query ilike 'listen%' and datname = current_database()
        """
    )
    await hears(heard, "")  # connected again: what was sent in between is lost, so look
    await notify(conn, "some_channel", "second")
    await hears(heard, "second")
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
