"""From a form's acceptance to its claim by an idle worker, in real processes."""

import asyncio

from bench.ground import find_free_port, fresh_database, percentile, post_form, running, wait_for_health
from bench.report import Report
from db.pool import open_connection

GOAL_P50_MS = 3
GOAL_P99_MS = 15


async def run(report: Report, *, quick: bool) -> None:
    """Forms one at a time with pauses; the worker's own record of the wait counts, which includes the form's commit."""
    count = 100 if quick else 400
    port = find_free_port()
    async with (
        fresh_database() as url,
        running("web", url, PORT=str(port)),
        running("worker", url, EMBEDDINGS="off"),
    ):
        await wait_for_health(port)
        conn = await open_connection(url)
        await conn.execute("update channel_configs set rate_per_ip = 100000")
        await wait_for_worker(conn)
        for _ in range(count + 10):
            await asyncio.to_thread(post_form, port, "Hello there")
            await asyncio.sleep(0.02)
        async with asyncio.timeout(30):
            while await conn.fetchval("select count(*) from message_queue"):
                await asyncio.sleep(0.1)
        rows = await conn.fetch("select waiting_ms from agent_metrics order by finished_at offset 10")
        await conn.close()
    waits = [row["waiting_ms"] for row in rows]
    report.add("idle worker", "accepted to claimed, p50", percentile(waits, 0.5), "ms", at_most=GOAL_P50_MS)
    report.add("idle worker", "accepted to claimed, p99", percentile(waits, 0.99), "ms", at_most=GOAL_P99_MS)
    if len(waits) != count:
        report.broken_laws.append(f"{count} forms were accepted, {len(waits)} were answered")


async def wait_for_worker(conn: object) -> None:
    """Until a worker has said that it lives."""
    async with asyncio.timeout(20):
        while not await conn.fetchval("select count(*) from workers"):  # type: ignore[attr-defined]
            await asyncio.sleep(0.05)
