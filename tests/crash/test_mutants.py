"""The matrix is only worth what it finds: each of these mistakes makes it fail, and without them it passes."""

from dataclasses import replace

import pytest

from db.pool import Pool
from tests.crash.fleet import fleet_in_process
from tests.crash.matrix import Desk
from tests.crash.mutants import MUTANTS, Mutant
from tests.crash.points import make_case
from tests.crash.scenes import Scene

SCENES = sorted({mutant.scene for mutant in MUTANTS if mutant.scene}, key=lambda scene: scene.__name__)


@pytest.fixture
def quick(desk: Desk) -> Desk:
    """One case at a time needs less patience; the vendor's lists lag for longer than a lease."""
    desk.vendor.knobs.index_lag_seconds = 1.5
    desk.world = replace(desk.world, lease=0.8, index_lag=1.6, poll=0.05)
    return desk


async def find_wrong(mutant: Mutant, desk: Desk, pool: Pool) -> str | None:
    """What the mutant's case finds."""
    if mutant.scene is not None:
        return await mutant.scene(desk, pool)
    case = make_case("case1", mutant.channel, *mutant.hits)
    await desk.write([case])
    async with fleet_in_process(desk.world, lives=2):
        await desk.settle()
    return await desk.judge(case)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
async def test_the_matrix_finds(quick: Desk, pool: Pool, mutant: Mutant) -> None:
    quick.patience = 8
    await mutant.infect(quick.conn)
    with mutant.code():
        wrong = await find_wrong(mutant, quick, pool)
    assert wrong, "the mutant survives"


async def test_without_a_mistake_nothing_is_found(quick: Desk) -> None:
    wanted = {(mutant.channel, mutant.hits) for mutant in MUTANTS if mutant.hits}
    cases = [
        make_case(f"case{n}", channel, *hits) for n, (channel, hits) in enumerate(sorted(wanted, key=str), start=1)
    ]
    await quick.write(cases)
    async with fleet_in_process(quick.world, lives=4):
        await quick.settle()
    assert await quick.judge_all() == []


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_all_is_well_when_several_are_at_it(quick: Desk, pool: Pool, scene: Scene) -> None:
    assert await scene(quick, pool) is None
