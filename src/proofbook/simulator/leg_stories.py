"""Stories of several legs: deals outside the books, and books of combos, opened and released."""

from proofbook.protocol import commands as c
from proofbook.protocol.limits import (
    COMBO_PRICE_OFFSET_TICKS,
    NS_PER_DAY,
    InstrumentKind,
    InstrumentState,
    Side,
    TimeInForce,
)
from proofbook.simulator.scene import EXPIRY_NS, STRIKE_ATOMS, USDC, Scene

BUY, SELL = Side.BUY, Side.SELL
IOC = TimeInForce.IMMEDIATE_OR_CANCEL
MARK = 800_000


def two_parties_story(scene: Scene) -> Scene:
    """Quotes on request and blocks: taken, meant for another, replayed, not covered, undone."""
    scene.deposit("poor", USDC)
    perpetual, call = scene.open_perpetual(), scene.open_option()
    legs = [c.Leg(perpetual, -300, MARK), c.Leg(call, 5, 63_000)]
    quote = scene.offer("bob", legs)
    scene.accept("poor", "bob", quote)
    scene.accept("ann", "cid", quote)
    scene.accept("ann", "bob", quote)
    scene.accept("cid", "bob", quote)
    scene.accept("cid", "bob", scene.offer("bob", legs, taker=scene.accounts["ann"]))
    scene.accept("bob", "bob", scene.offer("bob", legs))
    scene.accept("cid", "bob", scene.offer("bob", [c.Leg(99, 1, 1)]))
    scene.accept("cid", "bob", scene.offer("bob", legs[:1]), session=7)
    scene.block("ann", "bob", [c.Leg(perpetual, 300, MARK + 5), c.Leg(call, -5, 62_000)])
    scene.block("ann", "cid", legs, max_fee_ppm=100)
    scene.block("cid", "ann", [])
    return scene


def combos_story(scene: Scene) -> Scene:
    """Combos opened and refused, quoted on both sides of zero, filled in part, cancelled, ended."""
    perpetual, call = scene.open_perpetual(), scene.open_option()
    put = scene.list_instrument(InstrumentKind.PUT, EXPIRY_NS, STRIKE_ATOMS)
    scene.submit(c.Remark(2))
    covered = scene.combo("ann", (perpetual, 100), (call, -1))
    parity = scene.combo("bob", (call, 1), (put, -1))
    scene.create_combo("cid", (call, 1), (put, -1))
    scene.create_combo("cid", (call, 2), (put, -2))
    scene.create_combo("cid", (perpetual, 1), (parity, 1))
    zero = COMBO_PRICE_OFFSET_TICKS
    asked = scene.resting("bob", covered, SELL, zero + 740_000, 5)
    scene.place("ann", covered, BUY, zero + 741_000, 2)
    scene.place("cid", parity, BUY, zero - 40, 7)
    scene.place("ann", parity, SELL, zero - 60, 3)
    scene.place("bob", parity, SELL, zero + 5, 2, time_in_force=IOC)
    scene.cancel("bob", asked)
    scene.place("ann", call, SELL, 63_000, 1)
    scene.cancel_all("cid")
    scene.wait(EXPIRY_NS)
    scene.place("ann", covered, BUY, zero, 1)
    return scene


def releasing_story(scene: Scene) -> Scene:
    """Orders swept at the end of their book, combos and instruments freed, slots used again."""
    perpetual, call = scene.open_perpetual(), scene.open_option()
    put = scene.list_instrument(InstrumentKind.PUT, EXPIRY_NS, STRIKE_ATOMS)
    scene.submit(c.Remark(2))
    covered = scene.combo("ann", (perpetual, 100), (call, -1))
    parity = scene.combo("bob", (call, 1), (put, -1))
    scene.resting("bob", call, SELL, 70_000, 3)
    kept = scene.resting("bob", perpetual, BUY, 10, 1)
    swept = scene.resting("bob", parity, BUY, COMBO_PRICE_OFFSET_TICKS - 9, 2)
    for instrument in (perpetual, call, put, covered, 99):
        scene.release(instrument)
    scene.submit(c.Tick(scene.accounts["ann"], swept))
    halted = scene.list_instrument(InstrumentKind.PUT, EXPIRY_NS, 2 * STRIKE_ATOMS)
    for state in (InstrumentState.HALTED, InstrumentState.OPEN):
        scene.set_instrument(halted, state)
        scene.wait(NS_PER_DAY)
        scene.release(halted)
    scene.wait(EXPIRY_NS - scene.window_ns)
    scene.submit(c.Tick(scene.accounts["bob"], swept))
    scene.submit(c.Tick(scene.accounts["bob"]))
    for instrument in (call, covered, parity, put, call, call):
        scene.release(instrument)
    scene.submit(c.Remark(2))
    later_ns = EXPIRY_NS + 30 * NS_PER_DAY
    scene.list_instrument(InstrumentKind.CALL, later_ns, STRIKE_ATOMS)
    scene.create_combo("ann", (perpetual, 100), (call, -1))
    scene.cancel("bob", kept)
    return scene
