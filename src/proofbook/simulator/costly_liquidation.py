"""The same of accounts below their margin, and of what is settled at expiry."""

from collections.abc import Callable

from proofbook.protocol.limits import (
    DELEVERAGING_HOLDER_WORK,
    DELEVERAGING_WORK_MAX,
    LEGS_MAX,
    STANDARD_INSTRUMENTS_MAX,
    MarginMode,
)
from proofbook.simulator.costly import (
    BUY,
    MONEY,
    SELL,
    Construction,
    Costly,
    CostlyScene,
    all_instruments,
    dates_of,
)
from proofbook.simulator.scene import EXPIRY_NS, MINUTE_NS, SPOT_ATOMS, USDC

TICKS = 50_000
BELOW_MARGIN, EXHAUSTED, INSOLVENT = 200, 240, 300
"""Per cent of the forward at which the seller is below maintenance margin, has too little for
slices, and has nothing.
"""


def short_in_everything(per_cent: int) -> tuple[CostlyScene, list[int]]:
    """A seller of one lot in each of 512 calls, whose forward rises, and their buyer."""
    scene = CostlyScene()
    listed = all_instruments(scene)
    scene.must(scene.index(1))
    scene.deposit("buyer", MONEY)
    scene.deposit("seller", 60_000 * USDC)
    for instrument in listed:
        scene.resting("buyer", instrument, BUY, TICKS, 1)
        outcome = scene.place("seller", instrument, SELL, TICKS, 1)
        assert outcome.is_applied, outcome.name
    rise(scene, listed, per_cent)
    return scene, listed


def liquidation() -> Costly:
    """What every one of 512 legs relieves is weighed against what it costs."""
    scene, listed = short_in_everything(BELOW_MARGIN)
    return scene.end_with(lambda: scene.liquidate("seller", listed[0]))


def unbacked() -> Costly:
    """Orders of as many records as one sweep removes are ended, and a slice is weighed."""
    scene, listed = short_in_everything(BELOW_MARGIN)
    scene.must(scene.curve(dates_of(1), 1))
    scene.mark(listed, len(listed))
    for instrument in listed:
        outcome = scene.place("seller", instrument, SELL, 20 * TICKS, 1)
        if not outcome.is_applied:
            break
    rise(scene, listed, BELOW_MARGIN)
    return scene.end_with(lambda: scene.liquidate("seller", listed[0]))


def auction() -> Costly:
    """An account with nothing left is put up for auction."""
    scene, _ = short_in_everything(INSOLVENT)
    return scene.end_with(lambda: scene.start_auction("seller"))


def auction_bid() -> Costly:
    """A bidder with 512 instruments takes as many legs as there may be."""
    scene, listed = short_in_everything(EXHAUSTED)
    scene.spread_out("bidder", listed)
    assert scene.start_auction("seller").is_applied
    legs = [(instrument, -1) for instrument in listed[:LEGS_MAX]]
    return scene.end_with(lambda: scene.bid("bidder", "seller", *legs))


def deleveraging() -> Costly:
    """A leg is closed with a holder who has 512 of them."""
    scene, listed = short_in_everything(INSOLVENT)
    assert scene.start_auction("seller").is_applied
    return scene.end_with(lambda: scene.deleverage("seller", listed[0]))


def short_under_standard_margin(holders: int) -> tuple[CostlyScene, list[int]]:
    """A seller of as many calls as standard margin takes, to holders who are margined alike."""
    scene = CostlyScene()
    listed = scene.list_dated(1, STANDARD_INSTRUMENTS_MAX)
    scene.must(scene.index(1))
    names = [f"holder {place}" for place in range(holders)]
    for name in ("seller", *names):
        scene.deposit(name, 60_000 * USDC if name == "seller" else MONEY)
        assert scene.set_margin_mode(name, MarginMode.STANDARD).is_applied
    for instrument in listed:
        for name in names:
            scene.resting(name, instrument, BUY, TICKS, 1)
        outcome = scene.place("seller", instrument, SELL, TICKS, holders)
        assert outcome.is_applied, outcome.name
    return scene, listed


def rise(scene: CostlyScene, listed: list[int], per_cent: int) -> None:
    """Move the forward to a percentage of the first one."""
    scene.wait(10**9)
    scene.must(scene.curve(dates_of(1), 1, per_cent * SPOT_ATOMS // 100))
    scene.mark(listed, len(listed))


def standard_liquidation() -> Costly:
    """Every leg is weighed against all others of its expiry, strike by strike."""
    scene, listed = short_under_standard_margin(1)
    rise(scene, listed, BELOW_STANDARD_MARGIN)
    return scene.end_with(lambda: scene.liquidate("seller", listed[0]))


BELOW_STANDARD_MARGIN = 280


def standard_deleveraging() -> Costly:
    """As many holders under standard margin as the work of one command allows."""
    work = DELEVERAGING_HOLDER_WORK + STANDARD_INSTRUMENTS_MAX + 1
    scene, listed = short_under_standard_margin(DELEVERAGING_WORK_MAX // work + 1)
    rise(scene, listed, INSOLVENT)
    assert scene.start_auction("seller").is_applied
    return scene.end_with(lambda: scene.deleverage("seller", listed[0]))


def expired(act: Callable[[CostlyScene], object], is_settled: bool) -> Costly:
    """512 calls at their end, the index observed all the while."""
    scene, listed = short_in_everything(100)
    for minute in range(31):
        scene.at(EXPIRY_NS - (30 - minute) * MINUTE_NS)
        scene.must(scene.index(1))
    if is_settled:
        assert scene.settle_expiry(1).is_applied
        scene.mark(listed, len(listed))
    return scene.end_with(lambda: act(scene))


def settled_expiry() -> Costly:
    """The average of the index becomes the price of the expiry."""
    return expired(lambda scene: scene.settle_expiry(1), is_settled=False)


def settled_account() -> Costly:
    """As many positions as one command settles."""
    return expired(lambda scene: scene.settle_account("seller"), is_settled=True)


LIQUIDATIONS: dict[str, Construction] = {
    "Liquidate, 512 legs": liquidation,
    "Liquidate, 512 legs and orders": unbacked,
    "StartAuction": auction,
    "AuctionBid, 4 legs": auction_bid,
    "Deleverage": deleveraging,
    "Liquidate, 48 legs, standard margin": standard_liquidation,
    "Deleverage, 9 holders, standard margin": standard_deleveraging,
    "SettleExpiry": settled_expiry,
    "SettleAccount, 32 positions": settled_account,
}
