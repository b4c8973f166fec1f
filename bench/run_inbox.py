"""The team's pages over a desk that has been used for years, and how soon every open inbox shows a change."""

import sys
import time

import orjson

from bench.ground import find_free_port, fresh_database, running, wait_for_health
from bench.inbox_browser import JSON, log_in, open_browser
from bench.inbox_filling import FULL, TENTH, WAITING, choose, fill
from bench.inbox_pages import list_cases, measure_pages
from bench.inbox_streams import measure_streams
from bench.inbox_words import choose_searched, cut_texts
from bench.report import Report
from bench.run_footprint import resident_mb
from db.pool import Connection, open_connection, open_pool
from tests.app.people import PASSWORD, add_person

TEXTS = 50_000


async def run(report: Report, *, quick: bool) -> None:
    """One web process on a full database; a quick run has a tenth of it, with as many who wait."""
    size, count = (TENTH, 25) if quick else (FULL, 60)
    texts = cut_texts(TEXTS, report.seed)
    port = find_free_port()
    async with fresh_database() as url:
        conn = await open_connection(url)
        began = time.monotonic()
        await fill(conn, size, texts, report.seed)
        print(f"filled in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        chosen = await choose(conn, count)
        await add_sizes(report, conn)
        kim = await add_person(conn)
        async with running("web", url, PORT=str(port)) as web, open_pool(url, size=1) as pool, pool.acquire() as own:
            await wait_for_health(port)
            cookie = await log_in(port, kim.name, PASSWORD)
            report.add("web process", "resident at the start", resident_mb(web.pid), "MB")
            await check_counts(report, port, cookie)
            await measure_pages(report, own, port, cookie, list_cases(chosen, choose_searched(texts)), count=count)
            report.add("web process", "resident after the pages", resident_mb(web.pid), "MB")
            await measure_streams(report, own, port, cookie, rounds=2 if quick else 5)
            report.add("web process", "resident with the streams", resident_mb(web.pid), "MB")
        await conn.close()


async def add_sizes(report: Report, conn: Connection) -> None:
    """What was filled in."""
    for table in ("customers", "conversations", "messages", "tickets", "turns"):
        report.add("filled in", table, await conn.fetchval(f"select count(*) from {table}"), "rows")  # noqa: S608
    size = await conn.fetchval("select pg_database_size(current_database()) / 1e6::float8")
    report.add("filled in", "database", size, "MB")


async def check_counts(report: Report, port: int, cookie: str) -> None:
    """Everyone who waits is counted once, and the count of a box is its number of rows."""
    async with open_browser(port, cookie) as browser:
        _, body = await browser.get("/inbox", JSON)
    found = orjson.loads(body)
    counts = found["counts"]
    if counts["people"] + counts["assistant"] + counts["snoozed"] != WAITING:
        report.broken_laws.append(f"{WAITING} customers wait, the boxes have {counts}")
    if counts["people"] != len(found["lines"]):
        report.broken_laws.append(f"the box says {counts['people']} and has {len(found['lines'])} rows")
