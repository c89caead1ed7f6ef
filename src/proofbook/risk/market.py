"""From a snapshot to a running market: grids for genesis, what to list, what to publish, what to
mark.

The order that the state machine asks for: list, index, forwards, surface, then Remark 16
instruments at a time.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace

from proofbook.protocol.commands import (
    ForwardCurve,
    IndexPrice,
    ListInstrument,
    Remark,
    VolSurface,
)
from proofbook.protocol.events import InstrumentListed
from proofbook.protocol.genesis import Terms, UnderlyingGrid
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import PRICE_TICKS_BITS, REMARK_INSTRUMENTS_MAX, InstrumentKind
from proofbook.risk.chain import ChainSnapshot, Snapshot
from proofbook.risk.publishers import Publishers
from proofbook.risk.surface import SliceFit, fit_surface


@dataclass(frozen=True, slots=True)
class TickAndLot:
    """The price step in quote atoms per unit, and the size step in 1e-9 units."""

    tick_atoms: int
    lot_nanos: int


TICKS_AND_LOTS = {
    "BTC": TickAndLot(100_000, 1_000_000),  # 0.1 USD and 0.001 BTC: a tick of a lot is 100 atoms
    "ETH": TickAndLot(10_000, 10_000_000),  # 0.01 USD and 0.01 ETH: the same
}
MAKER_FEE_PPM = 100
TAKER_FEE_PPM = 300
"""Of the price of the option or perpetual itself: 1 and 3 basis points."""

DISAGREEMENT_PPM = 20
"""Publishers watch different venues: neighbours in the quorum differ by this much."""


class GridTooCoarse(ValueError):
    """An underlying whose prices do not fit the price index."""

    def __init__(self, symbol: str, price_atoms: int, limit_atoms: int) -> None:
        super().__init__(
            f"{symbol}: a price of {price_atoms} atoms, the grid ends at {limit_atoms}"
        )
        self.symbol = symbol
        self.price_atoms = price_atoms
        self.limit_atoms = limit_atoms


def grid_of(chain: ChainSnapshot, quorum: int) -> UnderlyingGrid:
    """Return an underlying's listing grid. Raises GridTooCoarse where deep options do not fit."""
    step = TICKS_AND_LOTS[chain.symbol]
    assert step.tick_atoms * step.lot_nanos % 1_000_000_000 == 0
    limit_atoms = step.tick_atoms * ((1 << PRICE_TICKS_BITS) - 1)
    strikes = (option.strike_atoms for expiry in chain.expiries for option in expiry.options)
    forwards = (expiry.forward_atoms for expiry in chain.expiries)
    deepest_atoms = max(chain.index_atoms, *forwards, *strikes)
    if deepest_atoms > limit_atoms:
        raise GridTooCoarse(chain.symbol, deepest_atoms, limit_atoms)
    terms = Terms(step.tick_atoms, step.lot_nanos, MAKER_FEE_PPM, TAKER_FEE_PPM)
    return UnderlyingGrid(
        chain.symbol, quorum, chain.strike_step_atoms, perpetual=terms, future=terms, option=terms
    )


def listing_plan(snapshot: Snapshot) -> list[ListInstrument]:
    """Return what to list: per underlying the perpetual, then each expiry's options by strike."""
    plan: list[ListInstrument] = []
    for underlying, chain in enumerate(snapshot.chains, start=1):
        plan.append(ListInstrument(underlying, InstrumentKind.PERPETUAL))
        for expiry in chain.expiries:
            plan += [
                ListInstrument(underlying, option.kind, expiry.expiry_ns, option.strike_atoms)
                for option in expiry.options
            ]
    return plan


def remark_plan(listed: Iterable[InstrumentListed]) -> list[Remark]:
    """Return the commands that mark every listed instrument once.

    The instruments of an expiry are chained in the order of their listing, so each cursor is known
    in advance.
    """
    slots: defaultdict[int, list[int]] = defaultdict(list)
    for event in listed:
        slots[event.expiry].append(instrument_slot(event.instrument))
    return [
        Remark(expiry, of_expiry[first])
        for expiry, of_expiry in slots.items()
        for first in range(0, len(of_expiry), REMARK_INSTRUMENTS_MAX)
    ]


@dataclass(frozen=True, slots=True)
class Observations:
    """What the publishers of a venue say about one underlying; surfaces are fitted once."""

    underlying: int
    chain: ChainSnapshot
    fits: tuple[SliceFit, ...]

    @classmethod
    def of_snapshot(cls, snapshot: Snapshot) -> list["Observations"]:
        """Return one for each underlying, numbered as genesis numbers them."""
        return [
            cls(underlying, chain, tuple(fit_surface(chain)))
            for underlying, chain in enumerate(snapshot.chains, start=1)
        ]

    def index_price(
        self, publishers: Publishers, published_ns: int, move_ppm: int = 0
    ) -> IndexPrice:
        """Return the index, moved by some ppm from the snapshot's."""
        price_atoms = _moved(self.chain.index_atoms, move_ppm)
        prices = list(_around(price_atoms, len(publishers.members)))
        return publishers.index_price(self.underlying, published_ns, prices)

    def forward_curve(
        self, publishers: Publishers, published_ns: int, move_ppm: int = 0
    ) -> ForwardCurve:
        """Return all forwards, moved by some ppm from the snapshot's."""
        moved = [_moved(expiry.forward_atoms, move_ppm) for expiry in self.chain.expiries]
        around = [list(_around(forward, len(publishers.members))) for forward in moved]
        curves = list(zip(*around, strict=True))
        return publishers.forward_curve(self.underlying, published_ns, self.expiries_ns, curves)

    def vol_surface(self, publishers: Publishers, published_ns: int) -> VolSurface:
        """Return the surface of all dated expiries."""
        slices = [fit.quantised(published_ns) for fit in self.fits]
        return publishers.vol_surface(self.underlying, published_ns, slices)

    def narrowed(self, expiries: Set[tuple[int, int]]) -> "Observations":
        """Return what is said about these expiries, by underlying and time, and no others."""
        open_ns = {expiry_ns for underlying, expiry_ns in expiries if underlying == self.underlying}
        chained = tuple(e for e in self.chain.expiries if e.expiry_ns in open_ns)
        fits = tuple(fit for fit in self.fits if fit.expiry_ns in open_ns)
        return replace(self, chain=replace(self.chain, expiries=chained), fits=fits)

    @property
    def expiries_ns(self) -> Sequence[int]:
        return [expiry.expiry_ns for expiry in self.chain.expiries]


def _moved(price_atoms: int, move_ppm: int) -> int:
    return price_atoms + price_atoms * move_ppm // 1_000_000


def _around(price_atoms: int, count: int) -> Iterator[int]:
    """Yield one value for each publisher; their lower median is the price itself."""
    middle = (count - 1) // 2
    for place in range(count):
        yield price_atoms + price_atoms * DISAGREEMENT_PPM * (place - middle) // 1_000_000
