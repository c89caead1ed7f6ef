"""An option chain at one moment: what readers and generators of snapshots produce."""

from dataclasses import dataclass, field
from math import gcd

from proofbook.protocol.limits import EXPIRY_TIME_OF_DAY_NS, NS_PER_DAY, InstrumentKind

ATOMS_PER_USD = 1_000_000


@dataclass(frozen=True, slots=True)
class OptionQuote:
    """One option of an expiry. Prices in USD per unit of underlying; None where nobody quotes."""

    strike_atoms: int
    kind: InstrumentKind
    bid_usd: float | None
    ask_usd: float | None
    mark_usd: float
    volatility: float


@dataclass(frozen=True, slots=True)
class ExpiryChain:
    """The options of one expiry, ascending by strike, calls before puts."""

    expiry_ns: int
    forward_atoms: int
    options: tuple[OptionQuote, ...]


@dataclass(frozen=True, slots=True)
class ChainSnapshot:
    """The option chain of one underlying; expiries ascending."""

    symbol: str
    taken_ns: int
    index_atoms: int
    expiries: tuple[ExpiryChain, ...]

    @property
    def strike_step_atoms(self) -> int:
        """The largest step on which all strikes lie."""
        return gcd(*(option.strike_atoms for expiry in self.expiries for option in expiry.options))

    @property
    def options_count(self) -> int:
        return sum(len(expiry.options) for expiry in self.expiries)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one source said about all its underlyings, and how many of its rows were of no use, by
    reason.
    """

    taken_ns: int
    chains: tuple[ChainSnapshot, ...]
    rows: int
    rows_unusable: dict[str, int] = field(default_factory=dict[str, int])


def is_expiry_time(expiry_ns: int) -> bool:
    """Return whether a moment is one at which instruments may expire."""
    return expiry_ns % NS_PER_DAY == EXPIRY_TIME_OF_DAY_NS
