"""One seed: a world, its workload and its troubles; then peace, and the checks; then everything killed and recovered, and the checks again."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from tests.simulation import checks
from tests.simulation.virtual_loop import run_virtual
from tests.simulation.workload import Workload, chaos
from tests.simulation.world import World

REST_S = 60.0  # virtual; a world without faults comes to rest in a second or two


class Course(NamedTuple):
    """What came of a seed."""

    problems: list[str]
    fingerprint: str
    recent: list[str]
    faults: int
    records: int
    updates: int


def simulate(seed: int) -> Course:
    return run_virtual(_simulate(seed))


async def _simulate(seed: int) -> Course:
    world = World(seed)
    world.begin()
    workload = Workload(world)
    world.spawn(chaos(world))
    await workload.run()
    await asyncio.sleep(world.random.random())
    world.faults.over = True
    await asyncio.sleep(world.random.random())
    world.kill_twins()
    if await _comes_to_rest(world):
        await checks.check(world, workload, "at rest")
        world.kill_all()
        if await _comes_to_rest(world):
            await checks.check(world, workload, "recovered")
    records = sum(len(records) for records in world.log.history)
    return Course(
        world.problems, world.fingerprint(), list(world.recent), world.faults.count, records, world.gateway.updates
    )


async def _comes_to_rest(world: World) -> bool:
    """Wait for it, and have every owner write what it has."""
    for _ in range(int(REST_S / 0.05)):
        await asyncio.sleep(0.05)
        if checks.at_rest(world) and await checks.prizes_settled(world):
            for owner in checks.owners(world):
                written = await owner.checkpointer.full_round(owner.scopes())
                world.expect(written, f"{owner.instance} wrote no checkpoint")
                await owner.publish_due()
            await asyncio.sleep(0.2)
            rests = checks.at_rest(world) and checks.saved(world) and checks.read_model_settled(world)
            if rests and await checks.prizes_settled(world):
                return True
    world.expect(
        False,
        f"not at rest after {REST_S} s (read model: {checks.read_model_settled(world)}):\n{checks.why_not(world)}",
    )
    return False
