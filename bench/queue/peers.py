"""Who we are compared with: the barest loop over Postgres, and two queues of requirements-bench.txt."""

import importlib
import json
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import asyncpg

from bench.queue.ground import Meter, Server, make_payload
from db.pool import Pool

Rate = tuple[float, float]
"""Per second, and processor microseconds for each."""
PEERS = ("procrastinate", "pgqueuer")
ENQUEUE_BATCH = 1000


def find_peer(name: str) -> str | None:
    """The version that is installed, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


async def run_raw(server: Server, pool: Pool, count: int, batch: int = 50) -> Rate:
    """Claim 50, delete 50, rows of an id and a lease, nobody handles them: the limit of two commits per batch."""
    async with pool.acquire() as conn:
        await conn.execute("truncate raw_job")
        await conn.execute("insert into raw_job (lease_until) select null from generate_series(1, $1::int)", count)
        await conn.execute("vacuum analyze raw_job")
        meter = Meter(server)
        while rows := await conn.fetch(
            """
            update raw_job set lease_until = now() + interval '30 s' where id in (
              select id from raw_job where lease_until is null order by id limit $1 for update skip locked) returning id
            """,
            batch,
        ):
            await conn.execute("delete from raw_job where id = any($1::bigint[])", [row["id"] for row in rows])
        return meter.rate(count)


async def run_procrastinate(server: Server, url: str, count: int) -> Rate:
    """Ten at a time, jobs deleted when done: its fastest setting without batches, which it does not have."""
    procrastinate: Any = importlib.import_module("procrastinate")
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url, max_size=12))

    @app.task(name="no_op")  # type: ignore[untyped-decorator]
    async def no_op(**_: Any) -> None:
        return None

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for start in range(0, count, ENQUEUE_BATCH):
            size = min(ENQUEUE_BATCH, count - start)
            await no_op.batch_defer_async(*(make_payload(f"{start + number}") for number in range(size)))
        meter = Meter(server)
        await app.run_worker_async(
            concurrency=10, wait=False, delete_jobs="always", listen_notify=False, install_signal_handlers=False
        )
        return meter.rate(count)


async def run_pgqueuer(server: Server, url: str, count: int, *, batch: int) -> Rate:
    """Its asyncpg driver, draining in batches of 10 (its default) or more."""
    pgqueuer: Any = importlib.import_module("pgqueuer")
    drivers: Any = importlib.import_module("pgqueuer.db")
    types: Any = importlib.import_module("pgqueuer.types")
    conn = await asyncpg.connect(url)
    try:
        driver = drivers.AsyncpgDriver(conn)
        queries = pgqueuer.Queries(driver)
        await queries.install()
        payload = json.dumps(make_payload("1")).encode()
        for start in range(0, count, ENQUEUE_BATCH):
            size = min(ENQUEUE_BATCH, count - start)
            await queries.enqueue(["no_op"] * size, [payload] * size, [0] * size)
        desk = pgqueuer.PgQueuer(driver)

        @desk.entrypoint("no_op")  # type: ignore[untyped-decorator]
        async def no_op(_: Any) -> None:
            return None

        meter = Meter(server)
        await desk.run(batch_size=batch, mode=types.QueueExecutionMode.drain)
        return meter.rate(count)
    finally:
        await conn.close()


async def defer_procrastinate(url: str, count: int) -> float:
    """Jobs put on its queue one after the other over one connection, per second."""
    procrastinate: Any = importlib.import_module("procrastinate")
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        job = app.configure_task("no_op")
        return await count_per_second(lambda number: job.defer_async(**make_payload(f"{number}")), count)


async def enqueue_pgqueuer(url: str, count: int) -> float:
    """The same with pgqueuer."""
    pgqueuer: Any = importlib.import_module("pgqueuer")
    drivers: Any = importlib.import_module("pgqueuer.db")
    conn = await asyncpg.connect(url)
    try:
        queries = pgqueuer.Queries(drivers.AsyncpgDriver(conn))
        await queries.install()
        return await count_per_second(
            lambda number: queries.enqueue("no_op", json.dumps(make_payload(f"{number}")).encode()), count
        )
    finally:
        await conn.close()


async def count_per_second(act: Callable[[int], Awaitable[Any]], count: int) -> float:
    began = time.perf_counter()
    for number in range(count):
        await act(number)
    return count / (time.perf_counter() - began)
