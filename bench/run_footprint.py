"""What the processes weigh: resident memory after work, and how long the web process takes to import."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from bench.ground import find_free_port, fresh_database, post_form, running, wait_for_health
from bench.report import Report
from bench.run_wake import wait_for_worker
from db.pool import open_connection

GOALS_MB = {"web": 110, "worker": 150, "worker with local embeddings": 280}
GOAL_IMPORT_SECONDS = 0.6


async def run(report: Report, *, quick: bool) -> None:
    """Each process after it has served twenty forms; Linux only, which tells the memory of a process."""
    port = find_free_port()
    async with fresh_database() as url:
        for embeddings, name in (("off", "worker"), ("local", "worker with local embeddings")):
            async with (
                running("web", url, PORT=str(port)) as web,
                running("worker", url, EMBEDDINGS=embeddings) as worker,
            ):
                await wait_for_health(port)
                conn = await open_connection(url)
                await wait_for_worker(conn)
                for _ in range(20):
                    await asyncio.to_thread(post_form, port, "How do I export a board to a spreadsheet?")
                async with asyncio.timeout(60):
                    while await conn.fetchval("select count(*) from message_queue"):
                        await asyncio.sleep(0.1)
                await conn.execute("delete from workers")
                await conn.close()
                report.add(name, "resident", resident_mb(worker.pid), "MB", at_most=GOALS_MB[name])
                if embeddings == "off":
                    report.add("web", "resident", resident_mb(web.pid), "MB", at_most=GOALS_MB["web"])
    seconds = min(time_import() for _ in range(2 if quick else 5))
    report.add("import app.main", "best of several", seconds, "s", at_most=GOAL_IMPORT_SECONDS)


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def time_import() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import app.main"], check=True)
    return time.perf_counter() - began
