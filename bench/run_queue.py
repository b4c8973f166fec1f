"""The queue against the raw limit and two peers: how fast, how even, how soon it recovers."""

from app.collector import spare_collector
from bench.queue import enqueue, heavy, kills, throughput, waking
from bench.queue.ground import open_server
from bench.queue.peers import PEERS, find_peer
from bench.report import Report
from db.pool import open_connection


async def run(report: Report, *, quick: bool) -> None:
    """Every part on the same server, one after the other."""
    for name in PEERS:
        if installed := find_peer(name):
            report.versions[name] = installed
        else:
            report.notes.append(f"{name} is not installed (requirements-bench.txt): its rows are missing")
    spare_collector()  # as every worker does
    async with open_server() as server:
        conn = await open_connection(server.dsn)
        report.versions["postgres"] = await conn.fetchval("show server_version")
        await conn.close()
        for part in (throughput, enqueue, waking, heavy, kills):
            await part.run(report, server, quick=quick)
