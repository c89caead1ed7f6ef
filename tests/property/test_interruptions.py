"""Deleveraging interrupted by anything: it can always go on, ends, and loses no atom.

Ann owes, long in two instruments; eighty are short of either, so that a deleveraging takes several
steps. Between the steps marks move, holders and others act, the governor sets states, money comes,
auctions begin and bids are made. Whatever was done, a few more steps end what runs.
"""

from random import Random

import pytest

from proofbook.kernel import Kernel
from proofbook.protocol.commands import Remark, Transfer
from proofbook.protocol.limits import (
    FUND_ACCOUNT,
    ArenaId,
    InstrumentKind,
    InstrumentState,
    Side,
    TimeInForce,
)
from proofbook.protocol.records import DeleveragingRecord
from proofbook.simulator.inspection import header, instrument, money
from proofbook.simulator.scene import EXPIRY_NS, SPOT_ATOMS, USDC, Scene

BUY, SELL = Side.BUY, Side.SELL
HOLDERS = [f"h{place}" for place in range(80)]
MARK, EACH = 800_000, 3_000
STEPS, STEPS_TO_END = 120, 8
STATES = (InstrumentState.OPEN, InstrumentState.HALTED, InstrumentState.CANCEL_ONLY)


class Venue:
    """The two books, and one random act after the other."""

    def __init__(self, seed: int) -> None:
        self.random, self.scene = Random(seed), Scene(Kernel)
        scene = self.scene
        scene.deposit("ann", 180_000 * USDC)
        scene.deposit("cid", 5_000_000 * USDC)
        gift = Transfer(*scene.header("cid"), FUND_ACCOUNT, 0, 20_000 * USDC)
        assert scene.submit(gift, "cid").is_applied
        self.legs = [scene.open_perpetual(), self.opened_future()]
        self.orders: list[tuple[str, int]] = []
        for name in HOLDERS:
            scene.deposit(name, self.random.choice((8_000, 20_000, 60_000)) * USDC)
            for leg in self.random.sample(self.legs, self.random.randint(1, 2)):
                self.trade(name, leg)
        self.steps = self.interrupted = 0

    def opened_future(self) -> int:
        future = self.scene.list_instrument(InstrumentKind.FUTURE, EXPIRY_NS, 0)
        assert self.scene.publish_forward().is_applied
        assert self.scene.submit(Remark(2)).is_applied
        return future

    def trade(self, name: str, leg: int) -> None:
        """Let a holder sell to ann, or have an order alone."""
        if self.random.random() < 0.2:
            self.orders.append((name, self.scene.resting(name, leg, BUY, 1, 1)))
            return
        lots = self.random.randint(1, EACH)
        if self.scene.place(name, leg, SELL, MARK, lots).is_applied:
            immediate = TimeInForce.IMMEDIATE_OR_CANCEL
            self.scene.place("ann", leg, BUY, MARK, lots, time_in_force=immediate)
            self.scene.cancel_all(name)

    def move(self, factor: float, expiries: int = 1) -> None:
        price = int(SPOT_ATOMS * factor)
        self.scene.wait(10**9)
        assert self.scene.publish_index(price).is_applied
        assert self.scene.publish_forward(price).is_applied
        for expiry in self.random.sample((1, 2), expiries):
            self.scene.submit(Remark(expiry))

    def running(self, leg: int) -> DeleveragingRecord | None:
        slot = instrument(self.scene, leg).deleveraging
        data = self.scene.engine.read(ArenaId.DELEVERAGINGS, slot) if slot else b""
        return DeleveragingRecord.unpack(data) if slot else None

    def deleverage(self) -> None:
        target = "ann" if self.random.random() < 0.9 else self.random.choice(HOLDERS)
        leg = self.random.choice(self.legs)
        if not self.running(leg):
            if self.random.random() < 0.7:
                self.scene.set_instrument(leg)
                self.move(self.random.uniform(0.6, 0.8), expiries=2)
            self.scene.start_auction("ann")
        was_running = self.running(leg)
        outcome = self.scene.deleverage(target, leg)
        self.steps += outcome.is_applied
        self.interrupted += bool(was_running and outcome.is_applied)
        if was_running and was_running.account == self.scene.accounts[target]:
            assert outcome.is_applied, "what runs can always go on"

    def act(self) -> None:
        scene, leg = self.scene, self.random.choice(self.legs)
        name = self.random.choice(("ann", "cid", *HOLDERS))
        match self.random.randint(0, 16):
            case 0:
                self.move(self.random.uniform(0.6, 0.95))
            case 1 if self.orders:
                scene.cancel(*self.orders.pop(self.random.randrange(len(self.orders))))
            case 2 if self.random.random() < 0.3:
                scene.set_instrument(leg, self.random.choice(STATES))
            case 3 if self.random.random() < 0.2:
                scene.deposit(name, self.random.randint(1, 100_000) * USDC)
            case 4:
                scene.place(name, leg, self.random.choice((BUY, SELL)), MARK * 7 // 10, 10)
            case 5:
                scene.transfer(name, self.random.choice(HOLDERS), 1_000 * USDC)
            case 6:
                scene.withdraw(name, 1_000 * USDC)
            case 7:
                scene.wait(self.random.randint(1, 30 * 10**9))
            case 8:
                scene.start_auction(name)
            case 9:
                scene.bid("cid", "ann", (leg, self.random.randint(1, 20_000)))
            case 10:
                scene.liquidate(name, leg)
            case 11:
                scene.settle_variation(name)
            case _:
                self.deleverage()

    def finish(self) -> None:
        """End what runs."""
        for leg in self.legs:
            for _ in range(STEPS_TO_END):
                running = self.running(leg)
                if not running:
                    break
                name = next(n for n, s in self.scene.accounts.items() if s == running.account)
                assert self.scene.deleverage(name, leg).is_applied
            assert self.running(leg) is None


SEEDS = [*range(6), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(6, 60))]


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_comes_between_it_goes_on_and_ends(seed: int) -> None:
    venue = Venue(seed)
    scene = venue.scene
    for _ in range(STEPS):
        venue.act()
        assert money(scene) == header(scene).custody_atoms
    venue.finish()
    for leg in venue.legs:
        held = instrument(scene, leg)
        assert not held.deleveraging and held.state in STATES


def test_deleveraging_is_interrupted() -> None:
    """The search is worth something: many begin, and many go on after something else."""
    steps = interrupted = 0
    for seed in range(6):
        venue = Venue(seed)
        for _ in range(STEPS):
            venue.act()
        steps, interrupted = steps + venue.steps, interrupted + venue.interrupted
    assert steps > 20 and interrupted > 8, (steps, interrupted)
