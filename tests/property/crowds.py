"""A crowd of accomplices in one venue: what the random searches for attacks are made of."""

from collections.abc import Callable
from random import Random

from proofbook.kernel import Kernel
from proofbook.protocol.commands import Leg, Quote, Remark, SetParameters
from proofbook.protocol.events import OrderRested
from proofbook.protocol.limits import (
    InstrumentKind,
    MarginMode,
    Side,
    TimeInForce,
)
from proofbook.protocol.terms import MarginParameters
from proofbook.simulator.inspection import risk_array
from proofbook.simulator.scene import SPOT_ATOMS, STRIKE_ATOMS, USDC, WBTC, Scene

NAMES = ("ann", "ann2", "bob", "cid", "dan")
STILL = MarginParameters(
    funding_premium_max_ppm=0, debt_interest_ppm=0, conversion_ppm=20_000, conversion_seconds=1
)
"""Without funding and interest, so that equity changes by trades alone while marks stand still."""

ROUNDED_ATOMS = 4
"""What a sale of tokens may take by rounding."""

EXPIRIES = (1, 2)
"""Of the perpetual, and of the options."""

PAUSE_NS = 100 * 10**9
"""Between two marks, so long that the index may have moved by a fifth."""

ZERO_TICKS = 1 << 23
"""A combo's price of nothing."""


class Crowd:
    """Accomplices in one venue, and one random act after the other."""

    parameters = STILL

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.scene = scene = Scene(Kernel, tokens=(WBTC,))
        for name in NAMES:
            money = self.random.choice((1_000, 20_000, 200_000)) * USDC
            scene.deposit(name, money, owner="ann" if name == "ann2" else "")
            if self.random.random() < 0.7:
                scene.deposit(name, int(10 ** self.random.uniform(6, 9)), token=1)
        assert scene.submit(SetParameters(2, self.parameters)).is_applied
        self.perpetual = scene.open_perpetual()
        scene.open_option(InstrumentKind.CALL)
        strikes = [STRIKE_ATOMS + step * 1_000 * USDC for step in (-5, 0, 5)]
        self.options = [
            scene.open_option(kind, strike)
            for kind in (InstrumentKind.CALL, InstrumentKind.PUT)
            for strike in strikes
            if (kind, strike) != (InstrumentKind.CALL, STRIKE_ATOMS)
        ]
        scene.deposit("host", 1_000 * USDC)
        self.combo = scene.combo("host", (self.options[0], 1), (self.options[1], -1))
        self.orders: list[tuple[str, int]] = []

    @property
    def instrument(self) -> int:
        return self.random.choice((self.perpetual, *self.options, self.combo))

    def price(self, instrument: int) -> int:
        """Draw a price: near the mark, or anywhere."""
        if instrument == self.combo:
            return ZERO_TICKS + int(self.random.gauss(0, 40_000))
        mark = self.mark(instrument)
        far = self.random.choice((0, 0.001, 0.02, 0.3, 1))
        return max(1, int(mark * (1 + self.random.uniform(-far, far))))

    def mark(self, instrument: int) -> int:
        tick = 10 if instrument == self.perpetual else 1_000
        return max(1, risk_array(self.scene, instrument).mark_atoms // tick)

    def lots(self, instrument: int) -> int:
        most = 50_000 if instrument == self.perpetual else 500
        return max(1, int(most ** self.random.random()))

    # Acts

    def place(self) -> None:
        instrument = self.instrument
        flags = self.random.choice(
            (
                {},
                {},
                {"time_in_force": TimeInForce.IMMEDIATE_OR_CANCEL},
                {"reduce_only": True},
                {"reduce_only": True, "time_in_force": TimeInForce.IMMEDIATE_OR_CANCEL},
            )
        )
        name, side = self.random.choice(NAMES), self.random.choice(list(Side))
        self.scene.place(
            name, instrument, side, self.price(instrument), self.lots(instrument), **flags
        )
        self.orders += [
            (name, event.order) for event in self.scene.events() if isinstance(event, OrderRested)
        ]

    def amend(self) -> None:
        if self.orders:
            name, order = self.random.choice(self.orders)
            instrument = self.instrument
            self.scene.amend(name, order, self.price(instrument), self.lots(instrument))

    def cancel(self) -> None:
        if self.orders:
            self.scene.cancel(*self.orders.pop(self.random.randrange(len(self.orders))))

    def cancel_all(self) -> None:
        if self.random.random() < 0.3:
            self.scene.cancel_all(self.random.choice(NAMES))

    def quote(self) -> None:
        instruments = {self.instrument for _ in range(self.random.randint(1, 3))}
        self.scene.quote(
            self.random.choice(NAMES),
            *(
                Quote(instrument, side, self.price(instrument), self.lots(instrument))
                for instrument in sorted(instruments)
                for side in self.random.choice(([Side.BUY], [Side.SELL], list(Side)))
            ),
        )

    def legs(self) -> list[Leg]:
        instruments = {
            self.random.choice((self.perpetual, *self.options))
            for _ in range(self.random.randint(1, 4))
        }
        return [
            Leg(each, self.random.choice((1, -1)) * self.lots(each), self.price(each))
            for each in sorted(instruments)
        ]

    def deal(self) -> None:
        one, other = self.random.sample(NAMES, 2)
        if self.random.random() < 0.5:
            self.scene.block(one, other, self.legs())
        else:
            self.scene.accept(one, other, self.scene.offer(other, self.legs()))

    def transfer(self) -> None:
        one, other = self.random.sample(NAMES, 2)
        self.scene.transfer(one, other, int(10 ** self.random.uniform(6, 11)))
        self.scene.transfer(other, one, int(10 ** self.random.uniform(4, 8)), token=1)

    def position_transfer(self) -> None:
        one, other = self.random.sample(("ann", "ann2"), 2)
        instrument = self.instrument
        self.scene.position_transfer(one, other, instrument, self.lots(instrument))

    def convert(self) -> None:
        """Sell the tokens of one who owes and has equity to another."""
        one, other = self.random.sample(NAMES, 2)
        self.scene.settle_variation(other)
        self.scene.start_conversion(one)
        if self.equities()[one] >= 0:
            self.scene.buy_collateral(other, one, int(10 ** self.random.uniform(0, 9)))

    def change_mode(self) -> None:
        self.scene.set_margin_mode(self.random.choice(NAMES), self.random.choice(list(MarginMode)))

    def acts(self) -> dict[Callable[[], None], int]:
        """Return what can be done, and how often each is drawn."""
        return {
            self.place: 12, self.amend: 3, self.cancel: 2, self.cancel_all: 1, self.quote: 3,
            self.deal: 6, self.transfer: 2, self.position_transfer: 1, self.change_mode: 1,
            self.convert: 3,
        }  # fmt: skip

    def act(self) -> None:
        acts = self.acts()
        self.random.choices(list(acts), list(acts.values()))[0]()

    def move(self, most: float = 0.07) -> None:
        """Move index and forward to at most so far from the first, and mark everything."""
        factor = self.random.uniform(1 - most, 1 + most)
        price = int(SPOT_ATOMS * factor)
        self.scene.wait(PAUSE_NS)
        published = self.scene.publish_index, self.scene.publish_forward
        assert all(publish(price).is_applied for publish in published)
        assert self.scene.publish_surface().is_applied
        assert all(self.scene.submit(Remark(expiry)).is_applied for expiry in EXPIRIES)

    def equities(self) -> dict[str, int]:
        margin = self.scene.engine.margin
        return {name: margin(self.scene.accounts[name]).equity_atoms for name in NAMES}
