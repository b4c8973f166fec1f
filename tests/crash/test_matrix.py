"""A process dies at every point of a message's way, once and twice: each customer gets exactly one answer."""

from itertools import count

import pytest

from tests.crash.fleet import ForkServer, fleet_in_process
from tests.crash.matrix import Desk
from tests.crash.points import DRAFTING, SENDING, THINKING, Case, Point, Way, at, make_case

CHANNELS = ["web", "whatsapp", "drafts", "mute"]
POINTS: dict[str, tuple[Point, ...]] = {
    "web": THINKING,
    "whatsapp": (*THINKING, *SENDING),
    "drafts": (*THINKING, *DRAFTING, *SENDING),
    "mute": (*THINKING, *SENDING),
}
TOOK = "after the vendor took it"


def list_cases(channel: str, way: Way) -> list[Case]:
    """Every point of a channel once and, unless it is one of chance, twice; and deaths while a death is made good."""
    keys = (f"case{number}" for number in count(1))
    cases = []
    for point in POINTS[channel]:
        cases.append(make_case(next(keys), channel, (point, way)))
        if point.moment != "amid" or point.step == "send":
            cases.append(make_case(next(keys), channel, (point, way), (point, way)))
    if channel in ("whatsapp", "drafts"):
        for words in ("before looking it up", "after looking it up", "before recording that it was sent"):
            cases.append(make_case(next(keys), channel, at(TOOK, way), at(words, way)))
    return cases


async def run(desk: Desk, cases: list[Case], server: ForkServer | None) -> list[str]:
    await desk.write(cases)
    fleet = server.fleet(desk.world, lives=6) if server else fleet_in_process(desk.world, lives=6)
    async with fleet:
        await desk.settle()
    return await desk.judge_all()


@pytest.mark.parametrize("channel", CHANNELS)
async def test_one_answer_whenever_a_worker_crashes(desk: Desk, channel: str) -> None:
    assert await run(desk, list_cases(channel, "crash"), None) == []


@pytest.mark.parametrize("channel", CHANNELS)
async def test_one_answer_whenever_a_worker_is_killed(desk: Desk, fork_server: ForkServer, channel: str) -> None:
    assert await run(desk, list_cases(channel, "kill"), fork_server) == []
