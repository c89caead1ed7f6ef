//! Trigger orders: stops and take-profits, which wait until a price is reached.
//!
//! Anybody may fire one, and nobody is believed: the state itself says whether the condition is
//! met.

use crate::arena::NO_SLOT;
use crate::cancellation::end_orders_if_due;
use crate::commands::{CancelTrigger, FireTrigger, PlaceTrigger};
use crate::events::TriggerFired;
use crate::identifiers::instrument_slot;
use crate::limits::{PRICE_TICKS_BITS, Reject, Removal, TriggerCondition};
use crate::margin;
use crate::orders;
use crate::prices::{is_marked, mark_atoms, value_per_lot};
use crate::records::{global, instrument, trigger, underlying};
use crate::store::Store;
use crate::waiting::{self, NO_CONDITION, Wait};
use crate::world::World;

/// Store an order until its condition is met; it reserves no margin before that.
///
/// Rejects what `orders::check_shape` says of the order, but for its distance from the mark,
/// which will be another one when it fires; PRICE_OUT_OF_RANGE for the trigger's price;
/// TRIGGER_LIMIT, ARENA_FULL; ACCOUNT_INSOLVENT.
pub fn place_trigger<S: Store>(world: &mut World<S>, command: &PlaceTrigger) -> Result<(), Reject> {
    let order = command.order();
    match orders::check_shape(world, &order) {
        Ok(()) | Err(Reject::PriceOutsideBand) => {}
        rejected => return rejected,
    }
    if command.trigger_ticks == 0 || command.trigger_ticks >> PRICE_TICKS_BITS != 0 {
        return Err(Reject::PriceOutOfRange);
    }
    waiting::check_room(world, command.account)?;
    if margin::portfolio(world, command.account, &[]).is_insolvent() {
        return Err(Reject::AccountInsolvent);
    }
    let condition = command.condition as u8;
    let until = Wait { condition, trigger_ticks: command.trigger_ticks, release_ns: 0 };
    end_orders_if_due(world, command.account);
    waiting::wait(world, &order, until);
    Ok(())
}

/// Remove one waiting order. Rejects TRIGGER_NOT_FOUND, TRIGGER_NOT_OWNED.
pub fn cancel_trigger<S: Store>(
    world: &mut World<S>,
    command: &CancelTrigger,
) -> Result<(), Reject> {
    let slot = waiting::find_trigger(world, command.trigger);
    if slot == NO_SLOT || waiting::is_dead(world, slot) {
        return Err(Reject::TriggerNotFound);
    }
    if world.trigger(slot, trigger::ACCOUNT) != command.account {
        return Err(Reject::TriggerNotOwned);
    }
    waiting::remove(world, slot, Removal::Cancelled);
    Ok(())
}

/// Place a waiting order whose time has come; remove one that is over, as its book may be.
///
/// What `orders::place` refuses is gone as well, and the event says why; but a book that lets
/// nothing of the kind in for the moment, or a breaker, does not cost its owner a stop.
///
/// Rejects TRIGGER_NOT_FOUND, TRIGGER_NOT_MET, INSTRUMENT_STATE, BREAKER_TRIPPED.
pub fn fire_trigger<S: Store>(world: &mut World<S>, command: &FireTrigger) -> Result<(), Reject> {
    let slot = waiting::find_trigger(world, command.trigger);
    if slot == NO_SLOT {
        return Err(Reject::TriggerNotFound);
    }
    if let Some(removal) = waiting::end_of(world, slot) {
        waiting::remove(world, slot, removal);
    } else if !is_met(world, slot) {
        return Err(Reject::TriggerNotMet);
    } else {
        return fire(world, command.trigger, slot);
    }
    Ok(())
}

/// Place the order; one that has waited for the end of a speed bump does not wait again.
fn fire<S: Store>(world: &mut World<S>, identifier: u64, slot: u32) -> Result<(), Reject> {
    let order = waiting::order_of(world, slot);
    let is_released = world.trigger(slot, trigger::CONDITION) == NO_CONDITION;
    orders::check_state(world, &order)?;
    if orders::is_held_by_breaker(world, &order) {
        return Err(Reject::BreakerTripped);
    }
    waiting::free(world, slot);
    let placed = orders::place_or_wait(world, &order, is_released);
    let reason = placed.map_or_else(|reason| reason as u8, |()| 0);
    TriggerFired {
        trigger: identifier,
        account: order.account,
        instrument: order.instrument,
        reason,
    }
    .encode(world.events);
    Ok(())
}

/// Return whether the price that the condition names is known and has reached the trigger's.
///
/// Without a condition: whether the speed bump is over.
fn is_met<S: Store>(world: &World<S>, slot: u32) -> bool {
    use TriggerCondition::*;
    if world.trigger(slot, trigger::CONDITION) == NO_CONDITION {
        return world.header(global::WINDOW_NS) >= world.trigger(slot, trigger::RELEASE_NS);
    }
    let condition = TriggerCondition::try_from(world.trigger(slot, trigger::CONDITION))
        .expect("waiting stored a member");
    let traded = instrument_slot(world.trigger(slot, trigger::INSTRUMENT));
    let ticks = world.trigger(slot, trigger::TRIGGER_TICKS) as i128;
    let (reached, wanted, is_known) = match condition {
        MarkAtOrAbove | MarkAtOrBelow => {
            let wanted = value_per_lot(world, traded, ticks as u32);
            (mark_atoms(world, traded), wanted, is_marked(world, traded))
        }
        IndexAtOrAbove | IndexAtOrBelow => {
            let owner = world.instrument(traded, instrument::UNDERLYING);
            let index_atoms = world.underlying(owner, underlying::INDEX_ATOMS) as i128;
            let tick_atoms = world.instrument(traded, instrument::TICK_ATOMS);
            (index_atoms, ticks * tick_atoms as i128, index_atoms > 0)
        }
        LastAtOrAbove | LastAtOrBelow => {
            let last_ticks = world.instrument(traded, instrument::LAST_PRICE_TICKS) as i128;
            (last_ticks, ticks, last_ticks > 0)
        }
    };
    is_known
        && match condition {
            MarkAtOrAbove | IndexAtOrAbove | LastAtOrAbove => reached >= wanted,
            MarkAtOrBelow | IndexAtOrBelow | LastAtOrBelow => reached <= wanted,
        }
}
