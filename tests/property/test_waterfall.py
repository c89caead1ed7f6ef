"""The whole waterfall in any order, by accomplices who trade beside it: nobody gains by it.

A crowd trades, through sessions too, until marks move once more, in some venues up to the end of an
expiry. Then marks stand still, and it does what it likes: slices, auctions, bids, deleveraging,
conversions, settlements at expiry and of variation, and all that it can trade.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.property.crowds import NAMES, PAUSE_NS, ROUNDED_ATOMS, STILL, Crowd

from proofbook.protocol.commands import Place, Remark, Transfer
from proofbook.protocol.limits import FRACTION_ONE_PPM, FUND_ACCOUNT, ArenaId, Side, TimeInForce
from proofbook.protocol.outcomes import Outcome
from proofbook.protocol.records import PositionRecord
from proofbook.simulator.inspection import account, account_at, money
from proofbook.simulator.scene import EXPIRY_NS, MINUTE_NS, SPOT_ATOMS, USDC

STEPS = 300
ROUNDS = 3
FUND_USDC = 50_000
AGENT = "agent"
"""Whose key is a session of everybody's."""

OPTIONS_EXPIRY = 2
BLOCKED = "OWN_LIQUIDATION"


class Court(Crowd):
    """A crowd in which accounts below their margin are dealt with."""

    parameters = replace(
        STILL, auction_seconds=1, insolvency_seconds=1, liquidation_cooldown_ms=1, index_band_ppm=0,
        breaker_move_ppm=0,
    )  # fmt: skip

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.scene.deposit("giver", (FUND_USDC + 1) * USDC)
        header = self.scene.header("giver")
        gift = Transfer(*header, FUND_ACCOUNT, 0, FUND_USDC * USDC)
        assert self.scene.submit(gift, "giver").is_applied
        assert all(self.scene.grant(name, AGENT).is_applied for name in NAMES)
        self.applied: Counter[str] = Counter()

    def lots(self, instrument: int) -> int:
        """Draw as much as margin may just bear."""
        most = 200_000 if instrument == self.perpetual else 2_000
        return max(1, int(most ** self.random.uniform(0.5, 1)))

    def lots_held(self, name: str) -> dict[int, int]:
        """Return the lots of an account by instrument."""
        found: dict[int, int] = {}
        slot = account(self.scene, name).positions_head
        while slot:
            held = PositionRecord.unpack(self.scene.engine.read(ArenaId.POSITIONS, slot))
            if held.lots:
                found[held.instrument] = held.lots
            slot = held.next_in_account
        return found

    def named(self, slot: int) -> int:
        """Return the id of an instrument by its slot."""
        listed = (self.perpetual, *self.options, self.combo)
        return next(each for each in listed if each & 0xFFFF == slot)

    def leg_of(self, name: str) -> int:
        """Return an instrument that an account holds, or any."""
        held = [self.named(slot) for slot in self.lots_held(name)]
        return self.random.choice(held or [self.instrument])

    def is_safe(self, name: str) -> bool:
        """Whether equity, stale legs at their best, covers maintenance margin."""
        report = self.scene.engine.margin(self.scene.accounts[name])
        return report.equity_atoms + report.stale_high_atoms >= report.maintenance_atoms

    def unsafe(self) -> list[str]:
        return [name for name in NAMES if not self.is_safe(name)]

    @property
    def target(self) -> str:
        """Draw an account, mostly one below its margin."""
        unsafe = self.unsafe()
        return self.random.choice(unsafe if unsafe and self.random.random() < 0.8 else NAMES)

    def judge(self, target: str, act: Callable[[], Outcome]) -> None:
        """Let a step of the waterfall be tried: who is covered keeps what he has."""
        was_safe, lots, equity = self.is_safe(target), self.lots_held(target), self.equities()
        outcome = act()
        self.applied[getattr(act, "__name__", "")] += outcome.is_applied
        if was_safe:
            assert self.lots_held(target) == lots
            assert self.equities()[target] == equity[target]

    # Acts

    def place_by_session(self) -> None:
        name, leg = self.random.choice(NAMES), self.instrument
        side, ticks, lots = self.random.choice(list(Side)), self.price(leg), self.lots(leg)
        immediate = TimeInForce.IMMEDIATE_OR_CANCEL
        header = self.scene.header(name)
        order = Place(*header, leg, side, ticks, lots, max_fee_ppm=1_000, time_in_force=immediate)
        self.scene.submit(order, AGENT, session=1)

    def rest(self) -> None:
        """Let everybody quote both sides of a book, as much as margin bears."""
        for name in NAMES:
            leg = self.random.choice((self.perpetual, *self.options))
            for side, per_cent in ((Side.BUY, 99), (Side.SELL, 101)):
                ticks = max(1, self.mark(leg) * per_cent // 100)
                for lots in (100_000, 20_000, 5_000, 1_000, 200):
                    self.scene.place(name, leg, side, ticks, lots, post_only=True)

    def raid(self) -> None:
        """Take what stands in a book at whatever price."""
        name, side = self.random.choice(NAMES), self.random.choice(list(Side))
        leg, per_cent = self.instrument, 130 if side == Side.BUY else 70
        ticks = max(1, self.mark(leg) * per_cent // 100)
        immediate = TimeInForce.IMMEDIATE_OR_CANCEL
        self.scene.place(name, leg, side, ticks, self.lots(leg), time_in_force=immediate)

    def liquidate(self) -> None:
        target = self.target
        leg = self.leg_of(target)

        def slice_() -> Outcome:
            return self.scene.liquidate(target, leg)

        self.judge(target, slice_)

    def start_auction(self) -> None:
        target = self.target

        def start() -> Outcome:
            return self.scene.start_auction(target)

        self.judge(target, start)

    def bid(self) -> None:
        bidder, target = self.random.choice(NAMES), self.target
        held = sorted(self.lots_held(target).items())
        legs = self.random.sample(held, min(len(held), self.random.randint(1, 4)))
        rows = [
            (self.named(slot), (1 if lots > 0 else -1) * self.random.randint(1, abs(lots)))
            for slot, lots in sorted(legs)
        ] or [(self.perpetual, 1)]

        def bid() -> Outcome:
            outcome = self.scene.bid(bidder, target, *rows)
            is_own = bidder[:3] == target[:3]
            assert not (outcome.is_applied and is_own)
            self.applied[BLOCKED] += outcome.name == BLOCKED
            return outcome

        self.judge(target, bid)

    def deleverage(self) -> None:
        target = self.target
        leg = self.leg_of(target)

        def deleverage() -> Outcome:
            return self.scene.deleverage(target, leg)

        self.judge(target, deleverage)

    def convert(self) -> None:
        """Sell tokens for a debt, also where the fund pays the discount."""
        buyer, target = self.random.choice(NAMES), self.target
        self.scene.settle_variation(buyer)
        self.scene.start_conversion(target)
        self.scene.buy_collateral(buyer, target, int(10 ** self.random.uniform(0, 9)))

    def settle(self) -> None:
        name = self.random.choice(NAMES)
        self.scene.settle_account(name)
        self.scene.settle_variation(name)

    def wait(self) -> None:
        self.scene.wait(self.random.randint(1, 10**9))

    def acts(self) -> dict[Callable[[], None], int]:
        return super().acts() | {
            self.place_by_session: 2, self.raid: 6, self.liquidate: 6, self.start_auction: 3,
            self.bid: 6, self.deleverage: 4, self.settle: 2, self.wait: 2,
        }  # fmt: skip

    def move(self, most: float = 0.07) -> None:
        """Move what has not ended."""
        if self.scene.window_ns < EXPIRY_NS:
            super().move(most)
            return
        self.scene.wait(PAUSE_NS)
        price = int(SPOT_ATOMS * self.random.uniform(1 - most, 1 + most))
        assert self.scene.publish_index(price).is_applied
        assert self.scene.remark_perpetual().is_applied

    def expire(self) -> None:
        """Let the options end, at the price that there is."""
        price = self.random.randint(SPOT_ATOMS * 8 // 10, SPOT_ATOMS * 12 // 10)
        self.scene.publish_each_minute(EXPIRY_NS - 30 * MINUTE_NS, *[price] * 31)
        assert self.scene.settle_expiry(OPTIONS_EXPIRY).is_applied
        assert self.scene.submit(Remark(OPTIONS_EXPIRY)).is_applied
        assert self.scene.remark_perpetual().is_applied


def trading(seed: int) -> Court:
    """Return a crowd that has traded."""
    court = Court(seed)
    for step in range(STEPS):
        court.act()
        if step % 60 == 59:
            court.move()
    return court


def fall_short(court: Court, is_end: bool) -> None:
    """Move marks until margin of some is short, orders resting; or let the options end."""
    court.rest()
    if is_end:
        court.expire()
    for most in (0.2, 0.3, 0.4, 0.5):
        if len(court.unsafe()) < 2:
            court.move(most)


def stand_still(court: Court, share_atoms: int) -> None:
    """Act while marks stand still.

    Nobody comes to owe; who owed, owes no more than before, or than the fund's share, which the
    discount of his tokens may cost; and the fund pays no more for him.
    """
    scene, owed = court.scene, court.equities()
    fund = account_at(scene, FUND_ACCOUNT).cash_atoms
    lowest = {name: min(0, equity, -share_atoms * (equity < 0)) for name, equity in owed.items()}
    for _ in range(STEPS):
        court.act()
        for name, equity in court.equities().items():
            outcome = scene.results[-1].outcome.name
            assert equity >= lowest[name] - ROUNDED_ATOMS, (name, outcome)
        assert account_at(scene, FUND_ACCOUNT).cash_atoms >= fund + sum(lowest.values())


SEEDS = [*range(8), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(8, 80))]


@pytest.mark.parametrize("seed", SEEDS)
def test_no_step_costs_the_fund_more_than_was_owed(seed: int) -> None:
    court = trading(seed)
    total, highest = money(court.scene), 0
    for each in range(ROUNDS):
        fall_short(court, is_end=seed % 3 == 2 and each == ROUNDS - 1)
        highest = max(highest, account_at(court.scene, FUND_ACCOUNT).cash_atoms)
        stand_still(court, highest * court.parameters.fund_share_ppm // FRACTION_ONE_PPM)
    assert money(court.scene) == total


def test_the_waterfall_runs_in_all_its_steps() -> None:
    """The search is worth something: each step is often taken, own bids are tried and refused."""
    applied: Counter[str] = Counter()
    for seed in range(6):
        court = trading(seed)
        for _ in range(ROUNDS):
            fall_short(court, is_end=False)
            for _ in range(STEPS):
                court.act()
        applied += court.applied
    assert {"slice_", "start", "bid", "deleverage", BLOCKED} <= applied.keys(), applied
    assert min(applied.values()) > 5, applied
