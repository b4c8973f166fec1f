"""A process dies at every point of a message's way, once and twice: each customer gets exactly one answer."""

import pytest

from tests.crash.fleet import ForkServer, fleet_in_process
from tests.crash.matrix import Desk
from tests.crash.points import DRAFTING, ONCE, ONCE_A_PART, SENDING, THINKING, Case, Point, Way, at, make_case

CHANNELS = ["web", "whatsapp", "drafts", "mute"]
POINTS: dict[str, tuple[Point, ...]] = {
    "web": THINKING,
    "whatsapp": (*THINKING, *SENDING),
    "drafts": (*THINKING, *DRAFTING, *SENDING),
    "mute": (*THINKING, *SENDING),
}
TOOK = "after the vendor took it"
MAKING_GOOD = ("before looking it up", "after looking it up", "before recording that it was sent")


def list_cases(channel: str, way: Way) -> list[Case]:
    """Every point of a channel once and, unless it is one of chance, twice; and deaths while a death is made good."""
    cases = []
    for point in POINTS[channel]:
        cases.append([(point, way)])
        if recurs(point, channel):
            cases.append([(point, way), (point, way)])
    if channel in ("whatsapp", "drafts"):
        cases += [[at(TOOK, way), at(words, way)] for words in MAKING_GOOD]
    numbered = [make_case(f"case{number}", channel, *hits) for number, hits in enumerate(cases, start=1)]
    return numbered + list_long_cases(channel, way, first=len(cases) + 1)


def recurs(point: Point, channel: str) -> bool:
    """Whether whoever takes over comes by here again, with certainty."""
    is_tried_again = channel != "mute" or point.words != "before the request to the vendor"
    return point.moment != "amid" and (point.step, point.moment) not in ONCE | ONCE_A_PART and is_tried_again


def list_long_cases(channel: str, way: Way, *, first: int) -> list[Case]:
    """A reply in three parts, and a death at each; on WhatsApp at every step of sending."""
    points = [point for point in POINTS[channel] if (point.step, point.moment) in ONCE_A_PART]
    if channel == "mute":
        points = [point for point in points if point.step == "end"]  # after any other the rest waits for a person
    cases = [[(point, way)] * 3 for point in points]
    if channel == "whatsapp":
        cases += [hits for point in SENDING if point not in points for hits in list_deaths_in_later_parts(point, way)]
    return [make_case(f"case{number}", channel, *hits, parts=3) for number, hits in enumerate(cases, start=first)]


def list_deaths_in_later_parts(point: Point, way: Way) -> list[list[tuple[Point, Way]]]:
    """At a point that a part may pass twice: in the second part, and in the third. In the first it is as in a reply of
    one part."""
    sent = at("after recording that it was sent", way)
    return [[sent, (point, way)], [sent, sent, (point, way)]]


async def run(desk: Desk, cases: list[Case], server: ForkServer | None, *, lives: int = 6) -> list[str]:
    await desk.write(cases)
    fleet = server.fleet(desk.world, lives=lives) if server else fleet_in_process(desk.world, lives=lives)
    async with fleet:
        await desk.settle()
    return await desk.judge_all()


@pytest.mark.parametrize("channel", CHANNELS)
async def test_one_answer_whenever_a_worker_crashes(desk: Desk, channel: str) -> None:
    assert await run(desk, list_cases(channel, "crash"), None) == []


@pytest.mark.parametrize("channel", CHANNELS)
async def test_one_answer_whenever_a_worker_is_killed(desk: Desk, fork_server: ForkServer, channel: str) -> None:
    assert await run(desk, list_cases(channel, "kill"), fork_server) == []


STOPS = (
    "after claiming the lane", "after opening the turn", "before searching", "before journalling a step",
    "before committing the turn", "before marking it as being sent", "after marking it as being sent",
    "before keeping the draft's id", "after keeping the draft's id", "before the request to the vendor", TOOK,
    "before recording that it was sent",
)  # fmt: skip


async def test_one_answer_whenever_a_worker_stands_still_for_longer_than_its_lease(
    desk: Desk, fork_server: ForkServer
) -> None:
    wanted = [(channel, point) for channel in CHANNELS for point in POINTS[channel] if point.words in STOPS]
    cases = [make_case(f"case{n}", channel, (point, "stop")) for n, (channel, point) in enumerate(wanted, start=1)]
    assert await run(desk, cases, fork_server, lives=16) == []
