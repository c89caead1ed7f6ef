"""Identifiers that carry a generation, so that a reused slot never inherits an old signature."""

INSTRUMENT_SLOT_BITS = 16
ORDER_SLOT_BITS = 32


def instrument_id(slot: int, generation: int) -> int:
    """Return generation (modulo 2^16) and slot as one u32."""
    return (generation & 0xFFFF) << INSTRUMENT_SLOT_BITS | slot


def instrument_slot(identifier: int) -> int:
    return identifier & 0xFFFF


def order_id(slot: int, generation: int) -> int:
    """Return generation and slot as one u64."""
    return generation << ORDER_SLOT_BITS | slot


def order_slot(identifier: int) -> int:
    return identifier & 0xFFFF_FFFF
