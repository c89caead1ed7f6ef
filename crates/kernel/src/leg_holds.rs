//! Holds: what a resting order of a combo keeps ready in each of its legs.
//!
//! Its fill will trade the legs, and must not fail for want of a record. So each leg has its
//! position as long as the order rests, and counts there against what the account may come to hold.

use crate::arena::NO_SLOT;
use crate::limits::Side;
use crate::positions::{find_position, open_position, release_position, renew};
use crate::prices::{Parts, legs_of};
use crate::records::{order, position};
use crate::store::Store;
use crate::world::World;

/// Let the account's positions in a combo's legs be there; nothing for other instruments.
#[inline]
pub fn hold<S: Store>(world: &mut World<S>, account: u32, instrument: u32) {
    for leg in legs_of(world, instrument).iter() {
        let slot = match find_position(world, account, leg.instrument) {
            NO_SLOT => open_position(world, account, leg.instrument),
            slot => slot,
        };
        let resident = world.position(slot, position::ORDERS_RESIDENT);
        world.set_position(slot, position::ORDERS_RESIDENT, resident + 1);
    }
}

/// Undo `hold`; what nothing else needs is released.
#[inline]
pub fn drop<S: Store>(world: &mut World<S>, account: u32, instrument: u32) {
    for leg in legs_of(world, instrument).iter() {
        let slot = find_position(world, account, leg.instrument);
        let resident = world.position(slot, position::ORDERS_RESIDENT);
        world.set_position(slot, position::ORDERS_RESIDENT, resident - 1);
        release_position(world, slot);
    }
}

/// Add lots of a resting order, taken out if below 0, to what it could add to each leg.
#[inline(always)]
pub fn count<S: Store>(world: &mut World<S>, slot: u32, lots: i64) {
    let legs = legs_of(world, world.order(slot, order::INSTRUMENT));
    if !legs.is_empty() {
        count_legs(world, slot, lots, &legs);
    }
}

fn count_legs<S: Store>(world: &mut World<S>, slot: u32, lots: i64, legs: &Parts) {
    let account = world.order(slot, order::ACCOUNT);
    let is_buy = world.order(slot, order::SIDE) == Side::Buy as u8;
    for leg in legs.iter() {
        let held = find_position(world, account, leg.instrument);
        let order_epoch = world.order(slot, order::ORDER_EPOCH);
        world.edit_position(held, |held| renew(held, order_epoch));
        let field = match is_buy == (leg.ratio > 0) {
            true => position::COMBO_BUY_LOTS,
            false => position::COMBO_SELL_LOTS,
        };
        let reached = world.position(held, field) as i64 + leg.ratio.abs() * lots;
        world.set_position(held, field, reached as u64);
    }
}
