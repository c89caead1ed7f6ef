"""What a random stream knows of an instrument."""

from dataclasses import dataclass

from proofbook.protocol.limits import COMBO_PRICE_OFFSET_TICKS

FAIR_TICKS_MAX = 2 * COMBO_PRICE_OFFSET_TICKS
"""Limits around it fit into a command; marks of combos with large ratios may not."""


@dataclass(slots=True)
class Listed:
    """An instrument that the workload may trade; the mark is in atoms per lot, 0 until marked."""

    identifier: int
    underlying: int
    kind: int
    expiry: int
    strike_atoms: int
    tick_value_atoms: int
    expiry_ns: int
    mark_atoms: int = 0
    legs: tuple[tuple[int, int], ...] = ()

    @property
    def fair_ticks(self) -> int:
        """The mark as a price; a combo's counts from an offset."""
        if self.legs:
            ticks = COMBO_PRICE_OFFSET_TICKS + self.mark_atoms // self.tick_value_atoms
            return max(2, min(ticks, FAIR_TICKS_MAX))
        return max(2, self.mark_atoms // self.tick_value_atoms)

    @property
    def width_ticks(self) -> int:
        """How far from the mark orders are placed."""
        mark_ticks = abs(self.mark_atoms) // self.tick_value_atoms
        return max(3, mark_ticks // 200)
