//! Marks: what a lot is worth now, and gains or loses in each scenario, written for margin to read.
//!
//! Prices come from publishers, and margin is asked for all the time: so instruments are priced
//! when somebody says Remark, some at a time, and between that everybody reads the same arrays.

use crate::arena::NO_SLOT;
use crate::arrays::{Array, final_array, risk_array};
use crate::commands::Remark;
use crate::events::Marked;
use crate::expiries::final_mark;
use crate::funding;
use crate::identifiers::instrument_id;
use crate::limits::{InstrumentState, REMARK_INSTRUMENTS_MAX, Reject};
use crate::listing::follow_terms;
use crate::payoff::{Market, Terms, kind_of};
use crate::positions::is_settled;
use crate::records::{self, expiry, global, instrument};
use crate::states;
use crate::store::Store;
use crate::world::World;

/// Price up to 16 instruments of an expiry again, in listing order from the cursor on.
///
/// Terms that the governor has changed since hold for them from now on, as `follow_terms` says.
///
/// What kind of instrument needs which observations, `payoff` says; one that lacks any is passed
/// over, and so is one that is halted: its mark stays. At its expiry every mark stays, until the
/// expiry is settled: then each is written for the last time, that of a halted book too.
///
/// Rejects EXPIRY_NOT_FOUND; CURSOR_INVALID if the cursor is no instrument of the expiry;
/// OBSERVATION_MISSING if none of the instruments can be priced, or has to be again.
pub fn remark<S: Store>(world: &mut World<S>, command: &Remark) -> Result<(), Reject> {
    let is_open = world.contains(expiry::ARENA, command.expiry)
        && world.expiry(command.expiry, expiry::UNDERLYING) != NO_SLOT;
    if !is_open {
        return Err(Reject::ExpiryNotFound);
    }
    let mut slot = match command.cursor {
        NO_SLOT => world.expiry(command.expiry, expiry::INSTRUMENTS_HEAD),
        cursor => cursor,
    };
    if !world.contains(instrument::ARENA, slot)
        || world.instrument(slot, instrument::EXPIRY) != command.expiry
    {
        return Err(Reject::CursorInvalid);
    }
    let expiry_ns = world.expiry(command.expiry, expiry::EXPIRY_NS);
    if expiry_ns != 0 && world.header(global::WINDOW_NS) >= expiry_ns {
        return mark_for_ever(world, command.expiry, slot);
    }
    let market = Market::read(world, command.expiry);
    let mut marked = 0;
    for _ in 0..REMARK_INSTRUMENTS_MAX {
        if slot == NO_SLOT {
            break;
        }
        let is_halted = world.instrument(slot, instrument::STATE) == InstrumentState::Halted as u8;
        if !is_halted && market.is_observed(kind_of(world, slot)) {
            follow_terms(world, slot);
            funding::accrue(world, slot);
            mark(world, slot, &market);
            marked += 1;
        }
        slot = world.instrument(slot, instrument::NEXT_IN_EXPIRY);
    }
    if marked == 0 { Err(Reject::ObservationMissing) } else { Ok(()) }
}

/// Write the marks of up to 16 instruments at the settlement price; no scenario moves them.
fn mark_for_ever<S: Store>(
    world: &mut World<S>,
    expiry_slot: u32,
    mut slot: u32,
) -> Result<(), Reject> {
    if world.expiry(expiry_slot, expiry::SETTLED_NS) == 0 {
        return Err(Reject::ObservationMissing);
    }
    let settlement_atoms = world.expiry(expiry_slot, expiry::SETTLEMENT_ATOMS);
    let mut marked = 0;
    for _ in 0..REMARK_INSTRUMENTS_MAX {
        if slot == NO_SLOT {
            break;
        }
        if !is_settled(world, slot) {
            world.set_instrument(slot, instrument::STATE, InstrumentState::Expired as u8);
            world.set_instrument(slot, instrument::SETTLED_NS, world.header(global::WINDOW_NS));
            if world.instrument(slot, instrument::DELEVERAGING) != NO_SLOT {
                states::end_deleveraging(world, slot);
            }
            let mark_atoms = final_mark(world, slot, settlement_atoms);
            write(world, slot, &final_array(mark_atoms));
            marked += 1;
        }
        slot = world.instrument(slot, instrument::NEXT_IN_EXPIRY);
    }
    if marked == 0 { Err(Reject::ObservationMissing) } else { Ok(()) }
}

/// Write one instrument's risk array from the current observations.
fn mark<S: Store>(world: &mut World<S>, slot: u32, market: &Market) {
    use records::risk_array as field;
    write(world, slot, &risk_array(&Terms::read(world, slot), market));
    world.set_risk_array(slot, field::INDEX_VERSION, market.index_version());
    world.set_risk_array(slot, field::FORWARD_VERSION, market.forward_version());
    world.set_risk_array(slot, field::SURFACE_VERSION, market.surface_version());
    world.set_risk_array(slot, field::PARAMETER_VERSION, market.parameter_version);
}

/// Write a risk array, and tell the mark.
fn write<S: Store>(world: &mut World<S>, slot: u32, array: &Array) {
    use records::risk_array as field;
    world.set_risk_array(slot, field::MARK_ATOMS, array.mark_atoms);
    for (column, profit) in (0..).zip(array.core) {
        world.set_risk_array(slot, field::CORE.item(column), profit);
    }
    for (column, profit) in (0..).zip(array.tails) {
        world.set_risk_array(slot, field::TAILS.item(column), profit);
    }
    world.set_risk_array(slot, field::SKEW_LINEAR_ATOMS, array.skew_linear_atoms);
    world.set_risk_array(slot, field::SKEW_ABSOLUTE_ATOMS, array.skew_absolute_atoms);
    world.set_risk_array(slot, field::DELTA_ATOMS, array.delta_atoms);
    world.set_risk_array(slot, field::BASIS_ATOMS, array.basis_atoms);
    world.set_risk_array(slot, field::SLOPE_UP_ATOMS, array.slope_up_atoms);
    world.set_risk_array(slot, field::SLOPE_DOWN_ATOMS, array.slope_down_atoms);
    world.set_risk_array(slot, field::FRESH_UNTIL_NS, array.fresh_until_ns);
    world.set_risk_array(slot, field::OBSERVED_ATOMS, array.observed_atoms);
    world.set_risk_array(slot, field::MARKED_NS, world.header(global::WINDOW_NS));
    let generation = world.instrument(slot, instrument::GENERATION);
    let instrument = instrument_id(slot, generation);
    Marked { instrument, mark_atoms: array.mark_atoms }.encode(world.events);
}
