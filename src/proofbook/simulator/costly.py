"""States in which one entry is as expensive as the limits allow, and that entry.

Each construction is a story that ends with the entry; `tools/costliest.py` measures what it costs.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from coincurve import PrivateKey

from proofbook.kernel import Kernel
from proofbook.protocol import eip712
from proofbook.protocol.commands import (
    Command,
    FireTrigger,
    ForwardCurve,
    ForwardObservation,
    IndexObservation,
    IndexPrice,
    Leg,
    Quote,
    Remark,
    RfqQuote,
    SurfaceSignature,
    Tick,
    VolSurface,
)
from proofbook.protocol.events import Filled
from proofbook.protocol.genesis import Genesis, TokenTerms, UnderlyingGrid
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import (
    EXPIRIES_PER_UNDERLYING_MAX,
    FILLS_PER_COMMAND_MAX,
    INSTRUMENTS_PER_ACCOUNT_MAX,
    LEGS_MAX,
    NS_PER_DAY,
    PRICE_TICKS_BITS,
    PUBLISHERS_MAX,
    QUOTES_PER_BATCH_MAX,
    REMARK_INSTRUMENTS_MAX,
    REMOVALS_PER_TICK_MAX,
    InstrumentKind,
    Side,
    TimeInForce,
    TriggerCondition,
)
from proofbook.protocol.outcomes import Outcome
from proofbook.protocol.terms import MarginParameters
from proofbook.simulator.scene import (
    EXPIRY_NS,
    FLAT_SLICE,
    GRID,
    MILLISECOND_NS,
    SPOT_ATOMS,
    STRIKE_ATOMS,
    UNBOUND,
    USDC,
    Scene,
    key_of,
)
from proofbook.simulator.workload import (
    CHAIN_ID,
    CONTRACT,
    GENESIS_NS,
    address_of,
    compact_signature,
)

BUY, SELL = Side.BUY, Side.SELL
MONEY = 10**9 * USDC
CURVE_PUBLISHERS = 7
"""With all 24 expiries, as many as fit into the longest entry."""

SURFACE_PUBLISHERS = 13
"""The same for a surface."""

PRICE_STEP = 1 << (PRICE_TICKS_BITS - 6)
"""Prices so far apart share no node of a price index but its root."""


WITH_BREAKER = replace(
    UNBOUND, breaker_move_ppm=100_000, debt_account_usd=10**9, debt_venue_usd=10**9
)


class Costly(NamedTuple):
    """A state, as a snapshot, and the entry that is expensive there."""

    snapshot: bytes
    entry: bytes


Construction = Callable[[], Costly]


class CostlyScene(Scene):
    """A kernel with all publishers, and the steps that expensive states are made of."""

    def __init__(
        self,
        tokens: tuple[TokenTerms, ...] = (),
        parameters: MarginParameters = WITH_BREAKER,
        grids: tuple[UnderlyingGrid, ...] = (GRID,),
    ) -> None:
        super().__init__(Kernel)
        publishers = [address_of(publisher_key(number)) for number in publisher_numbers()]
        owners = address_of(key_of("fund")), address_of(key_of("fees"))
        genesis = Genesis(GENESIS_NS, *owners, tuple(publishers), grids, tokens, parameters)
        self.genesis = genesis.encode()
        self.kernel = Kernel(self.genesis, CHAIN_ID, CONTRACT)
        self.engine = self.kernel

    def end_with(self, act: Callable[[], object]) -> Costly:
        """Return the state now, and the entry that an act adds to the story."""
        snapshot = self.kernel.snapshot()
        act()
        outcome = self.results[-1].outcome
        assert outcome.is_applied, outcome.name
        return Costly(snapshot, self.entries[-1])

    def list_dated(
        self, expiries: int, strikes: int, strike_atoms: int = STRIKE_ATOMS
    ) -> list[int]:
        """List calls on a grid of expiries and strikes, and mark them all; return their ids."""
        dates = dates_of(expiries)
        listed = [
            self.list_instrument(
                InstrumentKind.CALL, date, strike_atoms + place * GRID.strike_step_atoms
            )
            for date in dates
            for place in range(strikes)
        ]
        self.must(self.curve(dates, 1))
        self.must(self.surface(dates, 1))
        self.mark(listed, strikes)
        return listed

    def mark(self, listed: list[int], strikes: int) -> None:
        """Mark every instrument of a grid."""
        for place in range(0, len(listed), strikes):
            expiry = place // strikes + 1
            for first in listed[place : place + strikes : REMARK_INSTRUMENTS_MAX]:
                self.must(Remark(expiry, instrument_slot(first)))

    def must(self, command: Command) -> None:
        outcome = self.submit(command)
        assert outcome.is_applied, f"{type(command).__name__}: {outcome.name}"

    def spread_out(self, name: str, instruments: Iterable[int], price_ticks: int = 1) -> None:
        """Give an account an order in each of these instruments."""
        self.deposit(name, MONEY)
        for instrument in instruments:
            self.resting(name, instrument, BUY, price_ticks, 1)

    def move(self, forward_atoms: int) -> None:
        """Publish other forwards for all expiries, and mark the first instruments by them."""
        self.wait(10**9)
        self.must(self.curve(dates_of(EXPIRIES_PER_UNDERLYING_MAX), 1, forward_atoms))
        self.must(Remark(1))

    def trip(self) -> None:
        """Let the index double within a moment, which trips its breaker."""
        for price_atoms in (SPOT_ATOMS, 2 * SPOT_ATOMS):
            self.must(self.index(1, price_atoms))

    # What publishers sign

    def index(
        self, publishers: int, price_atoms: int = SPOT_ATOMS, underlying: int = 1
    ) -> IndexPrice:
        published_ns = self.window_ns + MILLISECOND_NS
        digest = eip712.index_price_digest(self.separator, underlying, published_ns, price_atoms)
        rows = [
            IndexObservation(number, price_atoms, signature_of(number, digest))
            for number in publisher_numbers(publishers)
        ]
        return IndexPrice(underlying, published_ns, tuple(rows))

    def curve(
        self,
        dates: list[int],
        publishers: int,
        forward_atoms: int = SPOT_ATOMS,
        underlying: int = 1,
    ) -> ForwardCurve:
        published_ns, expiries = self.window_ns + MILLISECOND_NS, tuple(dates)
        forwards = (forward_atoms,) * len(dates)
        digest = eip712.forward_curve_digest(
            self.separator, underlying, published_ns, expiries, forwards
        )
        rows = [
            ForwardObservation(number, forwards, signature_of(number, digest))
            for number in publisher_numbers(publishers)
        ]
        return ForwardCurve(underlying, published_ns, expiries, tuple(rows))

    def surface(self, dates: list[int], publishers: int, underlying: int = 1) -> VolSurface:
        published_ns = self.window_ns + MILLISECOND_NS
        slices = tuple(replace(FLAT_SLICE, expiry_ns=date) for date in dates)
        digest = eip712.vol_surface_digest(self.separator, underlying, published_ns, slices)
        rows = [
            SurfaceSignature(number, signature_of(number, digest))
            for number in publisher_numbers(publishers)
        ]
        return VolSurface(underlying, published_ns, slices, tuple(rows))


def dates_of(expiries: int) -> list[int]:
    """Return expiries on successive days."""
    return [EXPIRY_NS + day * NS_PER_DAY for day in range(expiries)]


def publisher_numbers(count: int = PUBLISHERS_MAX) -> range:
    return range(1, count + 1)


def publisher_key(number: int) -> PrivateKey:
    return key_of(f"publisher {number}")


def signature_of(publisher: int, digest: bytes) -> bytes:
    return compact_signature(publisher_key(publisher), digest)


# Constructions


def all_instruments(scene: CostlyScene) -> list[int]:
    """List as many instruments as one account may have."""
    return scene.list_dated(1, INSTRUMENTS_PER_ACCOUNT_MAX)


def all_expiries(scene: CostlyScene) -> list[int]:
    """List as many over all expiries, from the lowest strike on."""
    strikes = INSTRUMENTS_PER_ACCOUNT_MAX // EXPIRIES_PER_UNDERLYING_MAX + 1
    listed = scene.list_dated(EXPIRIES_PER_UNDERLYING_MAX, strikes, GRID.strike_step_atoms)
    return listed[:INSTRUMENTS_PER_ACCOUNT_MAX]


def swept_book() -> tuple[CostlyScene, int]:
    """A taker with 511 instruments, and in the 512th 32 makers to be swept.

    Each maker is alone at its price, reduces only, and has no position left once it is filled.
    """
    scene = CostlyScene()
    *others, target = all_instruments(scene)
    scene.deposit("seller", MONEY)
    for place in range(FILLS_PER_COMMAND_MAX):
        maker = f"maker {place}"
        scene.deposit(maker, MONEY)
        scene.resting("seller", target, SELL, 1_000, 1)
        assert scene.place(maker, target, BUY, 1_000, 1).is_applied
        scene.resting(maker, target, SELL, (place + 1) * PRICE_STEP, 1, reduce_only=True)
    scene.spread_out("taker", others)
    return scene, target


SWEEPING_TICKS = (FILLS_PER_COMMAND_MAX + 1) * PRICE_STEP


def sweep_of(time_in_force: TimeInForce) -> Costly:
    """A taker takes all makers that one command may meet."""
    scene, target = swept_book()
    lots = FILLS_PER_COMMAND_MAX
    return scene.end_with(
        lambda: scene.place("taker", target, BUY, SWEEPING_TICKS, lots, time_in_force=time_in_force)
    )


def amended_sweep() -> Costly:
    """An order leaves the book, is placed anew, and takes all makers."""
    scene, target = swept_book()
    order = scene.resting("taker", target, BUY, 1, FILLS_PER_COMMAND_MAX + 1)
    lots = FILLS_PER_COMMAND_MAX + 1
    return scene.end_with(lambda: scene.amend("taker", order, SWEEPING_TICKS, lots))


def resting_order() -> Costly:
    """The 512th instrument of an account: margin over all, and a new level far from others."""
    scene = CostlyScene()
    listed = all_instruments(scene)
    scene.spread_out("taker", listed[:-1])
    scene.deposit("other", MONEY)
    scene.resting("other", listed[-1], SELL, PRICE_STEP, 1)
    return scene.end_with(lambda: scene.place("taker", listed[-1], SELL, 9 * PRICE_STEP, 1))


def underwater(
    act: Callable[[CostlyScene, int, list[int]], object],
) -> tuple[CostlyScene, int]:
    """An account that is short in one of 512 instruments and has lost most of what it has.

    `act` is done while it is still rich, and is given the instruments in which it has nothing yet.
    Its other orders sell far in the money: they lose in no scenario in which the short gains, so
    that reducing the short is always allowed.
    """
    scene = CostlyScene()
    target, *others = all_expiries(scene)
    scene.deposit("other", MONEY)
    scene.deposit("taker", 2_500_000 * USDC)
    scene.resting("other", target, BUY, 790_000, 3_000)
    assert scene.place("taker", target, SELL, 790_000, 3_000).is_applied
    act(scene, target, others[-QUOTES_PER_BATCH_MAX:])
    for instrument in others[:-QUOTES_PER_BATCH_MAX]:
        scene.resting("taker", instrument, SELL, QUOTE_TICKS, 1)
    scene.move(2 * SPOT_ATOMS)
    assert scene.place("taker", target, SELL, 1_590_000, 1).name == "INSUFFICIENT_MARGIN"
    return scene, target


QUOTE_TICKS = 1_000_000


def quotes(scene: CostlyScene, instruments: list[int], price_ticks: int) -> Outcome:
    """Offer one lot in each instrument, all in one batch that slides."""
    rows = [Quote(instrument, SELL, price_ticks, 1) for instrument in instruments]
    return scene.quote("taker", *rows, slide=True)


def replaced_quotes() -> Costly:
    """Margin does not cover the batch, which passes because it requires no more: margin thrice."""
    quoted: list[int] = []

    def act(scene: CostlyScene, _target: int, instruments: list[int]) -> None:
        quoted.extend(instruments)
        quotes(scene, instruments, QUOTE_TICKS)

    scene, _ = underwater(act)
    return scene.end_with(lambda: quotes(scene, quoted, QUOTE_TICKS - 64**2))


BUYING_TICKS = 1_588_000
"""Below the mark by more than the fee: who cannot pay what its orders reserve may only gain."""


def reducing_order() -> Costly:
    """Margin does not cover the order, which passes because it reduces: margin thrice."""
    scene, target = underwater(lambda scene, _target, others: quotes(scene, others, QUOTE_TICKS))
    scene.trip()
    scene.resting("other", target, SELL, BUYING_TICKS, 3_000)
    return scene.end_with(
        lambda: scene.place(
            "taker", target, BUY, BUYING_TICKS, 3_000, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL
        )
    )


def fired_trigger() -> Costly:
    """A waiting order is placed, and passes because it reduces: margin thrice."""
    triggers: list[int] = []

    def act(scene: CostlyScene, target: int, others: list[int]) -> None:
        quotes(scene, others, QUOTE_TICKS)
        above = TriggerCondition.MARK_AT_OR_ABOVE
        stop = (above, 1_000_000, BUY, BUYING_TICKS, 3_000)
        triggers.append(scene.waiting("taker", target, *stop))

    scene, target = underwater(act)
    scene.trip()
    scene.resting("other", target, SELL, BUYING_TICKS, 3_000)
    costly = scene.end_with(lambda: scene.submit(FireTrigger(triggers[0])))
    assert isinstance(scene.events()[0], Filled), "it was not refused"
    return costly


def two_in_want(legs: int) -> tuple[CostlyScene, list[int]]:
    """Two accounts of one owner that margin covers no more, with opposite lots in some instruments.

    One is short and lost when the price rose, the other bought on credit before it fell again. Each
    has 512 instruments.
    """
    scene = CostlyScene()
    listed = all_expiries(scene)
    targets, others, lots = listed[:legs], listed[legs:], WANTING_LOTS // legs
    scene.deposit("other", MONEY)
    scene.deposit("short", 700_000 * USDC)
    scene.deposit("long", 2_000_000 * USDC, owner="short")
    for target in targets:
        scene.resting("other", target, BUY, 790_000, lots)
        assert scene.place("short", target, SELL, 790_000, lots).is_applied
    for instrument in others:
        scene.resting("short", instrument, SELL, QUOTE_TICKS, 1)
    scene.move(2 * SPOT_ATOMS)
    for target in targets:
        scene.resting("other", target, SELL, 1_590_000, lots)
        assert scene.place("long", target, BUY, 1_590_000, lots).is_applied
    for instrument in others:
        scene.resting("long", instrument, BUY, 1, 1)
    scene.move(5 * SPOT_ATOMS // 4)
    for name, side in (("short", SELL), ("long", BUY)):
        outcome = scene.place(name, targets[0], side, 990_000, 1)
        assert outcome.name == "INSUFFICIENT_MARGIN", f"{name}: {outcome.name}"
    return scene, targets


WANTING_LOTS = 3_000


def transferred_position() -> Costly:
    """Both accounts get rid of risk: margin three times for each."""
    scene, targets = two_in_want(1)
    return scene.end_with(
        lambda: scene.position_transfer("short", "long", targets[0], WANTING_LOTS)
    )


def traded_legs() -> tuple[CostlyScene, list[Leg]]:
    """The same by a trade of as many legs as there may be, at their marks."""
    scene, targets = two_in_want(LEGS_MAX)
    # Strikes are 1,000 USD apart, the first is 1,000 USD; below the marks by more than the fee.
    prices = [989_000 - 10_000 * place for place in range(LEGS_MAX)]
    lots = WANTING_LOTS // LEGS_MAX
    return scene, [Leg(*leg) for leg in zip(targets, [lots] * LEGS_MAX, prices, strict=True)]


def accepted_quote() -> Costly:
    """Both get rid of risk in all legs of a quote."""
    scene, legs = traded_legs()
    header = scene.header("long")
    quote = RfqQuote(*header, scene.accounts["short"], 1_000, tuple(legs))
    return scene.end_with(lambda: scene.accept("short", "long", quote))


def block_trade() -> Costly:
    """Both get rid of risk in all legs of a block."""
    scene, legs = traded_legs()
    return scene.end_with(lambda: scene.block("short", "long", legs))


def withdrawal() -> Costly:
    """A withdrawal from an account with 512 instruments: all are settled, then margined."""
    scene = CostlyScene()
    scene.spread_out("taker", all_instruments(scene))
    return scene.end_with(lambda: scene.withdraw("taker", USDC))


def scattered_orders() -> CostlyScene:
    """An account whose orders are each the last of its price, of its book and of its position."""
    scene = CostlyScene()
    listed = scene.list_dated(1, 2 * REMOVALS_PER_TICK_MAX)
    scene.spread_out("owner", listed, PRICE_STEP)
    return scene


def cancel_all() -> Costly:
    """Ends twice as many orders as it may remove."""
    scene = scattered_orders()
    return scene.end_with(lambda: scene.cancel_all("owner"))


def tick() -> Costly:
    """Removes as many dead orders as it may."""
    scene = scattered_orders()
    assert scene.cancel_all("owner").is_applied
    return scene.end_with(lambda: scene.submit(Tick(scene.accounts["owner"])))


def remark() -> Costly:
    """Sixteen options in 27 scenarios each."""
    scene = CostlyScene()
    scene.list_dated(1, REMARK_INSTRUMENTS_MAX)
    return scene.end_with(lambda: scene.submit(Remark(1)))


def index_price() -> Costly:
    """As many publishers as one command may name."""
    scene = CostlyScene()
    return scene.end_with(lambda: scene.submit(scene.index(PUBLISHERS_MAX)))


def forward_curve() -> Costly:
    """All expiries, by as many publishers as the longest entry holds."""
    scene = CostlyScene()
    scene.list_dated(EXPIRIES_PER_UNDERLYING_MAX, 1)
    dates = dates_of(EXPIRIES_PER_UNDERLYING_MAX)
    return scene.end_with(lambda: scene.submit(scene.curve(dates, CURVE_PUBLISHERS)))


def vol_surface() -> Costly:
    """All expiries, by as many publishers as the longest entry holds."""
    scene = CostlyScene()
    scene.list_dated(EXPIRIES_PER_UNDERLYING_MAX, 1)
    dates = dates_of(EXPIRIES_PER_UNDERLYING_MAX)
    return scene.end_with(lambda: scene.submit(scene.surface(dates, SURFACE_PUBLISHERS)))


CONSTRUCTIONS: dict[str, Construction] = {
    "Place, fill-or-kill, 32 makers": partial(sweep_of, TimeInForce.FILL_OR_KILL),
    "Place, immediate, 32 makers": partial(sweep_of, TimeInForce.IMMEDIATE_OR_CANCEL),
    "Amend, 32 makers": amended_sweep,
    "QuoteBatch, 32 quotes replaced": replaced_quotes,
    "Place, resting": resting_order,
    "Place, reducing": reducing_order,
    "FireTrigger, reducing": fired_trigger,
    "AcceptQuote, 4 legs, both reducing": accepted_quote,
    "BlockTrade, 4 legs, both reducing": block_trade,
    "PositionTransfer, both reducing": transferred_position,
    "Withdraw": withdrawal,
    "CancelAll, 32 orders": cancel_all,
    "Tick, 32 orders": tick,
    "Remark, 16 options": remark,
    "IndexPrice, 16 publishers": index_price,
    "ForwardCurve, 24 expiries, 7 publishers": forward_curve,
    "VolSurface, 24 expiries, 13 publishers": vol_surface,
}
