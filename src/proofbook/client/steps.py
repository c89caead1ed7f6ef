"""Decimals to the ticks and lots of an instrument, as its row in the interface counts them."""

from proofbook.api.display import (
    NANO_DIGITS,
    amount_lots,
    combo_ticks,
    position_lots,
    price_ticks,
    steps_exact,
    usdc_atoms,
)
from proofbook.api.schema import InstrumentReply


def ticks_of(price: str, instrument: InstrumentReply) -> int:
    """Return a price in ticks. Raises OffStep, OutOfRange."""
    count = combo_ticks if instrument.kind == "combo" else price_ticks
    return count(price, usdc_atoms(instrument.price_step))


def lots_of(amount: str, instrument: InstrumentReply) -> int:
    """Return a size in lots. Raises OffStep, OutOfRange."""
    return amount_lots(amount, steps_exact(instrument.amount_step, 1, NANO_DIGITS))


def held_lots(amount: str, instrument: InstrumentReply) -> int:
    """Return the size of a position in lots, negative when short. Raises OffStep."""
    return position_lots(amount, steps_exact(instrument.amount_step, 1, NANO_DIGITS))
