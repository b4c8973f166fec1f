"""A web process dies at every point of taking in a message, or a report: what was acknowledged is there, once."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from db.pool import Connection
from tests.crash.fleet import ForkServer, fleet_in_process
from tests.crash.matrix import Desk
from tests.crash.points import REPORTING, TAKING_IN, Case, Point, Way, at, make_case
from tests.crash.senders import find_port, send_until_taken
from tests.crash.world import World
from tests.stand_ins.journal import Knobs
from tests.stand_ins.vendor import running_vendor

WAYS: list[Way] = ["crash", "kill"]
ONLY_ONCE = ("after the 2xx",)  # nobody sends it again


def list_cases(channel: str, way: Way, points: tuple[Point, ...]) -> list[Case]:
    hits = [[(point, way)] for point in points]
    hits += [[(point, way)] * 2 for point in points if point.moment != "amid" and point.words not in ONLY_ONCE]
    return [make_case(f"case{number}", channel, *these) for number, these in enumerate(hits, start=1)]


@pytest.mark.parametrize("channel", ["web", "whatsapp"])
@pytest.mark.parametrize("way", WAYS)
async def test_one_answer_whenever_a_web_process_dies(
    desk: Desk, fork_server: ForkServer, channel: str, way: Way
) -> None:
    cases = list_cases(channel, way, TAKING_IN)
    await desk.conn.execute("update channel_configs set rate_per_ip = 1000, max_chars = 4000")
    fleet = fork_server.fleet if way == "kill" else fleet_in_process
    async with AsyncExitStack() as stack:
        worlds = {case.key: replace(desk.world, cases=(case,), port=find_port()) for case in cases}
        for world in worlds.values():
            await stack.enter_async_context(fleet(world, "web", lives=1))
        lanes = await asyncio.gather(*(send_until_taken(desk, case, worlds[case.key]) for case in cases))
        if any(desk.world.find_next(case) for case in cases):
            await asyncio.sleep(0.5)  # somebody may still be about to die, after the acknowledgement
    keys = (case.key for case in cases)
    desk.world = replace(desk.world, cases=tuple(cases), lanes=dict(zip(lanes, keys, strict=True)))
    async with fleet_in_process(desk.world):
        await desk.settle()
    assert await desk.judge_all() == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_report_proves_what_nobody_can_look_up_whenever_a_web_process_dies(
    database_url: str, conn: Connection, tmp_path: Path, fork_server: ForkServer, way: Way
) -> None:
    reports = list_cases("whatsapp", way, REPORTING)
    cases = [make_case(report.key, "whatsapp", at("after the vendor took it", way)) for report in reports]
    statuses = ["sent", "delivered", "read"]
    fleet = fork_server.fleet if way == "kill" else fleet_in_process
    knobs = Knobs(callbacks=statuses, callback_delay_seconds=0.3, callback_tries=50, index_lag_seconds=3600)
    async with running_vendor(knobs=knobs) as vendor, AsyncExitStack() as stack:
        desk = Desk(conn, vendor, World(database_url, vendor.url, str(tmp_path), (), {}, index_lag=3600))
        await desk.write(cases)
        (tmp_path / "web").mkdir()
        web = replace(desk.world, folder=str(tmp_path / "web"))
        ports = {report.key: find_port() for report in reports}
        for report in reports:
            own = replace(web, cases=(report,), port=ports[report.key])
            await stack.enter_async_context(fleet(own, "web", lives=1))
        await stack.enter_async_context(fleet(replace(desk.world, ports=ports)))
        await desk.settle()
        assert await desk.judge_all() == []
        assert [report.name for report in reports if web.find_next(report)] == []
        assert vendor.journal.callbacks["204"] == len(statuses) * len(cases)
    assert {
        row["delivery"] for row in await conn.fetch("select delivery from messages where direction = 'outbound'")
    } == {"read"}
