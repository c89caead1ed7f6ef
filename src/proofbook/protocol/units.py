"""The units of the protocol, one type each, so that a type checker keeps them apart."""

from typing import NewType

QuoteAtoms = NewType("QuoteAtoms", int)
"""Money: 1e-6 USDC, signed."""

Ticks = NewType("Ticks", int)
"""A price: `tick_atoms` quote atoms per unit of underlying each."""

Lots = NewType("Lots", int)
"""A size: `lot_nanos` 1e-9 units of underlying each; negative is short or sold."""

Nanoseconds = NewType("Nanoseconds", int)
"""Time since the Unix epoch."""

Sequence = NewType("Sequence", int)
"""The place of an entry in the journal; the first entry is 1."""
