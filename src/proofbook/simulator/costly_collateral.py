"""The same of accounts that owe beside their tokens."""

from collections.abc import Callable
from dataclasses import replace

from proofbook.protocol.genesis import TokenTerms
from proofbook.protocol.limits import (
    AMOUNT_ATOMS_MAX,
    FRACTION_ONE_PPM,
    INSTRUMENTS_PER_ACCOUNT_MAX,
)
from proofbook.simulator.costly import BUY, MONEY, SELL, Construction, Costly, CostlyScene
from proofbook.simulator.scene import SPOT_ATOMS, UNBOUND

TOKENS = tuple(TokenTerms(symbol, 1, 8, 50_000, 10**15) for symbol in ("ONE", "TWO", "THREE"))
BITCOIN = 10**8
TICKS = 50_000


def two_with_everything(conversion_ppm: int = 0) -> CostlyScene:
    """Two accounts with 512 options each, one on credit, against three tokens."""
    scene = CostlyScene(TOKENS, replace(UNBOUND, conversion_ppm=conversion_ppm))
    listed = scene.list_dated(1, INSTRUMENTS_PER_ACCOUNT_MAX)
    scene.must(scene.index(1))
    for name in ("other", "buyer"):
        scene.deposit(name, MONEY)
    for token in range(1, len(TOKENS) + 1):
        scene.deposit("seller", 100 * BITCOIN, token=token)
    for instrument in listed:
        scene.resting("other", instrument, SELL, TICKS, 2)
        for name in ("buyer", "seller"):
            outcome = scene.place(name, instrument, BUY, TICKS, 1)
            assert outcome.is_applied, outcome.name
    return scene


def ended_with(act: Callable[[CostlyScene], object], is_for_sale: bool) -> Costly:
    scene = two_with_everything()
    if is_for_sale:
        assert scene.start_conversion("seller").is_applied
    return scene.end_with(lambda: act(scene))


def conversion() -> Costly:
    """The account is margined, and its variation settled."""
    return ended_with(lambda scene: scene.start_conversion("seller"), is_for_sale=False)


def purchase() -> Costly:
    """Both are margined and settled, the seller again when the debt is repaid."""
    return ended_with(
        lambda scene: scene.buy_collateral("buyer", "seller", AMOUNT_ATOMS_MAX), is_for_sale=True
    )


def partial_purchase() -> Costly:
    """One atom: the seller is below maintenance margin before and after it."""
    scene = two_with_everything(FRACTION_ONE_PPM)
    scene.must(scene.index(1, SPOT_ATOMS // 870))
    assert scene.start_conversion("seller").is_applied
    return scene.end_with(lambda: scene.buy_collateral("buyer", "seller", 1))


def settlement() -> Costly:
    """All of an account's positions are looked at."""
    return ended_with(lambda scene: scene.settle_variation("seller"), is_for_sale=False)


CONVERSIONS: dict[str, Construction] = {
    "StartConversion": conversion,
    "BuyCollateral, all debt repaid": purchase,
    "BuyCollateral, still below margin": partial_purchase,
    "SettleVariation": settlement,
}
