"""Stories of expiries that end: by the average of the index, and by the governor's price."""

from proofbook.protocol.commands import Remark, SetSettlement, SettleAccount, SettleExpiry, Tick
from proofbook.protocol.limits import NS_PER_DAY, InstrumentKind, Side
from proofbook.simulator.scene import EXPIRY_NS, MINUTE_NS, STRIKE_ATOMS, USDC, Scene

BUY, SELL = Side.BUY, Side.SELL
FIRST, SECOND = 1, 2
SECOND_NS = EXPIRY_NS + NS_PER_DAY
LOW_ATOMS, HIGH_ATOMS = 79_000_000_000, 82_000_000_000
PREMIUM_TICKS, MARK_TICKS = 30_000, 800_000


def expiry_story(scene: Scene) -> Scene:
    """An expiry with samples and one without: too early, too late, twice, by the wrong hand."""
    future = scene.list_instrument(InstrumentKind.FUTURE, EXPIRY_NS, 0)
    put = scene.list_instrument(InstrumentKind.PUT, EXPIRY_NS, STRIKE_ATOMS)
    call = scene.open_option()
    late = scene.list_instrument(InstrumentKind.CALL, SECOND_NS, STRIKE_ATOMS)
    for book, ticks in ((future, MARK_TICKS), (put, PREMIUM_TICKS), (call, PREMIUM_TICKS)):
        scene.resting("bob", book, SELL, ticks, 10)
        assert scene.place("ann", book, BUY, ticks, 7).is_applied
    scene.submit(SettleExpiry(FIRST))
    scene.publish_each_minute(EXPIRY_NS - 30 * MINUTE_NS, *[LOW_ATOMS] * 8)
    scene.publish_each_minute(EXPIRY_NS - 11 * MINUTE_NS, *[HIGH_ATOMS] * 9)
    scene.at(EXPIRY_NS + MINUTE_NS)
    assert scene.settle_expiry(FIRST).name == "SETTLEMENT_NOT_DUE"
    scene.publish_each_minute(EXPIRY_NS + 2 * MINUTE_NS, LOW_ATOMS, LOW_ATOMS)
    assert scene.settle_expiry(FIRST).name == "SETTLEMENT_MISSING"
    scene.submit(Remark(FIRST))
    scene.submit(SetSettlement(FIRST, EXPIRY_NS, LOW_ATOMS))
    scene.publish_each_minute(EXPIRY_NS + 4 * MINUTE_NS, *[HIGH_ATOMS] * 3)
    assert scene.settle_expiry(FIRST).is_applied
    scene.submit(SettleExpiry(FIRST))
    scene.submit(SettleAccount(scene.accounts["ann"]))
    assert scene.submit(Remark(FIRST)).is_applied
    scene.submit(Remark(FIRST))
    _end(scene, (future, put, call))
    _govern(scene, late)
    return scene


def _end(scene: Scene, books: tuple[int, ...]) -> None:
    """Close what is held in books with final marks, one account by a withdrawal, and release."""
    scene.submit(SettleAccount(scene.accounts["ann"], 99))
    assert scene.withdraw("ann", USDC).is_applied
    for name in ("ann", "bob"):
        assert scene.settle_account(name).is_applied
    assert scene.settle_account("bob").name == "NOTHING_TO_SETTLE"
    assert scene.submit(Tick(scene.accounts["bob"], 0)).is_applied
    for book in books:
        assert scene.release(book).is_applied


def _govern(scene: Scene, late: int) -> None:
    """Settle the expiry before which nobody published, by the governor alone."""
    scene.at(SECOND_NS + 32 * MINUTE_NS)
    assert scene.settle_expiry(SECOND).name == "SETTLEMENT_MISSING"
    scene.submit(SetSettlement(SECOND, EXPIRY_NS, HIGH_ATOMS))
    scene.submit(SetSettlement(SECOND, SECOND_NS, 0))
    assert scene.submit(SetSettlement(SECOND, SECOND_NS, HIGH_ATOMS)).is_applied
    assert scene.submit(Remark(SECOND, late)).is_applied
    assert scene.release(late).is_applied
