"""Makes the recorded turns of this folder anew: python -m tests.replays.remake [SCENE ...].

Each scene runs through the real worker on a database of its own with the sample company's articles, and its last turn
is exported as `python -m app turn export` does it. Needed after a change that is meant to change what is called or
said; look at the difference before it is committed.
"""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from agent.models.base import ModelReply, ModelRequest
from agent.replay_file import dump, export
from app.embedded import open_embedded
from app.knowledge_files import SAMPLE_COMPANY, import_files
from db import queue, recordings
from db.migrate import migrate
from db.pool import Connection, Pool, open_connection, open_pool
from db.scratch import create_database, drop_database
from tests.fakes import claim_now, make_runner
from tests.replays.scenes import SCENES, Scene
from tests.shipped import install_fit
from worker.turn import TurnRunner

FOLDER = Path(__file__).parent
TEMPLATE = "recorded"
ANSWERS_TO = {"web": "ana.lima@example.com", "gmail": "ana.lima@example.com", "whatsapp": "+4915112345678"}


class Crash(Exception):
    """The worker died."""


class Dying:
    """A model during whose second step the worker dies."""

    def __init__(self, model: Any) -> None:
        self.model, self.name, self.steps = model, model.name, 0

    async def reply(self, request: ModelRequest) -> ModelReply:
        self.steps += 1
        if self.steps == 2:
            raise Crash
        reply: ModelReply = await self.model.reply(request)
        return reply


async def write(conn: Connection, scene: Scene, text: str, kinds: tuple[str, ...]) -> None:
    """One message as its channel would store it."""
    contact = ANSWERS_TO[scene.channel]
    kind, proof = ("phone", "provider") if scene.channel == "whatsapp" else ("email", "dmarc")
    payload = {
        "version": 1,
        "channel": scene.channel,
        "thread_key": contact if scene.channel == "whatsapp" else f"thread of {scene.name}",
        "external_id": uuid4().hex,
        "body": "\n".join(filter(None, (text, *(f"[{one}]" for one in kinds)))),
        "words": text,
        "subject": "A question" if scene.channel != "whatsapp" and text else "",
        "category": None,
        "trust": 3,
        "sent_at": datetime.now(UTC),
        "attached": [{"url": f"https://files.example/{one}", "type": f"{one}/any"} for one in kinds],
        "customer": {"kind": kind, "value": contact, "proof": proof, "name": scene.who, "plan": "pro"},
    }
    lane = f"{scene.channel}:{payload['thread_key']}"
    await queue.add_work(conn, lane, "inbound", payload, dedupe_key=f"{scene.channel}:{payload['external_id']}")


def make_scene_runner(scene: Scene, pool: Pool) -> TurnRunner:
    return make_runner(
        pool, *scene.make_models(), limits=scene.limits, daily_budget=scene.daily_budget, prices=scene.prices
    )


async def play(scene: Scene, pool: Pool) -> None:
    """All turns of the scene; what happens, happens to the last one."""
    async with pool.acquire() as conn:
        if scene.happens == "brake":
            await conn.execute("update channel_configs set replies_per_thread = $1", len(scene.messages) - 1)
        for number, message in enumerate(scene.messages, start=1):
            is_last = number == len(scene.messages)
            texts = (message,) if isinstance(message, str) else message
            for text in texts:
                await write(conn, scene, text, tuple(scene.files))
            if is_last and scene.happens == "off":
                await conn.execute("update channel_configs set mode = 'off'")
            if is_last and scene.happens == "stop":
                await conn.execute("update customer_identifiers set suppressed_at = now(), suppressed_why = 'STOP'")
            lane = await claim_now(conn, f"{scene.channel}:")
            runner = make_scene_runner(scene, pool)
            if is_last and scene.happens == "give_up":
                await runner.give_up(lane, "TimeoutError")
                continue
            if is_last and scene.happens == "crash":
                await crash(scene, pool, lane)
                lane = await claim_now(conn, f"{scene.channel}:")
            await runner.run(lane)


async def crash(scene: Scene, pool: Pool, lane: queue.ClaimedLane) -> None:
    """The first worker dies in its second step; who comes after it begins with what it left."""
    dying = tuple(Dying(model) for model in scene.make_models())
    try:
        await make_runner(pool, *dying, limits=scene.limits).run(lane)
    except Crash:
        return
    raise AssertionError("nothing crashed")


async def record(scene: Scene, server: str) -> str:
    """The last turn of the scene as it is exported."""
    name = f"recorded_{uuid4().hex[:8]}"
    admin = await open_connection(server)
    try:
        await create_database(admin, name, template=TEMPLATE)
        async with open_pool(database_of(server, name), size=4) as pool:
            await play(scene, pool)
            async with pool.acquire() as conn:
                turns = await recordings.list_recorded(conn)
        return dump(export(turns[-1]))
    finally:
        await drop_database(admin, name)
        await admin.close()


@asynccontextmanager
async def open_server() -> AsyncIterator[str]:
    """A Postgres of its own with a template that holds the sample company."""
    folder = Path(tempfile.mkdtemp(prefix="deskhand-replays-"))
    folder.chmod(0o755)
    try:
        async with open_embedded(folder) as embedded:
            admin = await open_connection(embedded.dsn)
            await create_database(admin, TEMPLATE)
            await admin.close()
            await fill(database_of(embedded.dsn, TEMPLATE))
            yield embedded.dsn
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def fill(url: str) -> None:
    async with open_pool(url, size=2) as pool:
        async with pool.acquire() as conn:
            await migrate(conn)
            await install_fit(conn)
        await import_files(pool, [SAMPLE_COMPANY])
        async with pool.acquire() as conn:
            await conn.execute("delete from message_queue")  # the articles' vectors: there is no model to make them
            await conn.execute("update lanes set pending = 0")
            await conn.execute(
                """
                insert into channel_configs (channel, max_chars, preferred_chars)
                values ('whatsapp', 1600, 300), ('gmail', 6000, 2000) on conflict (channel) do nothing
                """
            )


def database_of(server: str, name: str) -> str:
    return server.rsplit("/", 1)[0] + "/" + name


async def remake(names: list[str]) -> None:
    async with asyncio.timeout(timedelta(minutes=10).total_seconds()), open_server() as server:
        for scene in SCENES:
            if not names or scene.name in names:
                (FOLDER / f"{scene.name}.json").write_text(await record(scene, server), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(remake(sys.argv[1:]))
