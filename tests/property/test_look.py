"""What the kernel's look at all accounts proposes, the reference applies; and it misses nothing."""

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy

import pytest
from tests.unit.spec.falling import long_at, move

from proofbook.kernel import Kernel
from proofbook.protocol.commands import Deleverage, Liquidate, StartAuction
from proofbook.protocol.identifiers import instrument_id
from proofbook.protocol.limits import FIRST_USER_ACCOUNT, Reject
from proofbook.protocol.watch import Step
from proofbook.simulator.inspection import auction
from proofbook.simulator.scene import USDC, Scene
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload
from proofbook.spec import State, deleveraging, liquidation, liquidation_auctions, margin
from proofbook.spec.portfolio import positions_alone
from proofbook.spec.world import World

COMMANDS = 6_000
LOOK_EVERY = 100


def rejection_of(world: World, step: Step) -> Reject | None:
    """Return why the reference would refuse a step now."""
    trial = deepcopy(world)
    match step:
        case Liquidate():
            return liquidation.liquidate(trial, step)
        case StartAuction():
            return liquidation_auctions.start_auction(trial, step)
        case Deleverage():
            return deleveraging.deleverage(trial, step)


def all_steps(world: World, account: int) -> Iterator[Step]:
    """Yield whatever could be tried with an account."""
    yield StartAuction(account)
    yield Liquidate(account)
    for position in world.positions_of(account):
        slot = position.instrument
        number = instrument_id(slot, world.instruments[slot].generation)
        yield Liquidate(account, number)
        yield Deleverage(account, number)


def compare(spec: State, kernel: Kernel, seen: Counter[str]) -> None:
    """Compare a look with what the reference would do."""
    world, found = spec.world, kernel.look()
    for step in found.duties:
        assert rejection_of(world, step) is None, step
        seen[type(step).__name__] += 1
    below = [
        account
        for account in world.accounts.records
        if account >= FIRST_USER_ACCOUNT
        and margin.is_below_maintenance(world, positions_alone(world, account))
    ]
    assert found.below == len(below)
    for account in set(below) - {step.account for step in found.duties}:
        seen["nothing"] += 1
        for step in all_steps(world, account):
            assert rejection_of(world, step) is not None, step
    covered = [
        StartAuction(record.account)
        for record in world.auctions.records.values()
        if record.account
        and not margin.is_below_maintenance(world, positions_alone(world, record.account))
    ]
    seen["covered"] += len(covered)
    assert all(step in found.duties for step in covered), "an auction that is over is ended"
    unbacked = [
        account
        for account in world.accounts.records
        if account >= FIRST_USER_ACCOUNT
        and liquidation.has_live_orders(world, account)
        and not liquidation.is_backed(world, account)
    ]
    assert [step.account for step in kernel.unbacked()] == unbacked


@pytest.mark.parametrize("seed", [5, 6])
def test_a_look_proposes_what_the_reference_applies(seed: int) -> None:
    workload, seen = Workload(seed), Counter[str]()
    spec = State(workload.genesis, CHAIN_ID, CONTRACT)
    kernel = Kernel(workload.genesis, CHAIN_ID, CONTRACT)
    for number in range(1, COMMANDS + 1):
        entry = workload.next_entry()
        result = spec.apply([entry])[0]
        kernel.apply([entry])
        workload.observe(entry, result)
        if number % LOOK_EVERY == 0:
            compare(spec, kernel, seen)
    assert seen["Liquidate"], seen
    assert seen["StartAuction"], seen


def test_an_auction_of_who_is_covered_again_is_ended() -> None:
    """Else its premium rises on, and another fall within a minute is sold for all equity."""
    scene = Scene(Kernel)
    for name in ("ann", "bob"):
        scene.deposit(name, 1_000_000 * USDC)
    perpetual = scene.open_perpetual()
    long_at(scene, perpetual, 82)
    assert scene.start_auction("ann").is_applied
    assert isinstance(scene.engine, Kernel)
    assert StartAuction(scene.accounts["ann"]) not in scene.engine.look().duties
    move(scene, 95)
    assert scene.engine.look().duties == [StartAuction(scene.accounts["ann"])]
    assert scene.start_auction("ann").is_applied
    assert auction(scene, "ann") is None and not scene.engine.look().duties
