"""What margin an account needs, term by term. Money in quote atoms."""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias


class ExpiryReport(NamedTuple):
    """One expiry: losses of its skews and of its basis, and the index value of naked slopes."""

    expiry: int
    skew_atoms: int
    basis_atoms: int
    naked_atoms: int


class UnderlyingReport(NamedTuple):
    """One underlying: its worst column, counted over core and tails, and what is lost in it."""

    underlying: int
    worst_column: int
    worst_loss_atoms: int
    is_stale: bool
    expiries: tuple[ExpiryReport, ...]


class MarginReport(NamedTuple):
    """What an account owns and needs.

    Initial margin is the sum of `positions_atoms` (positions and orders in the account's mode),
    concentration, confidence and reserve. `collateral_atoms` is what tokens beside USDC count for,
    in equity. Equity takes stale legs at their marks; they may be worth
    `stale_low_atoms` (below 0) or `stale_high_atoms` more.
    """

    account: int
    mode: int
    equity_atoms: int
    cash_atoms: int
    collateral_atoms: int
    stale_low_atoms: int
    stale_high_atoms: int
    initial_atoms: int
    maintenance_atoms: int
    positions_atoms: int
    concentration_atoms: int
    confidence_atoms: int
    reserve_atoms: int
    underlyings: tuple[UnderlyingReport, ...]


class Change(NamedTuple):
    """What would be added to an account's exposure in an instrument, at its mark.

    Signed lots of the position, lots of open buys and sells, and what these reserve.
    """

    lots: int
    buys: int = 0
    sells: int = 0
    reserve_atoms: int = 0


ChangesAsked: TypeAlias = Mapping[int, Change]
"""Changes by the slot of their instruments."""

NO_CHANGES_ASKED: ChangesAsked = {}


class QuestionInvalid(Exception):
    """A report was asked of an account or an instrument that is not there, or for too many lots."""
