"""Names and decimals as people write them, exactly: `BTC-20261225-100000-C`, `"65000.5"`."""

import re
from datetime import UTC, datetime
from functools import lru_cache

from proofbook.protocol.genesis import QUOTE_DECIMALS
from proofbook.protocol.limits import COMBO_PRICE_OFFSET_TICKS, NS_PER_SECOND, InstrumentKind

ATOM_DIGITS = QUOTE_DECIMALS
"""A quote atom is 1e-6 USDC."""
NANO_DIGITS = 9
"""Decimals of an amount: sizes are counted in 1e-9 units of the underlying."""

KEPT = 8_192
"""Decimals that are remembered in each direction: prices and sizes come again and again."""

U32_MAX, U64_MAX = 2**32 - 1, 2**64 - 1
"""What the fields of a command hold: prices 32 bits, sizes and amounts 64."""

DECIMAL_TEXT = r"^-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?\Z"
"""What counts as a decimal: no exponent, no leading zeros, no plus sign."""
_DECIMAL = re.compile(DECIMAL_TEXT)
_OPTION_LETTER = {InstrumentKind.CALL: "C", InstrumentKind.PUT: "P", InstrumentKind.FUTURE: "F"}


class OffStep(ValueError):
    """A decimal that is no whole number of steps."""

    def __init__(self, value: str, step: str) -> None:
        super().__init__(f"value was {value}, must be a whole number of steps of {step}")
        self.value = value
        self.step = step


class OutOfRange(ValueError):
    """A decimal that no command can carry: below zero, or more steps than its field holds."""

    def __init__(self, value: str, limit: str) -> None:
        super().__init__(f"value was {value}, must be between 0 and {limit}")
        self.value = value
        self.limit = limit


@lru_cache(KEPT)
def decimal_text(units: int, digits: int) -> str:
    """Return `units × 10^-digits` as a decimal without needless zeros."""
    sign, units = "-" if units < 0 else "", abs(units)
    whole, rest = divmod(units, 10**digits)
    fraction = f"{rest:0{digits}d}".rstrip("0") if digits and rest else ""
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def steps_exact(text: str, step_units: int, digits: int) -> int:
    """Return how many steps of `step_units × 10^-digits` a decimal is. Raises OffStep."""
    if not _DECIMAL.match(text):
        raise OffStep(text, decimal_text(step_units, digits))
    whole, _, fraction = text.partition(".")
    steps, rest = divmod(int(whole + fraction) * 10**digits, step_units * 10 ** len(fraction))
    if rest:
        raise OffStep(text, decimal_text(step_units, digits))
    return steps


@lru_cache(KEPT)
def field_steps(text: str, step_units: int, digits: int, steps_max: int) -> int:
    """Return the steps of a decimal that go into a field. Raises OffStep, OutOfRange."""
    steps = steps_exact(text, step_units, digits)
    if not 0 <= steps <= steps_max:
        raise OutOfRange(text, decimal_text(steps_max * step_units, digits))
    return steps


def float_text(value: float) -> str:
    """Return a number that was never exact, to nine decimals."""
    return decimal_text(round(value * 10**NANO_DIGITS), NANO_DIGITS)


def usdc_text(atoms: int) -> str:
    """Return quote atoms as USDC."""
    return decimal_text(atoms, ATOM_DIGITS)


def usdc_atoms(text: str) -> int:
    """Return USDC as quote atoms. Raises OffStep below one atom, OutOfRange."""
    return token_atoms(text, ATOM_DIGITS)


def token_atoms(text: str, decimals: int) -> int:
    """Return an amount of a token in the venue's atoms. Raises OffStep, OutOfRange."""
    return field_steps(text, 1, decimals, U64_MAX)


def price_text(ticks: int, tick_atoms: int) -> str:
    """Return a price in USDC per unit of the underlying."""
    return decimal_text(ticks * tick_atoms, ATOM_DIGITS)


def price_ticks(text: str, tick_atoms: int) -> int:
    """Return a price in ticks. Raises OffStep, OutOfRange."""
    return field_steps(text, tick_atoms, ATOM_DIGITS, U32_MAX)


def combo_ticks(text: str, tick_atoms: int) -> int:
    """Return the price of a combo, which may be below zero, in ticks.

    Raises OffStep, OutOfRange.
    """
    if not text.startswith("-"):
        return COMBO_PRICE_OFFSET_TICKS + price_ticks(text, tick_atoms)
    below = price_ticks(text[1:], tick_atoms)
    if below > COMBO_PRICE_OFFSET_TICKS:
        raise OutOfRange(text, price_text(COMBO_PRICE_OFFSET_TICKS, tick_atoms))
    return COMBO_PRICE_OFFSET_TICKS - below


def amount_text(lots: int, lot_nanos: int) -> str:
    """Return a size in units of the underlying."""
    return decimal_text(lots * lot_nanos, NANO_DIGITS)


def amount_lots(text: str, lot_nanos: int) -> int:
    """Return a size in lots. Raises OffStep, OutOfRange."""
    return field_steps(text, lot_nanos, NANO_DIGITS, U64_MAX)


def position_lots(text: str, lot_nanos: int) -> int:
    """Return the size of a position in lots, negative when short. Raises OffStep."""
    return steps_exact(text, lot_nanos, NANO_DIGITS)


def mark_text(mark_atoms: int, lot_nanos: int) -> str:
    """Return a mark, kept in quote atoms per lot, as USDC per unit of the underlying.

    Rounds towards zero to one atom per unit; only what people see, never what the state holds.
    """
    sign = -1 if mark_atoms < 0 else 1
    return usdc_text(sign * (abs(mark_atoms) * 10**NANO_DIGITS // lot_nanos))


def combo_name(symbol: str, instrument: int) -> str:
    """Return the name of a combo: its legs have too many to name it by them."""
    return f"{symbol}-COMBO-{instrument}"


def instrument_name(symbol: str, kind: int, expiry_ns: int, strike_atoms: int) -> str:
    """Return the canonical name; a fractional strike writes its point as an underscore."""
    if kind == InstrumentKind.PERPETUAL:
        return f"{symbol}-PERP"
    date = datetime.fromtimestamp(expiry_ns // NS_PER_SECOND, UTC).strftime("%Y%m%d")
    if kind == InstrumentKind.FUTURE:
        return f"{symbol}-{date}"
    strike = usdc_text(strike_atoms).replace(".", "_")
    return f"{symbol}-{date}-{strike}-{_OPTION_LETTER[InstrumentKind(kind)]}"
