//! Identifiers that carry a generation, so that a reused slot never inherits an old signature.

const INSTRUMENT_SLOT_BITS: u32 = 16;
const ORDER_SLOT_BITS: u32 = 32;

/// Return generation (modulo 2^16) and slot as one u32.
pub fn instrument_id(slot: u32, generation: u32) -> u32 {
    (generation & 0xffff) << INSTRUMENT_SLOT_BITS | slot
}

/// Return the slot of an instrument's identifier.
pub fn instrument_slot(identifier: u32) -> u32 {
    identifier & 0xffff
}

/// Return generation and slot as one u64.
pub fn order_id(slot: u32, generation: u32) -> u64 {
    (generation as u64) << ORDER_SLOT_BITS | slot as u64
}

/// Return the slot of an order's identifier.
pub fn order_slot(identifier: u64) -> u32 {
    identifier as u32
}

/// Return the generation of an order's identifier.
pub fn order_generation(identifier: u64) -> u32 {
    (identifier >> ORDER_SLOT_BITS) as u32
}
