"""The same of accounts with lots in every underlying that there may be, judged together."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from proofbook.protocol.collateral_commands import SettleVariation
from proofbook.protocol.commands import Remark
from proofbook.protocol.genesis import UNDERLYINGS_MAX, TokenTerms
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import (
    BACKING_LEGS_MAX,
    INSTRUMENTS_PER_ACCOUNT_MAX,
    LEGS_MAX,
    REMOVALS_PER_TICK_MAX,
    TOKENS_MAX,
    InstrumentKind,
    Side,
)
from proofbook.protocol.terms import MarginTerms
from proofbook.simulator.costly import (
    MONEY,
    WITH_BREAKER,
    Construction,
    Costly,
    CostlyScene,
    dates_of,
)
from proofbook.simulator.scene import GRID, SPOT_ATOMS, USDC

EXPIRIES = INSTRUMENTS_PER_ACCOUNT_MAX // UNDERLYINGS_MAX
LOTS = 1_000
TICKS = SPOT_ATOMS // GRID.future.tick_atoms
TOKEN_ATOMS = 10**6
MOVED_PER_MILLE = 1
"""By how much publishers differ from the marks: less than what supersedes one."""

CHARGED = MarginTerms(beta_ppm=777_777, concentration_ppm=5_000, concentration_nanos=1)
GRIDS = tuple(replace(GRID, symbol=f"U{n}", margin=CHARGED) for n in range(UNDERLYINGS_MAX))
TOKENS = tuple(
    TokenTerms(f"T{place}", UNDERLYINGS_MAX - place, 8, 50_000, 10**15)
    for place in range(TOKENS_MAX)
)
JOINT = replace(WITH_BREAKER, joint_ppm=350_000)


class WideScene(CostlyScene):
    """Futures of 16 expiries on each of 32 underlyings, which move together in part."""

    def __init__(self) -> None:
        super().__init__(TOKENS, JOINT, GRIDS)
        self.listed = [
            self.list_instrument(InstrumentKind.FUTURE, date, 0, underlying)
            for underlying in underlyings()
            for date in dates_of(EXPIRIES)
        ]
        for underlying in underlyings():
            self.must(self.index(1, underlying=underlying))
        self.forwards(1_000)
        self.remark()

    def deposit_tokens(self, name: str, amount_atoms: int) -> None:
        """Credit USDC, and some of every token."""
        self.deposit(name, amount_atoms)
        for token in range(1, TOKENS_MAX + 1):
            self.deposit(name, TOKEN_ATOMS, token=token)

    def forwards(self, per_mille: int) -> None:
        """Publish all forwards, as a share of the first ones."""
        for number in underlyings():
            self.must(self.curve(dates_of(EXPIRIES), 1, per_mille * SPOT_ATOMS // 1_000, number))

    def remark(self) -> None:
        for expiry, instrument in enumerate(self.listed, 1):
            self.must(Remark(expiry, instrument_slot(instrument)))

    def everywhere(self, name: str, side: Side, price_ticks: int, lots: int) -> None:
        """Trade in every instrument, or rest there."""
        for instrument in self.listed:
            outcome = self.place(name, instrument, side, price_ticks, lots)
            assert outcome.is_applied, outcome.name


Act = Callable[[WideScene], None]


def underlyings() -> Iterable[int]:
    return range(1, UNDERLYINGS_MAX + 1)


def short_in_everything(per_mille: int, act: Act = lambda _: None) -> WideScene:
    """A seller of futures whose forwards have risen, with three tokens, and who bought them.

    `act` is done before they rise.
    """
    scene = WideScene()
    scene.deposit("buyer", MONEY)
    scene.deposit_tokens("seller", 1_500_000 * USDC)
    scene.everywhere("buyer", Side.BUY, TICKS, LOTS)
    scene.everywhere("seller", Side.SELL, TICKS, LOTS)
    act(scene)
    scene.wait(10**9)
    scene.forwards(per_mille)
    scene.remark()
    scene.wait(10**9)
    scene.forwards(per_mille + MOVED_PER_MILLE)
    return scene


BELOW_MARGIN, EXHAUSTED, INSOLVENT = 1_250, 1_350, 1_600
"""Per mille of the forwards at which the seller is below maintenance margin, has too little for
slices, and has nothing.
"""


def liquidation() -> Costly:
    """What every leg relieves changes the columns of its underlying, and the joint ones."""
    scene = short_in_everything(BELOW_MARGIN)
    return scene.end_with(lambda: scene.liquidate("seller", scene.listed[0]))


def crowd(scene: WideScene) -> None:
    """Let makers with lots everywhere offer the first future, at a price from before a rise."""
    first, *others = scene.listed
    for place in range(CROWD):
        name = f"maker {place}"
        scene.deposit_tokens(name, MONEY)
        # All but the last are one short of spending what a command looks at.
        for instrument in others if place == CROWD - 1 else others[1:]:
            scene.resting(name, instrument, Side.BUY, TICKS, 1)
            assert scene.place("buyer", instrument, Side.SELL, TICKS, 1).is_applied
        scene.resting(name, first, Side.SELL, TICKS + 1, 1)


def auctioned_against_crowd() -> Costly:
    """The same against makers whose equity is counted, of an account that owes and is auctioned.

    What is left of it is margined again after the slice.
    """
    scene = short_in_everything(NEARLY_EXHAUSTED, crowd)
    scene.must(SettleVariation(scene.accounts["seller"]))
    assert scene.start_auction("seller").is_applied
    return scene.end_with(lambda: scene.liquidate("seller", scene.listed[0]))


NEARLY_EXHAUSTED = 1_270
"""At which an auction may begin, and slices go on."""


def unbacked_against_crowd() -> Costly:
    """The same beside orders that are ended."""

    def act(scene: WideScene) -> None:
        crowd(scene)
        for instrument in scene.listed[:REMOVALS_PER_TICK_MAX]:
            scene.resting("seller", instrument, Side.SELL, 3 * TICKS, 1)

    scene = short_in_everything(BELOW_MARGIN, act)
    return scene.end_with(lambda: scene.liquidate("seller", scene.listed[0]))


CROWD = BACKING_LEGS_MAX // INSTRUMENTS_PER_ACCOUNT_MAX + 1


def auction_bid() -> Costly:
    """A bidder in all underlyings takes legs of four of them."""
    scene = short_in_everything(EXHAUSTED)
    scene.deposit("bidder", MONEY)
    scene.everywhere("bidder", Side.BUY, 1, 1)
    assert scene.start_auction("seller").is_applied
    legs = [(instrument, -1) for instrument in scene.listed[:: len(scene.listed) // LEGS_MAX]]
    return scene.end_with(lambda: scene.bid("bidder", "seller", *legs))


def deleveraging() -> Costly:
    """A leg is closed with a holder who has lots in all underlyings."""
    scene = short_in_everything(INSOLVENT)
    assert scene.start_auction("seller").is_applied
    return scene.end_with(lambda: scene.deleverage("seller", scene.listed[0]))


UNDERLYINGS: dict[str, Construction] = {
    "Liquidate, 32 underlyings": liquidation,
    "Liquidate, 32 underlyings, orders and makers": unbacked_against_crowd,
    "Liquidate, 32 underlyings, auctioned, makers": auctioned_against_crowd,
    "AuctionBid, 4 of 32 underlyings": auction_bid,
    "Deleverage, 32 underlyings": deleveraging,
}
