"""What became of an expiry and of positions in it, told to feeds and read models."""

from typing import NamedTuple


class ExpirySettled(NamedTuple):
    """An expiry has its settlement price, in atoms per unit; marks and positions follow.

    `covered_ns` is how much of its window observations covered; less than 20 minutes: the governor
    set the price.
    """

    expiry: int
    underlying: int
    expiry_ns: int
    settlement_atoms: int
    covered_ns: int


class PositionSettled(NamedTuple):
    """All lots of a position were closed at the final mark of their instrument, without a fee."""

    account: int
    instrument: int
    lots: int
    mark_atoms: int
