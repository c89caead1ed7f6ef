"""Exposures: what one account holds in one instrument, and what its orders there could add."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from proofbook.protocol.limits import Side


@dataclass(frozen=True, slots=True)
class Exposure:
    """Position, open orders and what they reserve, of one account in one instrument."""

    lots: int
    buys: int = 0
    sells: int = 0
    reserve_atoms: int = 0

    def __add__(self, other: "Exposure") -> "Exposure":
        return Exposure(
            self.lots + other.lots,
            self.buys + other.buys,
            self.sells + other.sells,
            self.reserve_atoms + other.reserve_atoms,
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held, and nothing could come of orders."""
        return not (self.lots or self.buys or self.sells)

    @property
    def gross_lots(self) -> int:
        """The most lots, either way, that it can come to: the position, with all buys or sells."""
        return max(abs(self.lots), abs(self.lots + self.buys), abs(self.lots - self.sells))

    @property
    def held(self) -> "Exposure":
        """The position alone."""
        return Exposure(self.lots)


Changes: TypeAlias = Mapping[int, Exposure]
"""What a command would add to an account's exposures, by instrument."""

NO_CHANGES: Changes = {}


def resting(side: int, lots: int, reserve_atoms: int) -> Exposure:
    """Return what an order adds to the exposure in its instrument."""
    is_buy = side == Side.BUY
    return Exposure(0, lots * is_buy, lots * (not is_buy), reserve_atoms)
