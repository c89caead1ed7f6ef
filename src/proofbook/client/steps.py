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
from proofbook.client.errors import NotEncodable

U64_DIGITS = 20


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


def number_of(number: str | int, method: str) -> int:
    """Return the number of an order, as text or not. Raises NotEncodable."""
    text = str(number) if isinstance(number, str) or number.bit_length() <= 64 else ""
    if not (text.isascii() and text.isdecimal() and len(text) <= U64_DIGITS):
        raise NotEncodable(method, "a number has one to twenty digits")
    return int(text)
