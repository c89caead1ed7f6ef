//! Limits on what an account may come to hold, and all accounts together, of an instrument.
//!
//! They are asked of whatever makes a position grow, when an order is placed or a deal is agreed
//! upon, and not when it fills. So open interest may end above its limit by what rested already: a
//! taker cannot be told that the order before him may not be filled.

use crate::arena::NO_SLOT;
use crate::limits::{POSITION_LOTS_MAX, Reject, Side};
use crate::matching::reducible_lots;
use crate::positions::{find_position, reach};
use crate::records::{instrument, position};
use crate::store::Store;
use crate::world::World;

/// What an account would take of an instrument.
#[derive(Clone, Copy, Debug)]
pub struct Taking {
    pub account: u32,
    pub instrument: u32,
    pub side: Side,
    /// Less than an order's own lots if it takes the place of another.
    pub added: i64,
    /// Whether it can only shrink what is held.
    pub is_reducing: bool,
}

/// Check that an order adds no more lots than POSITION_LIMIT and OPEN_INTEREST_LIMIT allow.
#[inline]
pub fn check_order<S: Store>(world: &World<S>, order: &Taking) -> Result<(), Reject> {
    let is_reducing = order.is_reducing || order.added <= 0;
    if is_beyond_reach(world, &Taking { is_reducing, ..*order }) {
        return Err(Reject::PositionLimit);
    }
    if is_reducing {
        return Ok(());
    }
    let held = held_lots(world, order.account, order.instrument);
    let reducible = reducible_lots(held, order.side as u8) as i64;
    let grown = (order.added - reducible).max(0);
    if is_too_open(world, order.instrument, grown) {
        return Err(Reject::OpenInterestLimit);
    }
    Ok(())
}

/// Return whether position and orders of a side would come to more than an account may hold.
///
/// What only reduces a position is asked for the protocol's limit alone.
#[inline]
pub fn is_beyond_reach<S: Store>(world: &World<S>, taking: &Taking) -> bool {
    let held = find_position(world, taking.account, taking.instrument);
    let reached = reach(world, held, taking.side) + taking.added;
    let limit = world.instrument(taking.instrument, instrument::POSITION_LOTS_MAX) as i64;
    reached > POSITION_LOTS_MAX as i64 || !taking.is_reducing && 0 < limit && limit < reached
}

/// Return whether signed lots at once, beside orders, would come to more than an account may hold.
pub fn is_taking_beyond_reach<S: Store>(
    world: &World<S>,
    account: u32,
    slot: u32,
    lots: i64,
) -> bool {
    let taking = Taking {
        account,
        instrument: slot,
        side: if lots > 0 { Side::Buy } else { Side::Sell },
        added: lots.abs(),
        is_reducing: shrinks(world, account, slot, lots),
    };
    is_beyond_reach(world, &taking)
}

/// Return whether open interest would grow beyond its limit.
#[inline]
pub fn is_too_open<S: Store>(world: &World<S>, slot: u32, grown: i64) -> bool {
    let limit = world.instrument(slot, instrument::OPEN_INTEREST_LOTS_MAX);
    let open_lots = world.instrument(slot, instrument::OPEN_INTEREST_LOTS);
    grown > 0 && limit > 0 && open_lots as i128 + grown as i128 > limit as i128
}

/// Return whether signed lots only reduce what an account holds.
pub fn shrinks<S: Store>(world: &World<S>, account: u32, slot: u32, lots: i64) -> bool {
    let side = if lots > 0 { Side::Buy } else { Side::Sell };
    lots.unsigned_abs() <= reducible_lots(held_lots(world, account, slot), side as u8)
}

/// Return by how much signed lots make what an account holds long grow: open interest.
pub fn long_growth<S: Store>(world: &World<S>, account: u32, slot: u32, lots: i64) -> i64 {
    let held = held_lots(world, account, slot);
    (held + lots).max(0) - held.max(0)
}

#[inline]
fn held_lots<S: Store>(world: &World<S>, account: u32, slot: u32) -> i64 {
    match find_position(world, account, slot) {
        NO_SLOT => 0,
        held => world.position(held, position::LOTS),
    }
}
