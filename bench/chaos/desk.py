"""One chaos run from end to end: everything is started, beaten, left to recover, and judged."""

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from app.knowledge_files import SAMPLE_COMPANY, import_files
from bench.chaos.fleet import Fleet, Member
from bench.chaos.havoc import Havoc
from bench.chaos.oracle import Log, Verdict, judge, read_log
from bench.chaos.plan import Plan, make_bursts
from bench.chaos.producer import Producer
from bench.chaos.server import OwnPostgres
from bench.chaos.watch import Watch
from bench.ground import SECRET, find_free_port, wait_for_health
from db.migrate import migrate
from db.pool import open_connection, open_pool
from tests.stand_ins.http import NoConnection, call
from tests.stand_ins.webhooks import ACCOUNT, NUMBER, TOKEN

PUBLIC_URL = "https://desk.example.com"
SAY_EVERY = 5.0  # seconds
PAGES_AT_ONCE = 8

Say = Callable[[str], None]


@dataclass(slots=True)
class Outcome:
    """What a run found."""

    verdict: Verdict
    log: Log
    producer: Producer
    havoc: Havoc
    watch: Watch
    folder: Path
    """Logs of all processes; it is removed where no law was broken."""
    seconds: float
    """From the first message to the last one acknowledged."""
    is_drained: bool
    drain_seconds: float


@dataclass(slots=True)
class Ground:
    """What a run stands on once everything runs."""

    postgres: OwnPostgres
    fleet: Fleet
    webs: list[str]
    """Origins of the web processes."""
    vendor_url: str


async def run_chaos(plan: Plan, say: Say, *, keeps_logs: bool = False) -> Outcome:
    """One run of this plan. `say` is given a line of progress now and then."""
    folder = make_folder()
    async with open_ground(plan, folder) as ground:
        outcome = await strike_and_judge(plan, ground, folder, say)
    if not keeps_logs and not outcome.verdict.list_broken() and outcome.is_drained:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def make_folder() -> Path:
    """Open to all: run as root, Postgres is somebody else, who must get in."""
    folder = Path(tempfile.mkdtemp(prefix="deskhand-chaos-"))
    folder.chmod(0o755)
    return folder


@asynccontextmanager
async def open_ground(plan: Plan, folder: Path) -> AsyncIterator[Ground]:
    """Postgres with schema and articles, the vendor, the web and worker processes."""
    async with AsyncExitStack() as stack:
        postgres = OwnPostgres(folder)
        stack.push_async_callback(postgres.stop)
        await postgres.start()
        await fill_database(postgres.url, plan)
        ports = [find_free_port() for _ in range(plan.webs)]
        webs = [f"http://127.0.0.1:{port}" for port in ports]
        vendor = make_vendor(plan, folder, webs)
        settings = make_settings(plan, postgres.url, f"http://127.0.0.1:{vendor.number}")
        fleet = Fleet([vendor])
        for number, port in enumerate(ports):
            fleet.members.append(make_member("web", number, settings | {"PORT": str(port)}, folder))
        fleet.members += [make_member("worker", number, settings, folder) for number in range(plan.workers)]
        stack.push_async_callback(fleet.stop)
        for member in fleet.members:
            await member.start()
        for port in ports:
            await wait_for_health(port, 60)
        await wait_for_vendor(settings["TWILIO_API_BASE"])
        await wait_for_workers(postgres.url, plan.workers)
        yield Ground(postgres, fleet, webs, settings["TWILIO_API_BASE"])


async def fill_database(url: str, plan: Plan) -> None:
    conn = await open_connection(url)
    await migrate(conn)
    await conn.execute("update channel_configs set signature = $1 where channel = 'whatsapp'", plan.signature)
    await conn.close()
    async with open_pool(url, size=2) as pool:
        await import_files(pool, [SAMPLE_COMPANY])


def make_vendor(plan: Plan, folder: Path, webs: list[str]) -> Member:
    knobs = {
        "faults": plan.faults,
        "index_lag_seconds": plan.true_index_lag,
        "index_lag_is_random": True,
        "callback_delay_seconds": 0.5,
        "callback_never_share": 0.1,
        "callback_late_share": 0.02,
        "callback_late_seconds": plan.index_lag * 1.5,
        "callback_duplicate_share": 0.05,
        "webhook_targets": webs,
    }
    port = find_free_port()
    words = (
        "-m",
        "tests.stand_ins.vendor",
        "--port",
        str(port),
        "--seed",
        str(plan.seed),
        "--knobs",
        json.dumps(knobs),
    )
    return Member("vendor", port, {}, folder / "vendor.log", words)


def make_settings(plan: Plan, database_url: str, vendor_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "APP_SECRET": SECRET,
        "ADMIN_TOKEN": SECRET,
        "PUBLIC_BASE_URL": PUBLIC_URL,
        "EMBEDDINGS": "off",
        "LOG_LEVEL": "WARNING",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "WORKER_CONCURRENCY": str(plan.lanes_at_once),
        "WORKER_LEASE_SECONDS": f"{plan.lease:g}",
        "DEBOUNCE_SECONDS_WHATSAPP": f"{plan.debounce:g}",
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_WHATSAPP_FROM": NUMBER,
        "TWILIO_API_BASE": vendor_url,
        "TWILIO_INDEX_LAG_SECONDS": f"{plan.index_lag:g}",
    }


def make_member(kind: str, number: int, settings: dict[str, str], folder: Path) -> Member:
    return Member(
        kind,
        number,
        settings,
        folder / f"{kind}-{number}.log",
        ("-m", "app", kind),
    )


async def wait_for_vendor(url: str) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await call("GET", f"{url}/knobs")
            except NoConnection:
                await asyncio.sleep(0.05)
            else:
                return


async def wait_for_workers(url: str, count: int) -> None:
    """Until so many have said that they live."""
    conn = await open_connection(url)
    async with asyncio.timeout(60):
        while await conn.fetchval("select count(*) from workers") < count:
            await asyncio.sleep(0.1)
    await conn.close()


async def strike_and_judge(plan: Plan, ground: Ground, folder: Path, say: Say) -> Outcome:
    """The run itself."""
    watch = Watch(ground.postgres.url, ground.vendor_url)
    producer = Producer(plan, PUBLIC_URL, ground.webs, lambda: watch.backlog)
    havoc = Havoc(plan, ground.fleet, ground.postgres, producer)
    beside = [asyncio.create_task(member.keep_alive()) for member in ground.fleet.members]
    beside += [
        asyncio.create_task(watch.run()),
        asyncio.create_task(report_progress(plan, producer, watch, havoc, say)),
    ]
    striking = asyncio.create_task(havoc.run())
    try:
        began = time.monotonic()
        await write_all(plan, producer, folder)
        seconds = time.monotonic() - began
        striking.cancel()
        await havoc.settle()
        calm = time.monotonic()
        is_drained = await watch.wait_until_empty(plan.drain)
        drain_seconds = time.monotonic() - calm
        verdict, log = await reach_verdict(ground, producer, watch)
    finally:
        for task in (*beside, striking):
            task.cancel()
        await asyncio.gather(*beside, striking, return_exceptions=True)
    return Outcome(verdict, log, producer, havoc, watch, folder, seconds, is_drained, drain_seconds)


async def write_all(plan: Plan, producer: Producer, folder: Path) -> None:
    """Let the customers write. RuntimeError when nothing is acknowledged any more."""
    writing = asyncio.create_task(producer.run(make_bursts(plan)))
    seen, since = -1, time.monotonic()
    while not writing.done():
        if producer.acked != seen:
            seen, since = producer.acked, time.monotonic()
        elif time.monotonic() - since > plan.stall:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            raise RuntimeError(
                f"nothing was acknowledged for {plan.stall:g} s, {seen} before: see the logs in {folder}"
            )
        await asyncio.wait([writing], timeout=1)
    await writing


async def reach_verdict(ground: Ground, producer: Producer, watch: Watch) -> tuple[Verdict, Log]:
    await watch.read_journal()
    free = asyncio.Semaphore(PAGES_AT_ONCE)
    pages: dict[str, list[dict[str, object]]] = {}

    async def read(sid: str, number: int) -> None:
        async with free:
            answer = await producer.read_page(forms[number])
            pages[sid] = answer.read_json()["messages"] if answer.status == 200 else []

    forms = [message for message in producer.sent if message.is_form and message.page]
    await asyncio.gather(*(read(message.sid, number) for number, message in enumerate(forms)))
    conn = await open_connection(ground.postgres.url)
    try:
        log = await read_log(conn)
    finally:
        await conn.close()
    return judge(producer.sent, producer.refused, watch.accepted, pages, log), log


async def report_progress(plan: Plan, producer: Producer, watch: Watch, havoc: Havoc, say: Say) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(SAY_EVERY)
        say(
            f"{time.monotonic() - began:5.0f} s  acknowledged {producer.acked}/{plan.messages}  "
            f"replies accepted {len(watch.accepted)}  waiting {watch.backlog}  blows {havoc.blows.total()}"
        )
